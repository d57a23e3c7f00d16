"""Settings of the attributes, usage and prices of calls."""

from __future__ import annotations

from dataclasses import dataclass

from agentops_otel_litellm.settings.declaring import setting
from agentops_otel_litellm.settings.values import names, pairs, switch


@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """The attributes, usage and prices of calls."""

    semconv: tuple[str, ...] | None = setting(
        "AGENTOPS_SEMCONV",
        default=None,
        parse=names,
        help="The conventions whose attributes are written: {vocabularies}, and those of installed packages. By "
        "default `gen_ai,llm`, and `agentops` if AgentOps is a destination.",
    )
    model_providers: tuple[tuple[str, str], ...] = setting(
        "AGENTOPS_MODEL_PROVIDERS",
        default=(),
        parse=pairs,
        help="Providers of models, by the prefix of their names, for calls that fail before LiteLLM has resolved the "
        "provider: `acme-=openai,our-claude=anthropic`. These prefixes have priority over the built-in ones.",
    )
    stream_usage: bool = setting(
        "AGENTOPS_STREAM_USAGE",
        default=False,
        parse=switch,
        help="Whether to request the usage of streams (`stream_options.include_usage`) if the application does not. "
        "The additional chunk is hidden from the application. A server that does not know `stream_options` may reject "
        "the request.",
    )
    estimate_usage: bool = setting(
        "AGENTOPS_ESTIMATE_USAGE",
        default=False,
        parse=switch,
        help="Whether to record LiteLLM's estimate of the tokens if the provider counted none. It is recorded on the "
        "span only, as `agentops.usage.estimated.*`.",
    )
    prices: str | None = setting(
        "AGENTOPS_PRICES",
        default=None,
        parse=str,
        help="The path of a JSON file with your own prices, in the format of LiteLLM's price map.",
    )
    live_prices: bool = setting(
        "AGENTOPS_LIVE_PRICES",
        default=False,
        parse=switch,
        help="Whether genai-prices (the extra `prices`), which has prices of models that LiteLLM does not know, "
        "downloads its prices every hour.",
    )
    metadata_keys: tuple[str, ...] = setting(
        "AGENTOPS_METADATA_KEYS",
        default=(),
        parse=names,
        help="Keys of LiteLLM's `metadata=` and of OpenInference's `using_metadata` that are recorded as "
        "`litellm.metadata.*`: `tenant,feature`.",
    )
    baggage_keys: tuple[str, ...] = setting(
        "AGENTOPS_BAGGAGE_KEYS",
        default=("session.id", "user.id"),
        parse=names,
        help="Keys of OpenTelemetry's baggage that are recorded: `session.id`, `user.id` and `gen_ai.conversation.id` "
        "under their own names, others as `litellm.metadata.*`.",
    )
    litellm_builtin: bool = setting(
        "AGENTOPS_LITELLM_BUILTIN",
        default=False,
        parse=switch,
        help="Whether the name `agentops` in LiteLLM's callbacks means LiteLLM's own callback, which exports every "
        "call "
        "a second time. By default it means a callback that does nothing.",
    )
