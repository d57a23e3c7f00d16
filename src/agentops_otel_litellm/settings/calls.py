"""Settings of what is told of calls."""

from __future__ import annotations

from dataclasses import dataclass

from agentops_otel_litellm.settings.declaring import setting
from agentops_otel_litellm.settings.values import names, pairs, switch


@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """What is told of a call, in which names, and at which prices."""

    semconv: tuple[str, ...] | None = setting(
        "AGENTOPS_SEMCONV",
        default=None,
        parse=names,
        help="Attribute vocabularies to write, of {vocabularies}, and those of installed packages. By default "
        "`gen_ai,llm`, OpenTelemetry's names and our own, and `agentops` where AgentOps is a destination.",
    )
    model_providers: tuple[tuple[str, str], ...] = setting(
        "AGENTOPS_MODEL_PROVIDERS",
        default=(),
        parse=pairs,
        help="The provider of models that LiteLLM cannot place, by the beginning of their name: "
        "`acme-=openai,our-claude=anthropic`. It comes before a table of our own.",
    )
    stream_usage: bool = setting(
        "AGENTOPS_STREAM_USAGE",
        default=False,
        parse=switch,
        help="Whether providers are asked to count the tokens of streams where the app did not ask. The chunks that "
        "the app gets stay the same; a server that does not know `stream_options` may refuse the request.",
    )
    estimate_usage: bool = setting(
        "AGENTOPS_ESTIMATE_USAGE",
        default=False,
        parse=switch,
        help="Whether LiteLLM's own estimate is captured where a provider counted no tokens: on the span, as "
        "`agentops.usage.estimated.*`, and nowhere else.",
    )
    prices: str | None = setting(
        "AGENTOPS_PRICES",
        default=None,
        parse=str,
        help="Your own prices, before LiteLLM's: the path of a JSON file in the shape of LiteLLM's price map.",
    )
    live_prices: bool = setting(
        "AGENTOPS_LIVE_PRICES",
        default=False,
        parse=switch,
        help="Whether the package genai-prices (the extra `prices`), which prices models that LiteLLM does not know, "
        "fetches its list every hour.",
    )
    metadata_keys: tuple[str, ...] = setting(
        "AGENTOPS_METADATA_KEYS",
        default=(),
        parse=names,
        help="Names in LiteLLM's `metadata=` (and OpenInference's) whose values are captured, as `litellm.metadata.*`: "
        "`tenant,feature`.",
    )
    baggage_keys: tuple[str, ...] = setting(
        "AGENTOPS_BAGGAGE_KEYS",
        default=("session.id", "user.id"),
        parse=names,
        help="Names in OpenTelemetry's baggage (values that travel with a trace) that are captured: `session.id`, "
        "`user.id` and `gen_ai.conversation.id` as such, others as `litellm.metadata.*`.",
    )
    litellm_builtin: bool = setting(
        "AGENTOPS_LITELLM_BUILTIN",
        default=False,
        parse=switch,
        help="Whether `agentops` among LiteLLM's callbacks is LiteLLM's own, which exports every call once more.",
    )
