"""The chunks of LiteLLM's streams → Response, Usage and Cost. No chunk is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from types import AsyncGeneratorType, FrameType, GeneratorType, SimpleNamespace
from typing import Any, Protocol, TypeGuard

from agentops_otel_litellm.call import Cost, Failure, Response, Usage
from agentops_otel_litellm.readers.litellm_cost import litellm_cost
from agentops_otel_litellm.readers.responses import response_service_tier
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    characters,
    elements,
    field,
    fields_of,
    identifier,
    index,
    keyword,
    model_name,
)


class LiteLLMStream(Protocol):
    """Methods of LiteLLM's streams; each class has some of these."""

    def __iter__(self) -> object: ...
    def __aiter__(self) -> object: ...
    def __next__(self) -> object: ...
    def __anext__(self) -> Awaitable[object]: ...
    def __enter__(self) -> object: ...
    def __exit__(self, *exception: object) -> bool | None: ...
    def __aenter__(self) -> Awaitable[object]: ...
    def __aexit__(self, *exception: object) -> Awaitable[bool | None]: ...


class Chunks(Protocol):
    """A reader that accumulates the chunks of one stream. Each chunk is added before the stream returns the next."""

    first_token: float | None
    """When the first chunk with output (text, reasoning or a tool call) was received."""

    failure: Failure | None
    """The failure that the provider reported in the stream, if LiteLLM ends such a stream normally."""

    def add(self, chunk: Any, at: float, /) -> None:
        """Add a chunk that was received at that time."""

    def response(self) -> Response:
        """The response as far as it was received."""

    def usage(self) -> Usage | None:
        """The provider's usage, if it was received."""

    def release(self) -> None:
        """Release LiteLLM's stream, which nobody can read any more, but keep the attributes that are read at the end.

        A finalizer calls this, so it must not wait for a lock.
        """


def copy_attributes(stream: Any, *names: str) -> Any:
    """Return an object with those of the named attributes that the stream has; `None` for no stream."""
    if stream is None:
        return None
    return SimpleNamespace(**{name: getattr(stream, name) for name in names if hasattr(stream, name)})


class ChatChunks:
    """Reads the chunks of a chat stream. Parallel choices and tool calls are distinguished by their indexes."""

    __slots__ = (
        "_finish_reasons",
        "_id",
        "_length",
        "_model",
        "_service_tier",
        "_stream",
        "_tool_calls",
        "first_token",
    )

    failure: Failure | None = None

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._id: str | None = None
        self._model: str | None = None
        self._service_tier: str | None = None
        self._length = 0
        self._tool_calls: set[tuple[int, int]] = set()
        self._finish_reasons: dict[int, str | None] = {}
        self.first_token: float | None = None

    def add(self, chunk: Any, received_at: float, /) -> None:
        if self._id is None:
            self._id, self._model = identifier(field(chunk, "id")), model_name(field(chunk, "model"))
            self._service_tier = response_service_tier(field(chunk, "service_tier"))
        reasons = self._finish_reasons
        for each in elements(field(chunk, "choices")):
            choice = getattr(each, "__pydantic_extra__", None) or fields_of(each)
            number, reason = choice.get("index"), choice.get("finish_reason")
            if type(number) is not int:
                number = 0  # the provider does not send an index
            if reason is not None or number not in reasons:
                reasons[number] = keyword(reason)
            if self._add_output(number, choice) and self.first_token is None:
                self.first_token = received_at

    def _add_output(self, number: int, choice: Mapping[str, Any]) -> bool:
        """Count the output of a choice, and return whether it has any."""
        delta = choice.get("delta")
        fields = getattr(delta, "__pydantic_extra__", None) or NO_FIELDS
        content = fields.get("content")
        if content and fields.get("tool_calls") is None and fields.get("function_call") is None:
            self._length += characters(content)  # nearly every chunk
            return True
        return self._any_output(number, fields_of(delta))

    def _any_output(self, number: int, delta: Mapping[str, Any]) -> bool:
        """Count the output of any delta: text, reasoning or tool calls. `_add_output` handles the most frequent case
        faster.
        """
        content, calls = delta.get("content"), delta.get("tool_calls")
        if content:
            self._length += characters(content)
        for call in elements(calls):
            self._tool_calls.add((number, index(field(call, "index"))))
        has_legacy_call = delta.get("function_call") is not None
        if has_legacy_call:
            self._tool_calls.add((number, -1))
        return bool(content or calls or has_legacy_call or delta.get("reasoning_content"))

    def response(self) -> Response:
        indexes = sorted(self._finish_reasons)
        cached = getattr(self._stream, "custom_llm_provider", None) == "cached_response"
        reasons = self._finish_reasons if _has_finish_reason(self._stream) else {}
        return Response(
            id=self._id,
            model=None if cached else self._response_model(),
            finish_reasons=tuple(reasons.get(index) for index in indexes),
            choices_count=len(indexes),
            content_length=self._length,
            tool_calls_count=len(self._tool_calls),
            service_tier=self._service_tier,
            system_fingerprint=identifier(getattr(self._stream, "system_fingerprint", None)),
            cache_hit=cached or None,
        )

    @property
    def chunks(self) -> list[Any]:
        """LiteLLM's list of the chunks that it received."""
        return getattr(self._stream, "chunks", None) or []

    def _response_model(self) -> str | None:
        """The provider's name of the model.

        Older releases of LiteLLM set the requested name on every chunk and do not keep the provider's. Then the name is
        known only if it differs from the requested one.
        """
        if not hasattr(self._stream, "_provider_response_model"):
            requested = model_name(getattr(self._stream, "model", None))
            return None if self._model == requested else self._model
        return model_name(self._stream._provider_response_model) or self._model  # noqa: SLF001 - not public

    def usage(self) -> Usage | None:
        return reported_usage(self._stream)

    def release(self) -> None:
        self._stream = copy_attributes(self._stream, *_READ_AT_END)


_READ_AT_END = (
    *("chunks", "model", "_provider_response_model", "system_fingerprint", "custom_llm_provider"),
    *("received_finish_reason", "intermittent_finish_reason"),
)
"""The attributes of a stream that `ChatChunks` reads at the end."""


class TextChunks(ChatChunks):
    """Reads the chunks of a text completion stream, which LiteLLM makes from those of a chat stream."""

    __slots__ = ()

    def add(self, chunk: Any, received_at: float, /) -> None:
        if self._id is None:
            self._find_chat()
        super().add(chunk, received_at)

    def _find_chat(self) -> None:
        if getattr(self._stream, "chunks", None) is None:
            self._stream = _chat_stream(self._stream)

    def release(self) -> None:
        self._find_chat()
        super().release()

    def _add_output(self, _number: int, choice: Mapping[str, Any]) -> bool:
        # For a response from its cache, LiteLLM returns the chunks of a chat.
        content = choice.get("text") if "text" in choice else field(choice.get("delta"), "content")
        self._length += characters(content)
        return bool(content)

    def response(self) -> Response:
        return replace(super().response(), tool_calls_count=None)


class DefaultChunks:
    """Reads nothing of a stream of an unknown API format, of which only the number and times of chunks are recorded."""

    __slots__ = ()

    first_token: float | None = None
    failure: Failure | None = None

    def __init__(self, _stream: Any) -> None:
        pass

    def add(self, _chunk: Any, _at: float, /) -> None:
        pass

    def response(self) -> Response:
        return Response()

    def usage(self) -> Usage | None:
        return None

    def release(self) -> None:
        pass


def _has_finish_reason(stream: Any) -> bool:
    """Whether the provider sent a finish reason; true if that is unknown. If it sent none, LiteLLM invents one."""
    reasons = (getattr(stream, name, "") for name in ("received_finish_reason", "intermittent_finish_reason"))
    return any(reason is not None for reason in reasons)


def _chat_stream(stream: Any) -> Any:
    """The chat stream from which LiteLLM makes a text completion stream.

    For OpenAI, the text completion stream is a generator, and the chat stream is a variable of the suspended
    generator. An asynchronous generator is wrapped in a second one.
    """
    inner = getattr(stream, "completion_stream", None)
    while (frame := _frame_of(inner)) is not None:
        inner = frame.f_locals.get("streamwrapper") or frame.f_locals.get("response")
    return inner


def _frame_of(generator: Any) -> FrameType | None:
    """The frame of a generator that has not ended. Objects of other types can have any attributes, as mocks do."""
    if isinstance(generator, GeneratorType):
        return generator.gi_frame
    return generator.ag_frame if isinstance(generator, AsyncGeneratorType) else None


def translated_chat(stream: Any) -> Any:
    """The object that has the chunks of the chat stream which LiteLLM translates into `stream`; `None` if there is
    none.

    That object is `stream` itself, or a variable of `stream` if that is a generator that has not ended.
    """
    if isinstance(getattr(stream, "chunks", None), list):
        return stream
    frame = _frame_of(stream)
    chat = getattr(frame.f_locals.get("self"), "completion_stream", None) if frame is not None else None
    return chat if isinstance(getattr(chat, "chunks", None), list) else None


def reported_usage(stream: Any) -> Usage | None:
    """The usage in the provider's chunks, which LiteLLM keeps. LiteLLM's last chunk may have an estimate instead."""
    chunks = elements(getattr(stream, "chunks", None))
    reported = [usage for chunk in chunks if field(chunk, "usage") is not None and (usage := read_usage(chunk))]
    return merged(reported) if reported else None


def merged(reported: Sequence[Usage]) -> Usage:
    """Merge the usages of several chunks. Some providers report the input in the first chunk and the output in the
    last.
    """
    counts: dict[str, int] = {}
    for usage in reported:
        for name, count in vars(usage).items():
            if count or name not in counts:
                counts[name] = count
    if len(reported) > 1 and {"input", "output"} <= counts.keys():
        counts["total"] = counts["input"] + counts["output"]  # each chunk's total is of its own counts only
    return Usage(**counts)


def read_stream_cost(logging: Any) -> Cost | None:
    """LiteLLM's price of a stream that has ended. Call it only if the provider reported usage, because LiteLLM also
    prices its own estimate of the usage.
    """
    return litellm_cost(field(getattr(logging, "cost_breakdown", None), "total_cost"))


def is_stream(result: Any) -> TypeGuard[LiteLLMStream]:
    """Whether a result is a stream: an iterator. Complete responses may be iterable, but are not iterators.

    Mocks have `__anext__`, but are not streams: an application's tests may use them instead of any result.
    """
    kind = type(result)  # the abstract base classes of iterators take 10 µs for this check
    return (hasattr(kind, "__next__") or hasattr(kind, "__anext__")) and not _is_mock(kind)


def _is_mock(kind: type) -> bool:
    return any(base.__module__ == "unittest.mock" for base in kind.__mro__)


def is_chunks(value: Any) -> TypeGuard[Chunks]:
    """Whether an object is a reader of a stream's chunks. Only such readers have both methods."""
    return hasattr(type(value), "release") and hasattr(type(value), "usage")


def is_stream_manager(result: Any) -> TypeGuard[LiteLLMStream]:
    """Whether a result is OpenAI's manager of an assistant's streamed run, which sends no request before it is
    entered.
    """
    return type(result).__name__ in {"AssistantStreamManager", "AsyncAssistantStreamManager"}
