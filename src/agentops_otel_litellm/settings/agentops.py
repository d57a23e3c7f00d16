"""Settings of the delivery to AgentOps."""

from __future__ import annotations

from dataclasses import dataclass

from agentops_otel_litellm.settings.declaring import setting
from agentops_otel_litellm.settings.values import level, names, number_of, switch, url


@dataclass(frozen=True, kw_only=True)
class AgentOpsSettings:
    """Delivery to AgentOps, and the display of traces there."""

    api_key: str | None = setting(
        "AGENTOPS_API_KEY",
        default=None,
        parse=str,
        help="The API key of an AgentOps project, a UUID. If it is set, traces are sent to AgentOps, unless "
        "`OTEL_TRACES_EXPORTER` is `none`.",
        secret=True,
    )
    api_endpoint: str | None = setting(
        "AGENTOPS_API_ENDPOINT",
        default="https://api.agentops.ai",
        parse=url,
        help="The base URL of AgentOps' API, from which the exporter `agentops` requests tokens.",
        without="Nothing is sent to AgentOps.",
    )
    exporter_endpoint: str | None = setting(
        "AGENTOPS_EXPORTER_ENDPOINT",
        default="https://otlp.agentops.ai/v1/traces",
        parse=url,
        help="The full URL to which the exporter `agentops` sends spans.",
        without="Nothing is sent to AgentOps.",
    )
    app_url: str = setting(
        "AGENTOPS_APP_URL",
        default="https://app.agentops.ai",
        parse=url,
        help="The base URL of AgentOps' web pages, for the replay link of a trace.",
    )
    replay_links: bool | None = setting(
        "AGENTOPS_LOG_SESSION_REPLAY_URL",
        default=None,
        parse=switch,
        help="Whether to print the replay link of each trace on stderr; by default if stderr is a terminal.",
    )
    trace_name: str | None = setting(
        "AGENTOPS_TRACE_NAME",
        default=None,
        parse=str,
        help="The name of traces in AgentOps; by default the name of their first span.",
    )
    default_tags: tuple[str, ...] = setting(
        "AGENTOPS_DEFAULT_TAGS",
        default=(),
        parse=names,
        help="Tags of traces in AgentOps: `nightly,eu`.",
    )
    service_name: str | None = setting(
        "AGENTOPS_SERVICE_NAME",
        default=None,
        parse=str,
        help="The name of the service, if `OTEL_SERVICE_NAME` is not set.",
    )
    environment: str | None = setting(
        "AGENTOPS_ENVIRONMENT",
        default=None,
        parse=str,
        help="The deployment environment, such as `production`: the resource's `deployment.environment.name`.",
    )
    flush_interval: int = setting(
        "AGENTOPS_EXPORT_FLUSH_INTERVAL",
        default=1_000,
        parse=number_of("milliseconds"),
        help="Milliseconds for which finished spans are collected before they are sent to AgentOps.",
    )
    max_queue_size: int = setting(
        "AGENTOPS_MAX_QUEUE_SIZE",
        default=512,
        parse=number_of("spans"),
        help="Maximum number of spans that are queued while AgentOps cannot be reached. If there are more, the oldest "
        "spans are dropped.",
    )
    max_wait_time: int = setting(
        "AGENTOPS_MAX_WAIT_TIME",
        default=5_000,
        parse=number_of("milliseconds"),
        help="Maximum duration of an export to AgentOps, in milliseconds.",
    )
    log_level: str | None = setting(
        "AGENTOPS_LOG_LEVEL",
        default=None,
        parse=level,
        help="The log level of this package: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`. By default the log "
        "level "
        "that the application configures.",
    )
