"""The documentation as a site: `sphinx-build -W docs docs/_build`."""

from agentops_otel_litellm.version import __version__

project = "agentops-otel-litellm"
author = "The agentops-otel-litellm developers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # the decisions are listed in a table, not in a toctree
autodoc_typehints = "description"
