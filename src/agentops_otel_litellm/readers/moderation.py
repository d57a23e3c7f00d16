"""Moderation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Target
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.inputs import MODERATION_CONTENT
from agentops_otel_litellm.readers.requests import default_request, measure
from agentops_otel_litellm.readers.responses import default_response, no_usage
from agentops_otel_litellm.readers.target import read_target
from agentops_otel_litellm.readers.values import elements, field, fields_of, is_collection, keyword

Parameters = Mapping[str, Any]


def moderation_target(parameters: Parameters, logging: Any) -> Target:
    """The target. The default provider is OpenAI, because LiteLLM sends all moderations with OpenAI's client."""
    target = read_target(parameters, logging)
    return target if target.provider is not None else replace(target, provider="openai")


def moderation_request(parameters: Parameters) -> Request:
    """Read a request: a text, several texts, or the parts of a single input with images."""
    request, parameter = default_request(parameters), parameters.get("input")
    if parameter is None:
        return request
    if not isinstance(parameter, str | dict) and not is_collection(parameter):
        return request
    inputs = list(elements(parameter)) if is_collection(parameter) else [parameter]
    if inputs and all(field(each, "type") is not None for each in inputs):
        inputs = [inputs]
    length, modalities = measure(inputs)
    return replace(request, inputs_count=len(inputs), content_length=length, modalities=modalities)


def moderation_response(result: Any) -> Response:
    """Read the number of moderated inputs, and the categories for which any of them was flagged."""
    response = default_response(result)
    results = field(result, "results")
    if not is_collection(results):
        return response
    judged = [fields_of(each) for each in results]
    return replace(
        response,
        results_count=len(judged),
        flagged=any(each.get("flagged") is True for each in judged),
        flagged_categories=tuple(sorted({name for each in judged for name in _flagged(each)})) or None,
    )


def _flagged(judged: Mapping[str, Any]) -> list[str]:
    """The flagged categories, with underscores: LiteLLM may list both `self-harm/intent` and `self_harm_intent`."""
    categories = fields_of(judged.get("categories"))
    names = [
        keyword(str(name).replace("-", "_").replace("/", "_"))
        for name, flagged in categories.items()
        if flagged is True
    ]
    return [name for name in names if name is not None]


MODERATION = ApiFormat(
    target=moderation_target,
    request=moderation_request,
    response=moderation_response,
    usage=no_usage,
    content=MODERATION_CONTENT,
)
