"""Google's generateContent. Its messages are called `contents`, and consist of parts.

Names may be in camel case or in snake case, and a single value may replace a list. LiteLLM returns Google's own
response. For other providers, it sends a chat, and translates the response to this format. Format:
https://ai.google.dev/api/generate-content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from agentops_otel_litellm.call import Cost, Failure, Request, Response, Usage
from agentops_otel_litellm.readers.api_format import (
    ApiFormat,
    ContentReaders,
    cache_hit,
    conversation_fields,
    reasoning_level,
    reported_usage,
)
from agentops_otel_litellm.readers.parts import Draft, blob, media, tool_call, tool_result
from agentops_otel_litellm.readers.streams import EventChunks, ServerSentEvents, copy_attributes, translated_chat
from agentops_otel_litellm.readers.usage_and_cost import price_generated_content
from agentops_otel_litellm.readers.values import (
    Parameters,
    characters,
    each_of,
    elements,
    fields_of,
    has_value,
    identifier,
    index,
    integer,
    is_collection,
    is_iterator,
    keyword,
    model_name,
    number,
    only_tool_results,
    plain,
    read_fields,
    read_items,
    read_messages,
    rows_for,
    text,
    texts,
    tokens,
)
from agentops_otel_litellm.records import Content, Message, Modality, Part, Tool

_ROLES = {"user": "user", "model": "assistant", "function": "tool", "tool": "tool"}
_BESIDE_CONFIG = ("systemInstruction", "system_instruction", "toolConfig", "tool_config", "tools")


def _camel(thing: Any) -> Mapping[str, Any]:
    """The items of a dict, or the fields of a pydantic model, that are not `None`, by their names in camel case."""
    return {_camel_case(name): value for name, value in fields_of(thing).items() if value is not None}


def _camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name) if "_" in name else name


def _generate_config(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameter `config` (or `generationConfig`), and those of its entries that were passed as parameters."""
    config = _camel(
        parameters.get("config") if has_value(parameters.get("config")) else parameters.get("generationConfig")
    )
    return {**config, **_camel({name: parameters[name] for name in _BESIDE_CONFIG if name in parameters})}


# --- request --------------------------------------------------------------------------------------------------


_MEDIA: Mapping[str, Modality] = {"image": "image", "audio": "audio", "video": "video"}
_PART_TYPES = {"image": "image", "audio": "input_audio", "video": "video_url", "document": "file"}
_OUTPUT_TYPES = {"application/json": "json", "text/x.enum": "json", "text/plain": "text"}


def _modality(data: Mapping[str, Any]) -> Modality:
    """The modality by the MIME type: image, audio or video, such as for `image/png`; otherwise document."""
    return _MEDIA.get((text(data.get("mimeType")) or "").partition("/")[0], "document")


_OUTPUT_MODALITIES = {"AUDIO": "speech", "IMAGE": "image"}
_TOOL_CHOICES = frozenset({"auto", "any", "none"})


def _output_modality(modalities: Any) -> str | None:
    """The first of the requested modalities that is not text; `None` if there is none."""
    return next((_OUTPUT_MODALITIES[each] for each in texts(modalities) or () if each in _OUTPUT_MODALITIES), None)


def _thinking_level(config: Any) -> str | None:
    """The level in Google's `thinkingConfig`, such as `HIGH`, as a level of a chat, such as `high`."""
    return reasoning_level((text(_camel(config).get("thinkingLevel")) or "").lower())


_CONFIG = rows_for(
    Request,
    {
        "temperature": ("temperature", number),
        "topP": ("top_p", number),
        "topK": ("top_k", lambda value: integer(int(value)) if number(value) is not None else None),
        "maxOutputTokens": ("max_tokens", integer),
        "candidateCount": ("choice_count", integer),
        "stopSequences": ("stop_sequences", texts),
        "presencePenalty": ("presence_penalty", number),
        "frequencyPenalty": ("frequency_penalty", number),
        "seed": ("seed", integer),
        "responseMimeType": ("output_type", lambda kind: _OUTPUT_TYPES.get(text(kind) or "")),
        "responseModalities": ("output_type", _output_modality),
        "thinkingConfig": ("reasoning_level", _thinking_level),
    },
)


def generate_content_request(parameters: Parameters, *, stream: bool = False) -> Request:
    """Read a request. Its parameters do not show whether it streams; only the name of LiteLLM's function does."""
    config = _generate_config(parameters)
    instruction = config.get("systemInstruction")
    contents = parameters.get("contents")
    messages = [_message(content) for content in each_of(contents)]
    if instruction is not None:
        messages.insert(0, {**_message(instruction), "role": "system"})
    function_calling = _camel(_camel(config.get("toolConfig")).get("functionCallingConfig"))
    mode = (text(function_calling.get("mode")) or "").lower()
    return Request(
        model=model_name(parameters.get("model")),
        stream=stream,
        tools_count=_tools_count(config.get("tools")),
        tool_choice=mode if mode in _TOOL_CHOICES else None,
        **conversation_fields(messages, contents if is_iterator(contents) else None),
        **read_fields(config, _CONFIG),
    )


def _message(content: Any) -> Mapping[str, Any]:
    """Convert one of `contents` to a chat message. It is an object with parts, or a single part, or a text."""
    if isinstance(content, str):
        return {"role": "user", "content": content}
    known = _camel(content)
    parts = known.get("parts", content)
    return {
        "role": _ROLES.get(text(known.get("role")) or "user"),
        "content": parts if is_iterator(parts) else [part for each in each_of(parts) for part in _parts(each)],
    }


def _parts(part: Any) -> Iterator[Mapping[str, Any]]:
    """Convert a part to parts of a chat message: one with its text, and one with the type of its media but no data."""
    if isinstance(part, str):
        yield {"type": "text", "text": part}
        return
    known = _camel(part)
    if "text" in known:
        yield {"type": "text", "text": known["text"]}
    for name in ("inlineData", "fileData"):
        if name in known:
            yield {"type": _PART_TYPES[_modality(_camel(known[name]))]}


def _tools_count(tools: Any) -> int | None:
    """The number of tools: of the functions that the entries of `tools` declare, and of the entries without any."""
    if tools is None or is_iterator(tools):
        return None
    return sum(len(elements(_camel(tool).get("functionDeclarations"))) or 1 for tool in each_of(tools))


# --- response -------------------------------------------------------------------------------------------------


_FINISH_REASONS: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
        ),
        "content_filter",
    ),
}
_COUNTS = rows_for(
    Usage,
    {
        "promptTokenCount": ("input", tokens),
        "candidatesTokenCount": ("output", tokens),
        "totalTokenCount": ("total", tokens),
        "cachedContentTokenCount": ("cache_read", tokens),
        "thoughtsTokenCount": ("reasoning", tokens),
    },
)
_MODALITIES = rows_for(
    Usage,
    {
        f"{part}{modality.upper()}": (f"{ours}_{modality}", tokens)
        for part, ours in (("prompt", "input"), ("candidates", "output"))
        for modality in ("text", "image", "audio")
    },
)


def generate_content_response(result: Any) -> Response:
    candidates = _Candidates(_camel)
    candidates.add(_camel(result))
    return Response(**vars(candidates.response()), cache_hit=cache_hit(result))


def generate_content_usage(result: Any) -> Usage | None:
    return _usage(_counted(result))


def _counted(result: Any) -> Mapping[str, Any]:
    """Google's `usageMetadata`, with names in camel case."""
    counted = _camel(_camel(result).get("usageMetadata"))
    return {name: list(map(_camel, value)) if is_collection(value) else value for name, value in counted.items()}


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    """Convert Google's `usageMetadata`; `None` if it has neither input nor output tokens."""
    known = read_fields(counted, _COUNTS)
    if not known.get("input") and not known.get("output"):
        return None
    known["input"] = known.get("input", 0) + (tokens(counted.get("toolUsePromptTokenCount")) or 0)
    # `Usage.output` includes the reasoning. Google's output excludes it, unless input and output make up the total.
    if known.get("reasoning") and known["input"] + known.get("output", 0) != known.get("total"):
        known["output"] = known.get("output", 0) + known["reasoning"]
    for part in ("prompt", "candidates"):
        for detail in map(fields_of, elements(counted.get(f"{part}TokensDetails"))):
            known |= read_fields({f"{part}{text(detail.get('modality'))}": detail.get("tokenCount")}, _MODALITIES)
    return Usage(**known)


class _Candidates:
    """Combines the candidates (choices) of one response, or of all chunks of a stream, into a `Response`.

    `read` returns the fields of an object by their names in camel case.
    """

    __slots__ = ("_id", "_length", "_model", "_read", "_reasons", "_tool_call_count")

    def __init__(self, read: Callable[[Any], Mapping[str, Any]]) -> None:
        self._read = read
        self._id: str | None = None
        self._model: str | None = None
        self._length = 0
        self._tool_call_count = 0
        self._reasons: dict[int, str | None] = {}

    def add(self, response: Mapping[str, Any]) -> bool:
        """Add the candidates of a response or chunk, and return whether they contain output."""
        self._id = identifier(response.get("responseId")) or self._id
        self._model = model_name(response.get("modelVersion")) or self._model
        read, output = self._read, False
        for candidate in map(read, elements(response.get("candidates"))):
            number, reason = index(candidate.get("index")), text(candidate.get("finishReason"))
            if reason is not None or number not in self._reasons:
                self._reasons[number] = None if reason is None else _FINISH_REASONS.get(reason, reason)
            for part in map(read, elements(read(candidate.get("content")).get("parts"))):
                written = part.get("text")
                if written and not part.get("thought"):
                    self._length += characters(written)
                self._tool_call_count += "functionCall" in part
                output = output or bool(written or "functionCall" in part or "inlineData" in part)
        return output

    def response(self) -> Response:
        reasons = tuple(self._reasons[index] for index in sorted(self._reasons))
        return Response(
            id=self._id,
            model=self._model,
            finish_reasons=("tool_calls",) if self._tool_call_count and reasons == ("stop",) else reasons or None,
            choices_count=len(reasons),
            content_length=self._length,
            tool_calls_count=self._tool_call_count,
        )


# --- stream ---------------------------------------------------------------------------------------------------


class GenerateContentChunks(EventChunks):
    """Accumulates a stream. Each chunk has a piece of the candidates' content; the last one has the complete usage."""

    __slots__ = ("_candidates", "_chat", "_events", "counted")

    _reads_content = True

    def __init__(self, stream: Any, *, captures_content: bool = False) -> None:
        super().__init__(stream, captures_content=captures_content)
        self._chat = translated_chat(stream)
        self._events = ServerSentEvents()
        self._candidates = _Candidates(fields_of)  # chunks have names in camel case already
        self.counted: Mapping[str, Any] = {}
        """Google's `usageMetadata` in the latest chunk that has one."""

    def _events_of(self, chunk: Any) -> Iterable[Mapping[str, Any]]:
        return self._events.messages(chunk)

    def _count(self, event: Mapping[str, Any], received_at: float) -> None:
        if self._candidates.add(event) and self.first_token is None:
            self.first_token = received_at
        if "usageMetadata" in event:
            self.counted = fields_of(event["usageMetadata"])
        if "error" in event:
            self.failure = _failure(event["error"])

    def _add_content(self, event: Mapping[str, Any], draft: Draft) -> None:
        """Add the parts of each candidate to its message. Texts come in fragments; a tool call is always complete."""
        for candidate in map(_camel, each_of(_camel(event).get("candidates"))):
            number = index(candidate.get("index"))
            draft.add_choice(number, finish_reason=_content_finish_reason(candidate))
            for part in _content_message(candidate.get("content") or {"parts": ()}).parts:
                if part.type in {"text", "reasoning"}:
                    draft.add_fragment(number, part.type, part.content)
                else:
                    draft.add(number, part)

    @property
    def translated(self) -> bool:
        """Whether LiteLLM has translated this stream from a chat of a different provider."""
        return self._chat is not None

    def response(self) -> Response:
        return self._candidates.response()

    def usage(self) -> Usage | None:
        return _usage(self.counted) if self._chat is None else reported_usage(self._chat)

    def release(self) -> None:
        self._chat = copy_attributes(self._chat, "chunks")


def _failure(error: Any) -> Failure:
    """Read the status of an error. The error's text is not read, because it may quote the request."""
    known = fields_of(error)
    status = text(known.get("status"))
    kind = status if status is not None and re.fullmatch(r"[A-Z_]{1,64}", status) else "UNKNOWN"
    return Failure(type=kind, ancestry=(kind,), status_code=integer(known.get("code")))


def _price(result: Any, logging: Any) -> Cost | None:
    if isinstance(result, GenerateContentChunks):
        return price_generated_content(result.counted, logging, streamed=not result.translated)
    return price_generated_content(_counted(result), logging, streamed=False)


# --- content --------------------------------------------------------------------------------------------------


def _request_content(parameters: Parameters) -> Content:
    config = _generate_config(parameters)
    instruction = config.get("systemInstruction")
    tools = [tool for value in each_of(config.get("tools")) for tool in _tools(value)]
    return Content(
        instructions=_content_message(instruction).parts if instruction is not None else None,
        input=read_messages(_content_message, each_of(parameters.get("contents"))) or None,
        tools=read_items(Tool, _tool, tools) or None,
    )


def _response_content(result: Any) -> tuple[Message, ...]:
    return read_items(Message, _candidate, each_of(_camel(result).get("candidates")))


def _candidate(value: Any) -> Message:
    candidate = _camel(value)
    message = _content_message(candidate.get("content") or {"role": "model", "parts": ()})
    return Message(role="assistant", parts=message.parts, finish_reason=_content_finish_reason(candidate))


def _content_finish_reason(candidate: Mapping[str, Any]) -> str | None:
    reason = keyword(candidate.get("finishReason"))
    return None if reason is None else _FINISH_REASONS.get(reason, reason)


def _content_message(content: Any) -> Message:
    """Read one of `contents`: an object with parts, or a single part, or a text."""
    if isinstance(content, str):
        return Message(role="user", parts=(Part(type="text", content=content),))
    known = _camel(content)
    parts = read_items(Part, _part, each_of(known["parts"]) if "parts" in known else (content,))
    role = _ROLES.get(text(known.get("role")) or "user", "user")
    return Message(role="tool" if only_tool_results(parts) else role, parts=parts)


def _part(value: Any) -> Part:
    """Read one part: a text, or an object with one field, whose name is the type of the part."""
    if isinstance(value, str):
        return Part(type="text", content=value)
    part = _camel(value)
    if "text" in part:
        return Part(type="reasoning" if part.get("thought") else "text", content=text(part["text"]) or "")
    for name, read in _PARTS.items():
        if name in part:
            return read(_camel(part[name]))
    return Part(type="unknown", name=keyword(next(iter(part), None)))


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "functionCall": lambda call: tool_call(call.get("id"), call.get("name"), call.get("args")),
    "functionResponse": lambda result: tool_result(result.get("id") or result.get("name"), result.get("response")),
    "inlineData": lambda data: blob(_modality(data), data.get("data"), text(data.get("mimeType"))),
    "fileData": lambda data: media(_modality(data), data.get("fileUri"), text(data.get("mimeType"))),
}


def _tools(value: Any) -> Collection[Any]:
    """The functions that an entry of `tools` declares, or the names of Google's tools that it enables."""
    known = _camel(value)
    return each_of(known.get("functionDeclarations")) or list(filter(keyword, known))


def _tool(value: Any) -> Tool:
    """Read a declared function, or the name of a tool of Google."""
    if isinstance(value, str):
        return Tool(type=value, name=value)
    function = _camel(value)
    return Tool(
        type="function",
        name=text(function.get("name")) or "function",
        description=text(function.get("description")),
        parameters=plain(function.get("parameters", function.get("parametersJsonSchema"))),
    )


GENERATE_CONTENT = ApiFormat(
    request=generate_content_request,
    response=generate_content_response,
    usage=generate_content_usage,
    price=_price,
    content=ContentReaders(request=_request_content, response=_response_content),
)
GENERATE_CONTENT_STREAM = replace(
    GENERATE_CONTENT, request=partial(generate_content_request, stream=True), chunks=GenerateContentChunks
)
