"""Values that the SDK rejects."""

from __future__ import annotations

from agentops_otel_litellm.settings.sdk_variables import NAMES, VALUES

# Variable → a value that the SDK cannot use.
INVALID = {
    **dict.fromkeys(VALUES, "-1"),
    **dict.fromkeys(NAMES, "nowhere"),
    "OTEL_TRACES_SAMPLER": "traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "half",
    "OTEL_BSP_SCHEDULE_DELAY": "soon",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "many",
    "OTEL_EXPORTER_OTLP_HEADERS": "canary-key",
    "OTEL_SERVICE_NAME": "caf\udce9",
    "OTEL_LOGS_EXPORTER": "otlp,nowhere",
}
