"""Moderation, decisions, interactions, agents, sandboxes, token counts and stored responses: API formats of a few
fields each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Target, Usage
from agentops_otel_litellm.readers.api_format import (
    ApiFormat,
    ContentReaders,
    conversation_fields,
    default_request,
    default_response,
    measure,
    no_cost,
    no_usage,
)
from agentops_otel_litellm.readers.jobs import job_request, job_response
from agentops_otel_litellm.readers.parameters import read_target
from agentops_otel_litellm.readers.parts import content_part, user_messages
from agentops_otel_litellm.readers.responses import RESPONSE_FIELDS, response_content, responses_response
from agentops_otel_litellm.readers.streams import EventChunks
from agentops_otel_litellm.readers.usage_and_cost import read_usage
from agentops_otel_litellm.readers.values import (
    Parameters,
    boolean,
    count,
    elements,
    field,
    fields_of,
    has_value,
    identifier,
    is_collection,
    keyword,
    length,
    model_name,
    read_fields,
    read_items,
    rows_for,
    tokens,
)
from agentops_otel_litellm.records import Content, Message, Part

# --- moderation: OpenAI's `OpenAIModerationResponse` ----------------------------------------------------------


def moderation_target(parameters: Parameters, logging: Any) -> Target:
    """Read the target. Without a provider, it is OpenAI, because LiteLLM sends all moderations with OpenAI's client."""
    target = read_target(parameters, logging)
    return target if target.provider is not None else replace(target, provider="openai")


def moderation_request(parameters: Parameters) -> Request:
    """Read a request. Its input is a text, a list of texts, or a list of parts (with a type), which are one input."""
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
    """The flagged categories of one input, such as `self_harm_intent`. A name may occur twice, because LiteLLM may list
    the same category as `self-harm/intent` as well.
    """
    categories = fields_of(judged.get("categories"))
    names = [
        keyword(str(name).replace("-", "_").replace("/", "_"))
        for name, flagged in categories.items()
        if flagged is True
    ]
    return [name for name in names if name is not None]


def _moderation_content(parameters: Parameters) -> Content:
    """Read the input. Each text becomes a message; a list of parts becomes a single message."""
    value = parameters.get("input")
    inputs = elements(value) if is_collection(value) else (value,)
    if inputs and all(field(each, "type") is not None for each in inputs):
        return Content(input=(Message(role="user", parts=read_items(Part, content_part, inputs)),))
    return Content(input=user_messages(inputs))


MODERATION = ApiFormat(
    target=moderation_target,
    request=moderation_request,
    response=moderation_response,
    usage=no_usage,
    content=ContentReaders(request=_moderation_content),
)


# --- decisions: questions about a text, with probabilities as answers; OpenAI's and System One's API formats --


_MEDIA = (("images", "image"), ("assets", "image"), ("audio", "audio"), ("videos", "video"))
_DECISION_CACHE = rows_for(
    Usage,
    {
        "cached_tokens": ("cache_read", tokens),
        "cache_write_tokens": ("cache_write", tokens),
    },
)


def decisions_request(parameters: Parameters) -> Request:
    """Read a request. The text is OpenAI's parameter `input` or System One's `state`."""
    length, kinds = _measured_input(
        parameters.get("input") if has_value(parameters.get("input")) else parameters.get("state")
    )
    kinds |= {kind for name, kind in _MEDIA if has_value(parameters.get(name))}
    return Request(
        model=model_name(parameters.get("model")),
        content_length=length,
        modalities=tuple(sorted(kinds)) or None,
        images_count=count(parameters.get("images")),
        questions_count=_entries_count(parameters.get("questions")),
    )


def _measured_input(text_or_messages: Any) -> tuple[int | None, set[str]]:
    """The number of characters, and the modalities. The number is `None` if the input is neither a text nor messages,
    but JSON.
    """
    if isinstance(text_or_messages, str):
        return len(text_or_messages), {"text"}
    if not is_collection(text_or_messages):
        return None, set()
    contents: Sequence[Any] = [field(message, "content") for message in text_or_messages]
    if any(content is None for content in contents):
        return None, set()
    length, kinds = measure(contents)
    return length, set(kinds or ())


def _entries_count(value: Any) -> int | None:
    """The number of questions or answers: a list in OpenAI's format, an object in System One's."""
    return len(value) if isinstance(value, dict) else count(value)


def decisions_response(result: Any) -> Response:
    return replace(default_response(result), results_count=_entries_count(field(result, "answers")))


def decisions_usage(result: Any) -> Usage | None:
    """Read the usage. Counts of 0 are omitted, except input and output, because LiteLLM sets 0 for missing counts."""
    usage = read_usage(result)
    if usage is None:
        return None
    # System One reports cached tokens in `usage` itself, not in its `prompt_tokens_details`.
    counts = {**vars(usage), **read_fields(fields_of(field(result, "usage")), _DECISION_CACHE)}
    return Usage(**{name: count for name, count in counts.items() if count or name in {"input", "output"}})


DECISIONS = ApiFormat(request=decisions_request, response=decisions_response, usage=decisions_usage)


# --- Google's Interactions API: stored interactions with a model or an agent, and the agents themselves -------


_DELETION = rows_for(Response, {"success": ("deleted", boolean)})
_AGENTS = rows_for(
    Response,
    {
        "agents": ("results_count", count),
        "agent_versions": ("results_count", count),
        "next_page_token": ("has_more", lambda token: True if token else None),
    },
)
_INTERACTION_COUNTS = rows_for(
    Usage,
    {
        "total_input_tokens": ("input", tokens),
        "total_output_tokens": ("output", tokens),
        "total_tokens": ("total", tokens),
        "total_cached_tokens": ("cache_read", tokens),
        "total_reasoning_tokens": ("reasoning", tokens),
    },
)


def interaction_request(parameters: Parameters) -> Request:
    """Read the request of an interaction with a model or an agent."""
    value = parameters.get("input")
    return Request(
        model=model_name(parameters.get("model")),
        stream=parameters.get("stream") is True,
        content_length=len(value) if isinstance(value, str) else None,
        tools_count=count(parameters.get("tools")),
        agent_id=identifier(parameters.get("agent")),
    )


def interaction_usage(result: Any) -> Usage | None:
    """Read the usage; `None` if it has only zeros, which LiteLLM sets if the provider counted no tokens."""
    counts = read_fields(fields_of(field(result, "usage")), _INTERACTION_COUNTS)
    return Usage(**counts) if counts.get("input") or counts.get("output") else None


class InteractionChunks(EventChunks):
    """Accumulates the events of a stream: the length of the text, and the latest state of the interaction."""

    __slots__ = ("_interaction", "_length")

    def __init__(self, stream: Any, *, captures_content: bool = False) -> None:
        super().__init__(stream, captures_content=captures_content)
        self._interaction: Any = None
        self._length = 0

    def _count(self, event: Mapping[str, Any], received_at: float) -> None:
        fragment = field(event.get("delta"), "text")
        if isinstance(fragment, str) and fragment:
            self._length += len(fragment)
            if self.first_token is None:
                self.first_token = received_at
        self._interaction = event.get("interaction") or self._interaction

    def response(self) -> Response:
        return replace(job_response(self._interaction), content_length=self._length)

    def usage(self) -> Usage | None:
        return interaction_usage(self._interaction)


def interaction_deleted(result: Any) -> Response:
    return replace(job_response(result), **read_fields(fields_of(result), _DELETION))


def agent_target(parameters: Parameters, logging: Any) -> Target:
    """Read the target without its model, because LiteLLM sets the agent's name as the model."""
    return replace(read_target(parameters, logging), model=None)


def agent_request(parameters: Parameters) -> Request:
    return Request(agent_id=identifier(parameters.get("name")))


def agent_response(result: Any) -> Response:
    return replace(job_response(result), **read_fields(fields_of(result), _AGENTS))


INTERACTION = ApiFormat(
    request=interaction_request, response=job_response, usage=interaction_usage, chunks=InteractionChunks
)
DELETED_INTERACTION = ApiFormat(request=job_request, response=interaction_deleted, usage=no_usage, cost=no_cost)
AGENT = ApiFormat(target=agent_target, request=agent_request, response=agent_response, usage=no_usage, cost=no_cost)


# --- sandboxes, which run code that a model wrote; only the lengths of code and output are read ---------------


_SANDBOX_REQUEST = rows_for(
    Request,
    {
        "code": ("content_length", length),
        "container": ("resource_id", lambda container: identifier(field(container, "id") or container)),
    },
)
_SANDBOX_RESPONSE = rows_for(
    Response,
    {
        "id": ("id", identifier),
        "stdout": ("content_length", length),
        "stderr": ("error_length", length),
        "results": ("results_count", count),
    },
)


def sandbox_target(parameters: Parameters, logging: Any) -> Target:
    """Read the target without its model, because LiteLLM sets the name of the operation as the model."""
    target = read_target(parameters, logging)
    return replace(target, provider=target.provider or keyword(parameters.get("provider")), model=None)


def sandbox_request(parameters: Parameters) -> Request:
    return Request(**read_fields(parameters, _SANDBOX_REQUEST))


def sandbox_response(result: Any) -> Response:
    """Read a sandbox, or, for a deletion, whether it was deleted."""
    if isinstance(result, bool):
        return Response(deleted=result)
    return Response(**read_fields(fields_of(result), _SANDBOX_RESPONSE))


def code_response(result: Any) -> Response:
    """Read the result of the code. There is no exit code: the code has failed if the result has an `error`."""
    response = fields_of(result)
    return Response(
        code_failed=response["error"] is not None if "error" in response else None,
        **read_fields(response, _SANDBOX_RESPONSE),
    )


SANDBOX = ApiFormat(
    target=sandbox_target, request=sandbox_request, response=sandbox_response, usage=no_usage, cost=no_cost
)
CODE = replace(SANDBOX, response=code_response)


# --- counting the tokens of a request before it is sent; no model processes the tokens, so they are no usage --


def counting_request(parameters: Parameters) -> Request:
    """Read a request to count tokens. The parameter `system` is counted as a message, as in a chat."""
    input_messages, system = parameters.get("messages"), parameters.get("system")
    messages: list[Mapping[str, Any]] = [{"role": "system", "content": system}] if has_value(system) else []
    messages += map(fields_of, elements(input_messages))
    return Request(
        model=model_name(parameters.get("model")),
        tools_count=count(parameters.get("tools")),
        **(conversation_fields(messages, input_messages) if messages else {}),
    )


def counting_response(result: Any) -> Response:
    """Read the count. The name of the tokenizer shows whether the provider has counted, or LiteLLM."""
    response = fields_of(result)
    return Response(
        model=model_name(response.get("model_used")),
        tokens_counted=tokens(response.get("total_tokens")),
        tokenizer=keyword(response.get("tokenizer_type")),
    )


TOKEN_COUNT = ApiFormat(request=counting_request, response=counting_response, usage=no_usage, cost=no_cost)


# --- responses that the provider has stored -------------------------------------------------------------------


_STORED = rows_for(Request, {"response_id": ("response_id", identifier)})
_STORED_RESULT = rows_for(
    Response,
    {
        **RESPONSE_FIELDS,
        "data": ("results_count", count),
        "has_more": ("has_more", boolean),
        "deleted": ("deleted", boolean),
    },
)


def stored_request(parameters: Parameters) -> Request:
    """Read a request to get, cancel or delete a response that the provider has stored, or to list its input items."""
    return Request(**read_fields(parameters, _STORED))


def stored_response(result: Any) -> Response:
    """Read the result for a stored response: that response, a list of its input items, or whether it was deleted."""
    known = fields_of(result)
    return responses_response(result) if "output" in known else Response(**read_fields(known, _STORED_RESULT))


STORED_RESPONSE = ApiFormat(
    request=stored_request,
    response=stored_response,
    usage=no_usage,
    cost=no_cost,
    content=ContentReaders(request=lambda _parameters: Content(), response=response_content),
)
"""An operation on a stored response. Its usage and cost were recorded by the call that created the response."""
