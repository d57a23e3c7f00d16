"""ApiFormat: the readers of an API format, for its requests, responses and chunks, and what several of them share.

`ApiFormat` is at the end of the file, after the readers that are its defaults. A new API format is a file in this
package with the format's readers and an `ApiFormat` at its end, and a row in `readers.API_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentops_otel_litellm.call import Cost, Request, Response, Routing, Target, Usage
from agentops_otel_litellm.readers.parameters import no_routing, no_target, read_routing, read_target, route_routing
from agentops_otel_litellm.readers.streams import Chunks
from agentops_otel_litellm.readers.usage_and_cost import litellm_cost, read_counted, read_stream_cost, read_usage
from agentops_otel_litellm.readers.values import (
    COLLECTIONS,
    Parameters,
    Rows,
    characters,
    elements,
    field,
    fields_of,
    identifier,
    integer,
    is_collection,
    keyword,
    model_name,
    number,
    text,
    texts,
)
from agentops_otel_litellm.records import Content, Document, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReaders:
    """The readers of an operation's message content. They run only if the user has enabled content."""

    request: Callable[[Parameters], Content]
    """Parameters → content of the request."""
    response: Callable[[Any], tuple[Message, ...] | None] | None = None
    """Response → its messages. (The messages of a stream are accumulated by `ApiFormat.chunks`.)"""
    documents: Callable[[Any], tuple[Document, ...] | None] | None = None
    """Response of a search → its documents."""


# --- requests -------------------------------------------------------------------------------------------------


_REASONING_LEVELS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max", "default"})
_TOOL_CHOICES = frozenset({"auto", "none", "required", "any"})
_PART_MODALITIES = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "input_image": "image",
    "input_file": "file",
    "image_url": "image",
    "image": "image",
    "input_audio": "audio",
    "file": "file",
    "document": "file",
    "video_url": "video",
}
_ROLE_COUNTS = {role: f"{role}_count" for role in ("system", "developer", "user", "assistant", "tool", "function")}
_OUTPUT_TYPES = {"json_object": "json", "json_schema": "json", "text": "text"}


def streamed(parameters: Parameters) -> bool:
    return parameters.get("stream") is True


def default_request(parameters: Parameters) -> Request:
    return Request(model=model_name(parameters.get("model")), stream=streamed(parameters) or None)


def conversation_fields(messages: Iterable[Any] | None, parameter: Any = None) -> dict[str, Any]:
    """The fields of a `Request` that describe its messages: their number by role, their length and their modalities.

    `parameter` is the object that the application passed, from which `messages` were read. If it is an iterator, its
    messages could not be read, and the result is empty.
    """
    if parameter is not None and not isinstance(parameter, COLLECTIONS):
        return {}
    contents: list[Any] = []
    role_counts: dict[str, Any] = {}
    for each in messages or ():
        message = each if type(each) is dict else fields_of(each)
        contents.append(message.get("content"))
        role = message.get("role")
        if isinstance(role, str) and role in _ROLE_COUNTS:
            name = _ROLE_COUNTS[role]
            role_counts[name] = role_counts.get(name, 0) + 1
    length, modalities = measure(contents)
    return {"messages_count": len(contents), "content_length": length, "modalities": modalities, **role_counts}


def measure(contents: Iterable[Any]) -> tuple[int | None, tuple[str, ...] | None]:
    """Measure the contents of messages: the number of characters of text, and the modalities of all parts, sorted.

    The number is `None` if one of the contents cannot be read. Only the lengths of texts are read, so the time depends
    on the number of messages, not on their length.
    """
    length, is_known = 0, True
    kinds: set[str] = set()
    for content in contents:
        if isinstance(content, str):
            length += len(content)
            kinds.add("text")
        elif isinstance(content, COLLECTIONS):
            for part in content:
                kind = _PART_MODALITIES.get(text(field(part, "type")) or "")
                if kind is not None:
                    kinds.add(kind)
                if kind == "text":
                    length += characters(field(part, "text"))
        elif content is not None and not isinstance(content, dict):
            is_known = False  # for instance an iterator
    return length if is_known else None, tuple(sorted(kinds)) or None


def tool_choice(value: Any) -> str | None:
    """A known keyword, or `function` if the request names a function or a tool, whose name is not read."""
    if isinstance(value, str):
        return value if value in _TOOL_CHOICES else None
    return "function" if isinstance(value, dict) else None


def reasoning_level(value: Any) -> str | None:
    return value if isinstance(value, str) and value in _REASONING_LEVELS else None


def output_type(value: Any) -> str | None:
    """The output type. It is JSON if `response_format` is a pydantic model."""
    return "json" if isinstance(value, type) else _OUTPUT_TYPES.get(text(field(value, "type")) or "")


SAMPLING: Rows = {
    "max_tokens": ("max_tokens", integer),
    "max_completion_tokens": ("max_tokens", integer),
    "temperature": ("temperature", number),
    "top_p": ("top_p", number),
    "top_k": ("top_k", integer),
    "frequency_penalty": ("frequency_penalty", number),
    "presence_penalty": ("presence_penalty", number),
    "n": ("choice_count", integer),
    "seed": ("seed", integer),
    "stop": ("stop_sequences", texts),
    "service_tier": ("service_tier", keyword),
}
"""Parameters of chats and text completions."""


# --- responses ------------------------------------------------------------------------------------------------


def hidden_params(result: Any) -> Mapping[str, Any]:
    """LiteLLM's `_hidden_params` of a response: its price, whether it is from the cache, and more."""
    # From the model's dict, because reading a private attribute of a pydantic model takes 2 µs.
    private = getattr(result, "__pydantic_private__", None)
    hidden = private.get("_hidden_params") if private else getattr(result, "_hidden_params", None)
    return hidden if type(hidden) is dict else fields_of(hidden)


def cache_hit(result: Any) -> bool | None:
    """`True` if the response is from LiteLLM's cache, otherwise `None`."""
    return True if hidden_params(result).get("cache_hit") is True else None


def response_model(response: Mapping[str, Any], hidden: Mapping[str, Any]) -> str | None:
    """The provider's name of the model. For some providers LiteLLM adds its name of the provider as a prefix.

    It adds none for OpenAI, whose name is a part of model names of other providers (`openai/gpt-oss-20b`).
    """
    stated = hidden.get("provider_response_model")
    name = (None if stated is None else model_name(stated)) or model_name(response.get("model"))
    prefix, _, rest = (name or "").partition("/")
    return rest if rest and prefix == hidden.get("custom_llm_provider") != "openai" else name


def default_response(result: Any) -> Response:
    response = fields_of(result)
    return Response(
        id=identifier(response.get("id")),
        model=model_name(response.get("model")),
        cache_hit=cache_hit(result),
    )


def read_cost(result: Any) -> Cost | None:
    """LiteLLM's price of a complete response, which includes custom prices, discounts and tiers."""
    return litellm_cost(hidden_params(result).get("response_cost"))


def no_price(_result: Any, _logging: Any) -> Cost | None:
    """No price is calculated for results that LiteLLM has not priced."""
    return None


def read_unit_cost(result: Any) -> Cost | None:
    """LiteLLM's price of a result that is billed by the image or by the second."""
    cost = read_cost(result)
    return None if cost is None else replace(cost, per_unit=True)


# --- the API formats of operations whose calls have spans of their own ----------------------------------------


def no_request(_parameters: Parameters) -> Request:
    """An empty request: the calls that the operation makes record their own requests."""
    return Request()


def no_response(_result: Any) -> Response:
    return Response()


def no_usage(_result: Any) -> Usage | None:
    return None


def no_cost(_result: Any) -> Cost | None:
    return None


def batch_request(parameters: Parameters) -> Request:
    """Read the request of several calls of one model, or of one call of several models."""
    parameter = parameters.get("messages")
    conversations = elements(parameter)
    if parameter is not None and not is_collection(parameter):
        inputs_count = None
    elif conversations and is_collection(next(iter(conversations))):
        inputs_count = len(conversations)
    else:
        inputs_count = 1
    return Request(model=model_name(parameters.get("model")), inputs_count=inputs_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFormat:
    """The readers of the operations with one API format."""

    target: Callable[[Parameters, Any], Target] = read_target
    """Parameters, LiteLLM's logging object → target. `routing` has the same arguments."""
    routing: Callable[[Parameters, Any], Routing] = read_routing
    request: Callable[[Parameters], Request]
    response: Callable[[Any], Response]
    usage: Callable[[Any], Usage | None] = read_usage
    counted: Callable[[Usage, Any], Usage | None] = read_counted
    """Usage as LiteLLM reports it, LiteLLM's logging object → the part that the provider has counted."""
    cost: Callable[[Any], Cost | None] = read_cost
    chunks: type[Chunks] = Chunks
    """LiteLLM's stream, whether content is captured → the accumulator of the stream's chunks."""
    stream_cost: Callable[[Any], Cost | None] = read_stream_cost
    """LiteLLM's logging object → the cost of a stream that was read to its end."""
    price: Callable[[Any, Any], Cost | None] = no_price
    """Response or chunks, LiteLLM's logging object → the cost, if LiteLLM has no price, or 0, for counted tokens."""
    content: ContentReaders | None = None
    """The readers of message content, if there is any."""

    @property
    def counts_tokens(self) -> bool:
        """Whether the result may have usage."""
        return self.usage is not no_usage


DEFAULT = ApiFormat(request=default_request, response=default_response)
ROUTE = ApiFormat(
    target=no_target,
    routing=route_routing,
    request=no_request,
    response=no_response,
    usage=no_usage,
    cost=no_cost,
    stream_cost=no_cost,
)
"""A routed call of the Router. The calls of the deployments have their own spans."""
BATCH = replace(ROUTE, target=read_target, routing=no_routing, request=batch_request)
"""Several calls of one model, or of several models. Each call has its own span."""
