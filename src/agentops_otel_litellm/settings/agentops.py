"""Settings of the delivery to AgentOps."""

from __future__ import annotations

from dataclasses import dataclass

from agentops_otel_litellm.settings.declaring import setting
from agentops_otel_litellm.settings.values import level, names, number_of, switch, url


@dataclass(frozen=True, kw_only=True)
class AgentOpsSettings:
    """How calls get to AgentOps, and what it shows of them."""

    api_key: str | None = setting(
        "AGENTOPS_API_KEY",
        default=None,
        parse=str,
        help="The key of an AgentOps project, a UUID. With it, traces go to AgentOps, unless `OTEL_TRACES_EXPORTER` is "
        "`none`.",
        secret=True,
    )
    api_endpoint: str | None = setting(
        "AGENTOPS_API_ENDPOINT",
        default="https://api.agentops.ai",
        parse=url,
        help="Where the exporter `agentops` gets its token: the base URL.",
        without="Nothing is sent to AgentOps.",
    )
    exporter_endpoint: str | None = setting(
        "AGENTOPS_EXPORTER_ENDPOINT",
        default="https://otlp.agentops.ai/v1/traces",
        parse=url,
        help="Where the exporter `agentops` sends spans: the full URL.",
        without="Nothing is sent to AgentOps.",
    )
    app_url: str = setting(
        "AGENTOPS_APP_URL",
        default="https://app.agentops.ai",
        parse=url,
        help="Where AgentOps is looked at: what the replay link of a trace begins with.",
    )
    replay_links: bool | None = setting(
        "AGENTOPS_LOG_SESSION_REPLAY_URL",
        default=None,
        parse=switch,
        help="Whether the replay link of each trace is printed on stderr; by default where that is a terminal.",
    )
    trace_name: str | None = setting(
        "AGENTOPS_TRACE_NAME",
        default=None,
        parse=str,
        help="The name that traces have in AgentOps; by default that of their first span.",
    )
    default_tags: tuple[str, ...] = setting(
        "AGENTOPS_DEFAULT_TAGS",
        default=(),
        parse=names,
        help="Tags that traces have in AgentOps: `nightly,eu`.",
    )
    service_name: str | None = setting(
        "AGENTOPS_SERVICE_NAME",
        default=None,
        parse=str,
        help="The app's name, where `OTEL_SERVICE_NAME` does not say it.",
    )
    environment: str | None = setting(
        "AGENTOPS_ENVIRONMENT",
        default=None,
        parse=str,
        help="Where the app is deployed, `production` say: the resource's `deployment.environment.name`.",
    )
    flush_interval: int = setting(
        "AGENTOPS_EXPORT_FLUSH_INTERVAL",
        default=1_000,
        parse=number_of("milliseconds"),
        help="Milliseconds for which ended spans are gathered before they are sent to AgentOps.",
    )
    max_queue_size: int = setting(
        "AGENTOPS_MAX_QUEUE_SIZE",
        default=512,
        parse=number_of("spans"),
        help="Spans that are kept for AgentOps while it cannot be reached; of more, the oldest are dropped.",
    )
    max_wait_time: int = setting(
        "AGENTOPS_MAX_WAIT_TIME",
        default=5_000,
        parse=number_of("milliseconds"),
        help="Milliseconds that sending spans to AgentOps may take.",
    )
    log_level: str | None = setting(
        "AGENTOPS_LOG_LEVEL",
        default=None,
        parse=level,
        help="From which level on this package logs: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`; by default as "
        "the app has it.",
    )
