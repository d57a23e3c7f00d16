"""Environment variables, and the resulting destinations."""

from __future__ import annotations

CONSOLE, OTLP, AGENTOPS, NONE = "agentops_console", "otlp", "agentops", "none"


ENDPOINT = "http://localhost:4318"


# Variables of the user → exporters of traces, metrics and logs.
DESTINATIONS: list[tuple[dict[str, str], tuple[str, str, str]]] = [
    ({}, (CONSOLE, NONE, NONE)),
    ({"TRACES_EXPORTER": ""}, (CONSOLE, NONE, NONE)),
    ({"TRACES_EXPORTER": "none"}, ("none", NONE, NONE)),
    ({"METRICS_EXPORTER": "none"}, (CONSOLE, "none", NONE)),
    ({"METRICS_EXPORTER": " None ,", "LOGS_EXPORTER": "none"}, (CONSOLE, " None ,", "none")),
    ({"METRICS_EXPORTER": "prometheus"}, (NONE, "prometheus", NONE)),
    ({"TRACES_EXPORTER": "agentops"}, ("agentops", NONE, NONE)),
    ({"TRACES_EXPORTER": "agentops, agentops_console"}, ("agentops, agentops_console", NONE, NONE)),
    ({"TRACES_EXPORTER": "otlp"}, ("otlp", OTLP, OTLP)),
    ({"TRACES_EXPORTER": "otlp,console"}, ("otlp,console", OTLP, OTLP)),
    ({"TRACES_EXPORTER": "console , otlp", "LOGS_EXPORTER": "none"}, ("console , otlp", OTLP, "none")),
    ({"METRICS_EXPORTER": "otlp"}, (OTLP, "otlp", OTLP)),
    ({"EXPORTER_OTLP_ENDPOINT": ENDPOINT}, (OTLP, OTLP, OTLP)),
    ({"EXPORTER_OTLP_ENDPOINT": ENDPOINT, "TRACES_EXPORTER": "none"}, ("none", OTLP, OTLP)),
    ({"EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, (OTLP, NONE, NONE)),
    ({"EXPORTER_OTLP_METRICS_ENDPOINT": ENDPOINT}, (NONE, OTLP, NONE)),
    ({"EXPORTER_OTLP_METRICS_ENDPOINT": ENDPOINT, "METRICS_EXPORTER": "none"}, (CONSOLE, "none", NONE)),
    ({"EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT, "TRACES_EXPORTER": "agentops"}, ("agentops", NONE, NONE)),
]


# Variables beside a key for AgentOps → exporters of traces, metrics and logs.
WITH_KEY: list[tuple[dict[str, str], tuple[str, str, str]]] = [
    ({}, (AGENTOPS, NONE, NONE)),
    ({"TRACES_EXPORTER": "none"}, ("none", NONE, NONE)),
    ({"TRACES_EXPORTER": "console"}, ("console", NONE, NONE)),
    ({"METRICS_EXPORTER": "prometheus"}, (AGENTOPS, "prometheus", NONE)),
    ({"EXPORTER_OTLP_ENDPOINT": ENDPOINT}, ("otlp,agentops", OTLP, OTLP)),
    ({"EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, ("otlp,agentops", NONE, NONE)),
    ({"EXPORTER_OTLP_ENDPOINT": ENDPOINT, "TRACES_EXPORTER": "otlp"}, ("otlp", OTLP, OTLP)),
]


ALL: list[tuple[dict[str, str], dict[str, str], tuple[str, str, str]]] = [
    (given, {}, expected) for given, expected in DESTINATIONS
]
