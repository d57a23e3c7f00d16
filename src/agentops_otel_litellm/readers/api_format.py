"""`ApiFormat`: the readers of one API format's requests, responses and chunks. Also readers that several formats share.

`ApiFormat` is at the end of the file, after the functions that are its default readers. To add an API format, add a
file to this package with the format's readers and an `ApiFormat` at its end, and add a row to `readers.API_FORMATS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentops_otel_litellm.call import Cost, Estimate, Request, Response, Routing, Target, Usage
from agentops_otel_litellm.readers.parameters import read_routing, read_target
from agentops_otel_litellm.readers.streams import Chunks, with_usage
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
    tokens,
)
from agentops_otel_litellm.records import Content, Document, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReaders:
    """The readers of an operation's message content. They run only if the user has enabled content."""

    request: Callable[[Parameters], Content]
    """Parameters of LiteLLM's function → content of the request."""
    response: Callable[[Any], tuple[Message, ...] | None] | None = None
    """Complete response → its messages. (`ApiFormat.chunks` assembles the messages of a stream.)"""
    documents: Callable[[Any], tuple[Document, ...] | None] | None = None
    """Response of a search or a reranking → the documents found."""


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
    """Whether the application requests a stream."""
    return parameters.get("stream") is True


def default_request(parameters: Parameters) -> Request:
    """Read only the model, and whether the application requests a stream."""
    return Request(model=model_name(parameters.get("model")), stream=streamed(parameters) or None)


def conversation_fields(messages: Iterable[Any] | None, parameter: Any = None) -> dict[str, Any]:
    """Return the fields of a `Request` that describe its messages: their number, their number by role, the total length
    of their text, and their modalities.

    `parameter` is the object that the application passed, from which the caller has read `messages`. The result is
    empty if that object is not a collection.
    """
    if parameter is not None and not isinstance(parameter, COLLECTIONS):
        return {}  # for instance an iterator, whose messages only LiteLLM may read
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

    A content is a text or a collection of parts. The number of characters is `None` if the length of any content is
    unknown; the modalities are `None` if there are none. Only the lengths of texts are read, so the time depends on the
    number of messages and parts, not on their length.
    """
    length, is_known = 0, True
    modalities: set[str] = set()
    for content in contents:
        if isinstance(content, str):
            length += len(content)
            modalities.add("text")
        elif isinstance(content, COLLECTIONS):
            for part in content:
                modality = _PART_MODALITIES.get(text(field(part, "type")) or "")
                if modality is not None:
                    modalities.add(modality)
                if modality == "text":
                    length += characters(field(part, "text"))
        # A dict, such as the JSON output of a tool, is neither text nor a list of parts, so it adds no characters. Any
        # other object, such as an iterator, may contain text that only LiteLLM may read, so the length is unknown.
        elif content is not None and not isinstance(content, dict):
            is_known = False
    return length if is_known else None, tuple(sorted(modalities)) or None


def tool_choice(value: Any) -> str | None:
    """The keyword of a tool choice, such as `auto`, or `function` if the request names one tool. The name is not read.

    `None` for a keyword that is not in `_TOOL_CHOICES`.
    """
    if isinstance(value, str):
        return value if value in _TOOL_CHOICES else None
    return "function" if isinstance(value, dict) else None


def reasoning_level(value: Any) -> str | None:
    """The requested level of reasoning; `None` for a value that is not in `_REASONING_LEVELS`."""
    return value if isinstance(value, str) and value in _REASONING_LEVELS else None


def output_type(value: Any) -> str | None:
    """The output type, `json` or `text`, that a `response_format` requests. A class is a pydantic model: JSON."""
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
"""Parameter → field of a `Request`, and its reader, for chats and text completions."""


# --- responses ------------------------------------------------------------------------------------------------


def hidden_params(result: Any) -> Mapping[str, Any]:
    """LiteLLM's `_hidden_params` of a response: its price, whether it is from the cache, and more; empty if missing."""
    # Pydantic keeps private attributes in this dict. Reading one as an attribute takes 2 µs.
    private = getattr(result, "__pydantic_private__", None)
    hidden = private.get("_hidden_params") if private else getattr(result, "_hidden_params", None)
    return hidden if type(hidden) is dict else fields_of(hidden)


def cache_hit(result: Any) -> bool | None:
    """`True` if the response is from LiteLLM's cache, otherwise `None`."""
    return True if hidden_params(result).get("cache_hit") is True else None


def response_model(response: Mapping[str, Any], hidden: Mapping[str, Any]) -> str | None:
    """The model's name as the provider sent it, without the prefix that LiteLLM adds for some providers."""
    stated = hidden.get("provider_response_model")
    name = (None if stated is None else model_name(stated)) or model_name(response.get("model"))
    prefix, _, rest = (name or "").partition("/")
    # The prefix is LiteLLM's name of the provider. LiteLLM never adds `openai/`: there it is a part of the model's
    # name, such as `openai/gpt-oss-20b`.
    return rest if rest and prefix == hidden.get("custom_llm_provider") != "openai" else name


def default_response(result: Any) -> Response:
    """Read only the id and the model, and whether the response is from LiteLLM's cache."""
    response = fields_of(result)
    return Response(
        id=identifier(response.get("id")),
        model=model_name(response.get("model")),
        cache_hit=cache_hit(result),
    )


def read_cost(result: Any) -> Cost | None:
    """The cost of a complete response, as LiteLLM calculated it with custom prices, discounts and tiers."""
    return litellm_cost(hidden_params(result).get("response_cost"))


def no_price(_result: Any, _logging: Any) -> Cost | None:
    """Return no cost. This is for API formats whose cost is only read from LiteLLM, and never calculated here."""
    return None


def read_unit_cost(result: Any) -> Cost | None:
    """The cost, as LiteLLM calculated it, of a result that is billed by a unit other than tokens, such as the image."""
    cost = read_cost(result)
    return None if cost is None else replace(cost, per_unit=True)


def reported_usage(stream: Any) -> Usage | None:
    """Read the usage from the provider's chunks, which LiteLLM keeps in the attribute `chunks` of a chat stream.

    LiteLLM also creates a last chunk for the application. It is not in `chunks`, and is not read, because it may have
    LiteLLM's estimate instead of the provider's usage.
    """
    reported: list[Usage] = []
    for chunk in with_usage(elements(getattr(stream, "chunks", None))):
        usage = read_usage(chunk)
        if usage is not None:
            reported.append(usage)
    return _merged(reported) if len(reported) > 1 else reported[0] if reported else None


def _merged(reported: Sequence[Usage]) -> Usage:
    """Merge the usage of several chunks. A later count replaces an earlier one, unless it is 0: some providers report
    the input in the first chunk and the output in the last.
    """
    counts: dict[str, int] = {}
    for usage in reported:
        for name, value in vars(usage).items():
            if value or name not in counts:
                counts[name] = value
    if {"input", "output"} <= counts.keys():
        counts["total"] = counts["input"] + counts["output"]  # each chunk's total is the sum of its own counts only
    return Usage(**counts)


_DOWNLOADED_TOKENIZERS = ("llama", "command-r")
"""Parts of the names of models whose tokenizers LiteLLM downloads. OpenAI's tokenizer is used for them instead."""


def estimate_chat(parameters: Parameters, result: Any, model: str | None) -> Estimate | None:
    """Estimate the tokens of a chat or text completion with LiteLLM's tokenizer. Images have a fixed number of tokens,
    so that they are not downloaded.

    `result` is the response, or the accumulator of a stream, of which the received part is counted. `None` for other
    API formats, and if the request is an iterator, which only LiteLLM may read.
    """
    messages, prompt = parameters.get("messages"), parameters.get("prompt")
    texts = [prompt] if isinstance(prompt, str) else None
    if isinstance(messages, list) or texts:
        output = _generated_text(result)
        if output is not None:
            count = sys.modules["litellm"].token_counter
            name = "" if model is None or any(part in model for part in _DOWNLOADED_TOKENIZERS) else model
            arguments = {"text": texts[0]} if texts else {"messages": messages, "use_default_image_token_count": True}
            return Estimate(
                input=tokens(count(model=name, **arguments)),
                output=tokens(count(model=name, text=output, count_response_tokens=True)) if output else 0,
            )
    return None


def _generated_text(result: Any) -> str | None:
    """The text and the arguments of tool calls in all choices of a response, or of a stream's chunks; `None` if the
    result is not that of a chat or text completion.
    """
    chunks = result.provider_chunks if isinstance(result, Chunks) else [result]
    if chunks is None or not all("choices" in fields_of(chunk) for chunk in chunks):
        return None
    pieces: list[str] = []
    for choice in (fields_of(choice) for chunk in chunks for choice in elements(field(chunk, "choices"))):
        message = fields_of(choice.get("delta") or choice.get("message"))
        calls = [field(call, "function") for call in elements(message.get("tool_calls"))]
        found = [message.get("reasoning_content"), message.get("content"), choice.get("text")]
        pieces += [piece for piece in (*found, *(field(call, "arguments") for call in calls)) if isinstance(piece, str)]
    return "".join(pieces)


# --- operations that consist of several calls, each with its own span -----------------------------------------


def no_target(_parameters: Parameters, _logging: Any) -> Target:
    """Return an empty target, for an operation that may call several models."""
    return Target()


def no_routing(_parameters: Parameters, _logging: Any) -> Routing:
    """Return an empty routing, for an operation that makes several calls, each of which has its own routing."""
    return Routing()


def route_routing(parameters: Parameters, _logging: Any) -> Routing:
    """Read the routing of a request to the Router. Its parameter `model` is the name of a model group."""
    return Routing(model_group=model_name(parameters.get("model")))


def no_request(_parameters: Parameters) -> Request:
    """Return an empty request, because each call of the operation records its request on its own span."""
    return Request()


def no_response(_result: Any) -> Response:
    return Response()


def no_usage(_result: Any) -> Usage | None:
    return None


def no_cost(_result: Any) -> Cost | None:
    return None


def batch_request(parameters: Parameters) -> Request:
    """Read the request of a batch, which is several conversations for one model, or one conversation for several
    models.

    `inputs_count` is the number of conversations; `None` if `messages` is not a collection.
    """
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
    """The readers of the operations with one API format. `Parameters` are those of LiteLLM's function, by name."""

    target: Callable[[Parameters, Any], Target] = read_target
    """Parameters, LiteLLM's logging object → target."""
    routing: Callable[[Parameters, Any], Routing] = read_routing
    """Parameters, LiteLLM's logging object → routing."""
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
    """Complete response or accumulated chunks, LiteLLM's logging object → the cost. It is called if the provider has
    counted tokens, but LiteLLM has not calculated a cost, or has calculated 0.
    """
    content: ContentReaders | None = None
    """The readers of message content; `None` if the API format has none."""

    @property
    def counts_tokens(self) -> bool:
        """Whether results of this API format can have usage."""
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
"""A request to the Router. The calls of the deployments to which the Router sends it have their own spans."""
BATCH = replace(ROUTE, target=read_target, routing=no_routing, request=batch_request)
"""A batch of chats with one model, or of one chat with several models. Each chat has its own span."""
