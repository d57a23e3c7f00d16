"""The commands `doctor` and `run`. `../__main__.py` parses the command line. Traced apps import none of this."""
