"""Chats. LiteLLM translates the responses of all providers to the format of OpenAI's chat completions.

Complete responses are LiteLLM's `ModelResponse`. A stream is its `CustomStreamWrapper`, with chunks of the class
`ModelResponseStream`. Format: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Usage
from agentops_otel_litellm.guard import log_fault
from agentops_otel_litellm.readers.api_format import (
    SAMPLING,
    ApiFormat,
    ContentReaders,
    conversation_fields,
    hidden_params,
    measure,
    output_type,
    reasoning_level,
    reported_usage,
    response_model,
    tool_choice,
)
from agentops_otel_litellm.readers.parts import (
    Draft,
    blob,
    content_part,
    image_part,
    reasoning_parts,
    stored_file,
    text_parts,
    tool_call,
    tool_result,
)
from agentops_otel_litellm.readers.streams import Chunks, copy_attributes, kept_finish_reasons
from agentops_otel_litellm.readers.usage_and_cost import price_chat
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    Parameters,
    characters,
    count,
    elements,
    field,
    fields_of,
    identifier,
    index,
    is_collection,
    keyword,
    model_name,
    plain,
    read_fields,
    read_items,
    read_messages,
    rows_for,
    text,
)
from agentops_otel_litellm.records import Content, Message, Part, Tool


def _guardrail_id(value: Any) -> str | None:
    """The guardrail's id in Bedrock's `guardrailConfig`. Of an ARN, which contains the account's id, only the last part
    is returned.
    """
    name = field(value, "guardrailIdentifier")
    return identifier(name.rpartition("/")[2]) if isinstance(name, str) else None


_REQUEST = rows_for(
    Request,
    {
        **SAMPLING,
        "tools": ("tools_count", count),
        "functions": ("tools_count", count),
        "tool_choice": ("tool_choice", tool_choice),
        "reasoning_effort": ("reasoning_level", reasoning_level),
        "response_format": ("output_type", output_type),
        "guardrailConfig": ("guardrail_id", _guardrail_id),
    },
)


def chat_request(parameters: Parameters) -> Request:
    """Read the request of a chat."""
    messages = parameters.get("messages")
    return Request(
        model=model_name(parameters.get("model")),
        stream=parameters.get("stream") is True,
        **conversation_fields(messages, messages),
        **read_fields(parameters, _REQUEST),
    )


# --- response -------------------------------------------------------------------------------------------------


def chat_response(result: Any) -> Response:
    """Read the complete response of a chat."""
    response, hidden = fields_of(result), hidden_params(result)
    reasons: list[str | None] = []
    contents: list[Any] = []
    tool_calls_count = 0
    choices = response.get("choices")
    for each in choices if type(choices) is list else elements(choices):
        choice = fields_of(each)
        message = fields_of(choice.get("message"))
        reasons.append(keyword(choice.get("finish_reason")))
        contents.append(message.get("content"))
        if message.get("tool_calls") is not None:
            tool_calls_count += len(elements(message["tool_calls"]))
        tool_calls_count += message.get("function_call") is not None
    tier, fingerprint = response.get("service_tier"), response.get("system_fingerprint")
    return Response(
        id=identifier(response.get("id")),
        model=response_model(response, hidden),
        finish_reasons=tuple(reasons),
        choices_count=len(reasons),
        content_length=measure(contents)[0],
        tool_calls_count=tool_calls_count,
        service_tier=None if tier is None else _service_tier(tier),
        system_fingerprint=None if fingerprint is None else identifier(fingerprint),
        cache_hit=True if hidden.get("cache_hit") is True else None,
    )


def _service_tier(value: Any) -> str | None:
    """The service tier that processed the request. `None` for `auto`, which LiteLLM sets in place of unknown tiers."""
    tier = keyword(value)
    return None if tier == "auto" else tier


# --- stream ---------------------------------------------------------------------------------------------------


class ChatChunks(Chunks):
    """Accumulates a chat stream. Parallel choices and tool calls are distinguished by their indexes."""

    __slots__ = (
        "_finish_reasons",
        "_id",
        "_length",
        "_model",
        "_service_tier",
        "_stream",
        "_tool_calls",
        "_tool_calls_count",
    )

    _reads_content = True

    def __init__(self, stream: Any, *, captures_content: bool = False) -> None:
        super().__init__(stream, captures_content=captures_content)
        self._stream = stream
        self._id: str | None = None
        self._model: str | None = None
        self._service_tier: str | None = None
        self._length = 0
        self._tool_calls: dict[tuple[int, int], Any] = {}
        """The index of a choice, and the index of a tool call → the id of the latest call with these indexes. A call in
        the older field `function_call` has the index -1.
        """
        self._tool_calls_count = 0
        self._finish_reasons: dict[int, str | None] = {}
        """Index of a choice → its finish reason; `None` until that is received."""

    def add(self, chunk: Any, received_at: float, /) -> None:
        # This runs on the application's thread for each chunk. Most chunks only continue the text of one choice, and
        # have the structure of LiteLLM's own chunks: the choices are in `__dict__`, the fields of choices and deltas in
        # `__pydantic_extra__`. These chunks are read here, with few steps; all others are read by `_add_any`.
        if self.first_token is not None and self._id is not None and self._draft is None:
            try:
                (choice,) = chunk.__dict__["choices"]
                fields = choice.__pydantic_extra__
                delta = fields["delta"].__pydantic_extra__
                content = delta["content"]
                if (
                    type(content) is str
                    and fields["finish_reason"] is None
                    and fields["index"] in self._finish_reasons
                    and delta.get("tool_calls") is None
                    and delta.get("function_call") is None
                ):
                    self._length += len(content)
                    return
            except (AttributeError, KeyError, TypeError, ValueError):
                pass
        self._add_any(chunk, received_at)

    def _add_any(self, chunk: Any, received_at: float) -> None:
        """Read a chunk of any structure."""
        choices = (chunk if isinstance(chunk, dict) else getattr(chunk, "__dict__", NO_FIELDS)).get("choices")
        for each in choices if type(choices) is list else elements(choices):
            choice = getattr(each, "__pydantic_extra__", None) or fields_of(each)
            number, reason, delta = choice.get("index"), choice.get("finish_reason"), choice.get("delta")
            if type(number) is not int:
                number = 0  # the provider does not send an index
            try:
                if reason is not None or number not in self._finish_reasons:
                    self._finish_reasons[number] = keyword(reason)
                delta_fields = getattr(delta, "__pydantic_extra__", None) or NO_FIELDS
                content = delta_fields.get("content")
                has_calls = delta_fields.get("tool_calls") is not None or delta_fields.get("function_call") is not None
                if type(content) is str and content and not has_calls:
                    self._length += len(content)
                    has_output = True
                else:
                    has_output = self._add_other_output(number, fields_of(delta))
                if has_output and self.first_token is None:
                    self.first_token = received_at
            finally:
                if self._draft is not None:
                    self._add_content(number, reason, delta, self._draft)
        if self._id is None:
            self._read_identity(fields_of(chunk))

    def _read_identity(self, fields: Mapping[str, Any]) -> None:
        """Read id, model and service tier, which each chunk repeats."""
        self._id, self._model = identifier(fields.get("id")), model_name(fields.get("model"))
        self._service_tier = _service_tier(fields.get("service_tier"))

    def _add_other_output(self, number: int, delta: Mapping[str, Any]) -> bool:
        """Count the text and the tool calls in a delta. Returns whether it has output: text, reasoning or a tool
        call.
        """
        content, calls = delta.get("content"), delta.get("tool_calls")
        if content:
            self._length += characters(content)
        for call in elements(calls):
            self._count_tool_call((number, index(field(call, "index"))), call)
        has_legacy_call = delta.get("function_call") is not None
        if has_legacy_call:
            self._count_tool_call((number, -1), None)
        return bool(content or calls or has_legacy_call or delta.get("reasoning_content"))

    def _count_tool_call(self, key: tuple[int, int], call: Any) -> None:
        """Count a tool call at its first fragment. As in `Draft.add_tool_call`, a fragment with a name and a different
        id begins a further call, because some providers send the same index for every call, or none.
        """
        latest, call_id = self._tool_calls.get(key), field(call, "id")
        is_further = call_id and latest not in (None, call_id) and field(field(call, "function"), "name")
        if key not in self._tool_calls or is_further:
            self._tool_calls_count += 1
            self._tool_calls[key] = call_id
        elif latest is None:
            self._tool_calls[key] = call_id

    def _add_content(self, number: int, reason: Any, delta: Any, draft: Draft) -> None:
        """Add the message content in a choice's delta to the choice's message in `draft`."""
        try:
            draft.add_choice(number, finish_reason=keyword(reason))
            _add_delta(draft, number, fields_of(delta))
        except Exception as fault:  # noqa: BLE001 - must not reach the application
            log_fault("reading the content of a chunk", fault)

    def response(self) -> Response:
        stream, reasons = self._stream, {**self._finish_reasons, **kept_finish_reasons(self._stream)}
        indexes = sorted(reasons)
        cached = getattr(stream, "custom_llm_provider", None) == "cached_response"
        # If the provider sent no finish reason, LiteLLM invents one for its last chunk. That one is not recorded.
        has_reason = (
            getattr(stream, "received_finish_reason", "") is not None
            or getattr(stream, "intermittent_finish_reason", "") is not None
        )
        fingerprint = getattr(stream, "system_fingerprint", None)
        return Response(
            id=self._id,
            model=None if cached else self._response_model(),
            finish_reasons=tuple(map(reasons.get, indexes)) if has_reason else (None,) * len(indexes),
            choices_count=len(indexes),
            content_length=self._length,
            tool_calls_count=self._tool_calls_count,
            service_tier=self._service_tier,
            system_fingerprint=None if fingerprint is None else identifier(fingerprint),
            cache_hit=cached or None,
        )

    def messages(self) -> tuple[Message, ...] | None:
        if self._draft is not None:
            for number, reason in kept_finish_reasons(self._stream).items():
                self._draft.add_choice(number, finish_reason=reason)
        return super().messages()

    def _response_model(self) -> str | None:
        """The model's name as the provider sent it; `None` if it is unknown."""
        # Older releases of LiteLLM do not keep it, and set the requested name on each chunk.
        if not hasattr(self._stream, "_provider_response_model"):
            requested = model_name(getattr(self._stream, "model", None))
            return None if self._model == requested else self._model
        return model_name(self._stream._provider_response_model) or self._model  # noqa: SLF001 - not public

    def usage(self) -> Usage | None:
        return reported_usage(self._stream)

    @property
    def provider_chunks(self) -> Sequence[Any]:
        return getattr(self._stream, "chunks", None) or []

    def release(self) -> None:
        kept = kept_finish_reasons(self._stream)
        self._stream = copy_attributes(self._stream, *_READ_AT_END)
        self._stream.chunk_creator = SimpleNamespace(finish_reasons=kept)


_READ_AT_END = (
    *("chunks", "model", "_provider_response_model", "system_fingerprint", "custom_llm_provider"),
    *("received_finish_reason", "intermittent_finish_reason"),
)
"""The attributes of a stream that `ChatChunks` reads at the end."""


# --- content --------------------------------------------------------------------------------------------------


def _request_content(parameters: Parameters) -> Content:
    """Read the messages, which include the system's, and the tools."""
    messages = parameters.get("messages")
    tools = elements(parameters.get("tools")) or elements(parameters.get("functions"))
    return Content(
        input=read_messages(_message, messages) if is_collection(messages) else None,
        tools=read_items(Tool, _tool, tools) or None,
    )


def _message(item: Any) -> Message:
    """Read a message of the request. If its role is `tool` or `function`, its content is the result of a tool."""
    message = fields_of(item)
    role = text(message.get("role")) or "user"
    if role in {"tool", "function"}:
        result = message.get("content")
        called = message.get("tool_call_id") or message.get("name")
        return Message(role="tool", parts=(tool_result(called, _texts(result)),), name=text(message.get("name")))
    return Message(role=role, parts=_parts(message), name=text(message.get("name")))


def _texts(content: Any) -> Any:
    """The result of a tool. If it is a list of parts, their texts are joined."""
    if not is_collection(content):
        return content
    return "".join(text(field(part, "text")) or "" for part in content)


def _parts(message: Mapping[str, Any]) -> tuple[Part, ...]:
    """Read the parts of a message: reasoning, content and tool calls, in the order in which models generate them."""
    content = message.get("content")
    content_parts = read_items(Part, content_part, content) if is_collection(content) else text_parts(content)
    refusal = text(_refusal(message))
    return (
        *reasoning_parts(message.get("reasoning_content")),
        *content_parts,
        *((Part(type="refusal", content=refusal),) if refusal else ()),
        *((_audio(message["audio"]),) if message.get("audio") else ()),
        *read_items(Part, image_part, elements(message.get("images"))),
        *read_items(Part, _tool_call, elements(message.get("tool_calls"))),
        *((_tool_call({"function": message["function_call"]}),) if message.get("function_call") else ()),
    )


def _refusal(message: Mapping[str, Any]) -> Any:
    """The refusal of a message or a delta. Most releases of LiteLLM pass it on in `provider_specific_fields` only."""
    return message.get("refusal") or field(message.get("provider_specific_fields"), "refusal")


def _tool_call(call: Any) -> Part:
    function = fields_of(field(call, "function"))
    return tool_call(field(call, "id"), function.get("name"), function.get("arguments"))


def _audio(audio: Any) -> Part:
    """Read the model's audio: its transcript if there is one, else its data, else its id, which a message of a later
    request may have instead.
    """
    transcript = text(field(audio, "transcript"))
    if transcript is not None:
        return Part(type="text", content=transcript)
    known = field(audio, "data")
    return blob("audio", known) if known else stored_file("audio", field(audio, "id"))


def _tool(item: Any) -> Tool:
    """Read an entry of `tools`, or of the older parameter `functions`."""
    known = fields_of(item)
    # An entry of `functions` is the function itself: it has a name and no type.
    function = fields_of(known.get("function") or (known if "name" in known and "type" not in known else None))
    kind = keyword(known.get("type")) or "function"
    return Tool(
        type=kind,
        name=text(function.get("name") or known.get("name")) or kind,
        description=text(function.get("description")),
        parameters=plain(function.get("parameters")),
    )


def _response_content(result: Any) -> tuple[Message, ...]:
    return read_items(Message, _output_message, elements(field(result, "choices")))


def _output_message(item: Any) -> Message:
    choice = fields_of(item)
    message = fields_of(choice.get("message"))
    return Message(
        role=text(message.get("role")) or "assistant",
        parts=_parts(message),
        finish_reason=keyword(choice.get("finish_reason")),
    )


def _add_delta(draft: Draft, number: int, delta: Mapping[str, Any]) -> None:
    """Add the content of a delta to the message of the choice that has the index `number`."""
    draft.add_fragment(number, "reasoning", delta.get("reasoning_content"))
    draft.add_fragment(number, "text", delta.get("content"))
    draft.add_fragment(number, "refusal", _refusal(delta))
    draft.add_fragment(number, "text", field(delta.get("audio"), "transcript"))
    for image in elements(delta.get("images")):
        draft.add(number, image_part(image))
    for call in map(fields_of, elements(delta.get("tool_calls"))):
        function = fields_of(call.get("function"))
        draft.add_tool_call(
            number,
            key=index(call.get("index")),
            call_id=call.get("id"),
            name=function.get("name"),
            arguments=function.get("arguments"),
        )
    if delta.get("function_call") is not None:
        function = fields_of(delta["function_call"])
        draft.add_tool_call(number, key=-1, name=function.get("name"), arguments=function.get("arguments"))


CHAT = ApiFormat(
    request=chat_request,
    response=chat_response,
    chunks=ChatChunks,
    price=price_chat,
    content=ContentReaders(request=_request_content, response=_response_content),
)
