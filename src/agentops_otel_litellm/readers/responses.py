"""LiteLLM's complete responses → Response, Usage and Cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.providers import provider_named
from agentops_otel_litellm.readers.litellm_cost import litellm_cost
from agentops_otel_litellm.readers.requests import measure
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import characters, elements, field, fields_of, identifier, keyword, model_name


def _hidden(result: Any) -> Mapping[str, Any]:
    # From the model's dict, because reading a private attribute of a pydantic model takes 2 µs.
    private = getattr(result, "__pydantic_private__", None)
    hidden = private.get("_hidden_params") if private else getattr(result, "_hidden_params", None)
    return fields_of(hidden)


def _response_model(response: Mapping[str, Any], hidden: Mapping[str, Any]) -> str | None:
    """The provider's name of the model. For some providers LiteLLM adds its name of the provider as a prefix.

    It adds none for OpenAI, whose name is a part of model names of other providers (`openai/gpt-oss-20b`).
    """
    name = model_name(hidden.get("provider_response_model")) or model_name(response.get("model"))
    prefix, _, rest = (name or "").partition("/")
    return rest if rest and prefix == hidden.get("custom_llm_provider") != "openai" else name


def _cache_hit(hidden: Mapping[str, Any]) -> bool | None:
    return True if hidden.get("cache_hit") is True else None


def cache_hit(result: Any) -> bool | None:
    """Whether the response is from LiteLLM's cache."""
    return _cache_hit(_hidden(result))


def _choices(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [fields_of(choice) for choice in elements(response.get("choices"))]


def _finish_reasons(choices: Sequence[Mapping[str, Any]]) -> tuple[str | None, ...]:
    return tuple([keyword(choice.get("finish_reason")) for choice in choices])


def chat_response(result: Any) -> Response:
    """Read the complete response of a chat."""
    response, hidden = fields_of(result), _hidden(result)
    choices = _choices(response)
    messages = [fields_of(choice.get("message")) for choice in choices]
    return Response(
        id=identifier(response.get("id")),
        model=_response_model(response, hidden),
        finish_reasons=_finish_reasons(choices),
        choices_count=len(choices),
        content_length=measure([message.get("content") for message in messages])[0],
        tool_calls_count=_tool_calls(messages),
        service_tier=response_service_tier(response.get("service_tier")),
        system_fingerprint=identifier(response.get("system_fingerprint")),
        cache_hit=_cache_hit(hidden),
    )


def response_service_tier(value: Any) -> str | None:
    """The service tier of the response, except `auto`, which LiteLLM sets if it does not know the tier's name."""
    tier = keyword(value)
    return None if tier == "auto" else tier


def _tool_calls(messages: Sequence[Mapping[str, Any]]) -> int:
    count = 0
    for message in messages:
        count += len(elements(message.get("tool_calls"))) + (message.get("function_call") is not None)
    return count


def text_response(result: Any) -> Response:
    """Read the complete response of a text completion."""
    response, hidden = fields_of(result), _hidden(result)
    choices = _choices(response)
    return Response(
        id=identifier(response.get("id")),
        model=_response_model(response, hidden),
        finish_reasons=_finish_reasons(choices),
        choices_count=len(choices),
        content_length=sum(characters(choice.get("text")) for choice in choices),
        system_fingerprint=identifier(response.get("system_fingerprint")),
        cache_hit=_cache_hit(hidden),
    )


def embedding_response(result: Any) -> Response:
    """Read the response of an embedding. The vectors are not read, except for their dimension."""
    response, hidden = fields_of(result), _hidden(result)
    vector = field(next(iter(elements(response.get("data"))), None), "embedding")
    return Response(
        model=_response_model(response, hidden),
        dimension_count=len(vector) if isinstance(vector, list) else None,
        cache_hit=_cache_hit(hidden),
    )


def default_response(result: Any) -> Response:
    response = fields_of(result)
    return Response(
        id=identifier(response.get("id")),
        model=model_name(response.get("model")),
        cache_hit=cache_hit(result),
    )


# --- usage and cost ---------------------------------------------------------------------------------------


def embedding_usage(result: Any) -> Usage | None:
    """Read the usage without output tokens, for which LiteLLM sets a 0.

    `None` if the provider has not counted it. The usage of embeddings that LiteLLM has cached one by one is not the
    provider's: each has an equal share of the tokens it was counted with, or an estimate. Usage by modality always is
    the provider's: Gemini counts all modalities except text, and Cohere nearly always counts.
    """
    hidden = _hidden(result)
    if _cache_hit(hidden) and "cache_key" not in hidden:
        return None
    usage = read_usage(result)
    if usage is None:
        return None
    if (
        not provider_named(keyword(hidden.get("custom_llm_provider")) or "").counts_embeddings
        and usage.input_text is None
        and usage.input_image is None
    ):
        return None
    return replace(usage, output=None)


def read_cost(result: Any) -> Cost | None:
    """LiteLLM's price of a complete response, which includes custom prices, discounts and tiers."""
    return litellm_cost(_hidden(result).get("response_cost"))


def no_price(_result: Any, _logging: Any) -> Cost | None:
    """No price is calculated for results that LiteLLM has not priced."""
    return None


def read_unit_cost(result: Any) -> Cost | None:
    """LiteLLM's price of a result that is billed by the image or by the second."""
    cost = read_cost(result)
    return None if cost is None else replace(cost, per_unit=True)


# --- operations around calls, whose responses are recorded with the calls ---------------------------------------


def no_response(_result: Any) -> Response:
    return Response()


def no_usage(_result: Any) -> Usage | None:
    return None


def no_cost(_result: Any) -> Cost | None:
    return None
