"""Counts of tokens before a request. They are not usage, because no model has processed the tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.call import Request, Response
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.requests import Parameters, conversation_fields
from agentops_otel_litellm.readers.responses import no_cost, no_usage
from agentops_otel_litellm.readers.values import count, elements, fields_of, has_value, keyword, model_name, tokens


def counting_request(parameters: Parameters) -> Request:
    """Read a request to count tokens. The system prompt counts as a system message, as in a chat."""
    input_messages, system = parameters.get("messages"), parameters.get("system")
    messages: list[Mapping[str, Any]] = [{"role": "system", "content": system}] if has_value(system) else []
    messages += map(fields_of, elements(input_messages))
    return Request(
        model=model_name(parameters.get("model")),
        tools_count=count(parameters.get("tools")),
        **(conversation_fields(messages, input_messages) if messages else {}),
    )


def counting_response(result: Any) -> Response:
    """Read the count. If the provider does not count, LiteLLM does; only the tokenizer's name shows that."""
    response = fields_of(result)
    return Response(
        model=model_name(response.get("model_used")),
        tokens_counted=tokens(response.get("total_tokens")),
        tokenizer=keyword(response.get("tokenizer_type")),
    )


TOKEN_COUNT = ApiFormat(request=counting_request, response=counting_response, usage=no_usage, cost=no_cost)
