"""The commands `doctor` and `run`, for which `__main__.py` parses the command line. Traced applications do not import
this package.
"""
