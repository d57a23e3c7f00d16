"""Processors, which complete and edit the record of each finished call: functions from `Call` to `Call`.

`steps.py` has the order in which they run.
"""
