"""PyInstaller's hook for this package: collects what is found by name only, such as entry points and patch points.

PyInstaller finds the directory of this file by the entry point `pyinstaller40`, if this package is installed where
the program is frozen.
"""

from PyInstaller.utils.hooks import collect_entry_point, collect_submodules, copy_metadata

GROUPS = (
    "opentelemetry_configurator",
    "opentelemetry_distro",
    "opentelemetry_instrumentor",
    "opentelemetry_logs_exporter",
    "opentelemetry_metrics_exporter",
    "opentelemetry_post_instrument",
    "opentelemetry_pre_instrument",
    "opentelemetry_traces_exporter",
)

datas = copy_metadata("agentops-otel-litellm")
hiddenimports = collect_submodules("agentops_otel_litellm", filter=lambda name: ".sdk.child_processes" not in name)
# OpenTelemetry reads LiteLLM's version before it loads the instrumentation.
datas += copy_metadata("litellm")
for group in GROUPS:
    more_datas, more_imports = collect_entry_point(group)
    datas += more_datas
    hiddenimports += more_imports
