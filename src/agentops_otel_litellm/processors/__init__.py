"""Processors: functions from `Call` to `Call`, through which each finished call passes. `steps` has their order."""
