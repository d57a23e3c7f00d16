"""The settings for calls that go through a gateway, such as a LiteLLM proxy."""

from __future__ import annotations

from dataclasses import dataclass

from agentops_otel_litellm.settings.parsing import servers, setting, switch


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """The trace context that gateways receive, and which service counts the tokens and the cost of a call."""

    propagate_to: tuple[str, ...] = setting(
        "AGENTOPS_PROPAGATE_TO",
        default=(),
        parse=servers,
        help="Gateways, other than LiteLLM proxies, whose requests get the trace context (`traceparent`): hosts, or "
        "the beginnings of URLs, as in `gateway.example.com,http://localhost:8000/v1`.",
    )
    propagate_baggage: bool = setting(
        "AGENTOPS_PROPAGATE_BAGGAGE",
        default=False,
        parse=switch,
        help="Whether LiteLLM proxies and `AGENTOPS_PROPAGATE_TO` also get OpenTelemetry's baggage.",
    )
    proxy_counts: bool = setting(
        "AGENTOPS_PROXY_COUNTS",
        default=False,
        parse=switch,
        help="Whether the LiteLLM proxies that the application calls are traced to the same backend. If so, calls to "
        "them have neither tokens nor cost, on spans and in metrics: the proxy's spans and metrics have them, and sums "
        "count them once. Their price is still `litellm.proxy.response_cost`.",
    )
