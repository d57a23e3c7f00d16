"""Settings of how processes end."""

from __future__ import annotations

from dataclasses import dataclass

from agentops_otel_litellm.settings.declaring import setting
from agentops_otel_litellm.settings.values import switch


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """Delivery before a process ends."""

    flush_on_signal: bool = setting(
        "AGENTOPS_FLUSH_ON_SIGNAL",
        default=True,
        parse=switch,
        help="Whether finished telemetry is delivered before SIGTERM or SIGINT ends the process by the signal's "
        "default "
        "action. The delivery takes at most `OTEL_EXPORTER_OTLP_TIMEOUT`, or `AGENTOPS_MAX_WAIT_TIME` if that is "
        "longer "
        "and AgentOps is a destination. The application's own signal handlers are not changed.",
    )
