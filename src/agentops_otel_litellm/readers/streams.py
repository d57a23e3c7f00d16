"""Recognises LiteLLM's streams, and has the base classes of the accumulators, which read each chunk and keep none.

Each API format with streams has an accumulator, a subclass of `Chunks`, in the file of that API format.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from json import JSONDecoder
from types import AsyncGeneratorType, FrameType, GeneratorType, SimpleNamespace
from typing import Any, ClassVar, Protocol, TypeGuard

from agentops_otel_litellm.call import Failure, Response, Usage
from agentops_otel_litellm.guard import log_fault
from agentops_otel_litellm.readers.parts import Draft
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    Parameters,
    elements,
    field,
    fields_of,
    index,
    integer,
    keyword,
)
from agentops_otel_litellm.records import Message


class LiteLLMStream(Protocol):
    """A stream as LiteLLM returns it. Each of LiteLLM's classes has only some of these methods."""

    def __iter__(self) -> object: ...
    def __aiter__(self) -> object: ...
    def __next__(self) -> object: ...
    def __anext__(self) -> Awaitable[object]: ...
    def __enter__(self) -> object: ...
    def __exit__(self, *exception: object) -> bool | None: ...
    def __aenter__(self) -> Awaitable[object]: ...
    def __aexit__(self, *exception: object) -> Awaitable[bool | None]: ...


def is_stream(result: Any) -> TypeGuard[LiteLLMStream]:
    """Whether a result is a stream: an iterator or an asynchronous iterator. A complete response is neither, although
    it may be iterable. A mock is not a stream either: it has `__anext__`, whatever result an application's test
    replaces by it.
    """
    kind = type(result)  # `isinstance(result, Iterator)` would take 10 µs
    return (hasattr(kind, "__next__") or hasattr(kind, "__anext__")) and not _is_mock(kind)


def _is_mock(kind: type) -> bool:
    return any(base.__module__ == "unittest.mock" for base in kind.__mro__)


def is_stream_manager(result: Any) -> TypeGuard[LiteLLMStream]:
    """Whether a result is the context manager that OpenAI returns for an assistant's streamed run. It sends the request
    when the application enters it.
    """
    return type(result).__name__ in {"AssistantStreamManager", "AsyncAssistantStreamManager"}


class Chunks:
    """Accumulates the facts in the chunks of one stream, and the message content if it is captured.

    This base class reads nothing from the chunks. It is used for API formats that have no subclass.
    """

    __slots__ = ("_draft", "failure", "first_token")

    _reads_content: ClassVar[bool] = False
    """Whether the class can read message content, which it does if `captures_content` is true."""

    def __init__(self, _stream: Any, *, captures_content: bool = False) -> None:
        self._draft = Draft() if captures_content and self._reads_content else None
        """The messages as far as they were received; `None` if no content is captured."""
        self.failure: Failure | None = None
        """The failure that the provider reported in a chunk, if LiteLLM raises no exception for it."""
        self.first_token: float | None = None
        """When the first chunk with output (text, reasoning or a tool call) was received: a `received_at` of `add`."""

    def add(self, _chunk: Any, _received_at: float, /) -> None:
        """Read a chunk, when it is received. `_received_at` is a time of the monotonic clock, in seconds.

        If the facts in a chunk cannot be read, its content is still read, and the other way round.
        """

    def response(self) -> Response:
        """The response as far as it was received."""
        return Response()

    def usage(self) -> Usage | None:
        """The usage that the provider counted; `None` if it was not received."""
        return None

    def messages(self) -> tuple[Message, ...] | None:
        """The messages as far as they were received; `None` if no content is captured."""
        return None if self._draft is None else self._draft.messages()

    @property
    def provider_chunks(self) -> Sequence[Any] | None:
        """LiteLLM's list of the provider's chunks, if the stream is a chat; otherwise `None`."""
        return None

    def release(self) -> None:
        """Drop the reference to LiteLLM's stream, but keep the attributes that `response` and `usage` read.

        A finalizer calls this when the application has dropped the stream, so it must not wait for a lock.
        """


class EventChunks(Chunks):
    """Accumulates a stream of events. A subclass reads an event in two methods: `_count` reads everything but message
    content, `_add_content` reads the message content.
    """

    __slots__ = ()

    def add(self, chunk: Any, received_at: float, /) -> None:
        for event in self._events_of(chunk):
            try:
                self._count(event, received_at)
            except Exception as fault:  # noqa: BLE001 - must not reach the application
                log_fault("reading a chunk", fault)
            if self._draft is not None:
                try:
                    self._add_content(event, self._draft)
                except Exception as fault:  # noqa: BLE001 - must not reach the application
                    log_fault("reading the content of a chunk", fault)

    def _events_of(self, chunk: Any) -> Iterable[Mapping[str, Any]]:
        """The events in a chunk. Here, a chunk is one event; a subclass for a stream of bytes parses the bytes."""
        return (fields_of(chunk),)

    def _count(self, event: Mapping[str, Any], received_at: float) -> None:
        """Read everything in an event except message content."""
        raise NotImplementedError

    def _add_content(self, event: Mapping[str, Any], draft: Draft) -> None:
        """Add the message content in an event to `draft`. It is called only if content is captured."""


def is_chunks(value: Any) -> TypeGuard[Chunks]:
    """Whether an object is an accumulator of a stream's chunks."""
    return issubclass(type(value), Chunks)


def copy_attributes(stream: Any, *names: str) -> Any:
    """Return an object with copies of the named attributes, as far as the stream has them. `None` if it is `None`."""
    if stream is None:
        return None
    return SimpleNamespace(**{name: getattr(stream, name) for name in names if hasattr(stream, name)})


def translated_chat(stream: Any) -> Any:
    """Return the chat stream that LiteLLM translates into `stream`, a stream of a different API format. Its attribute
    `chunks` has the provider's chunks. `None` if LiteLLM returns the provider's stream untranslated.
    """
    if isinstance(getattr(stream, "chunks", None), list):
        return stream
    # If `stream` is a generator, the translator is its variable `self`, and has the chat stream.
    frame = frame_of(stream)
    chat = getattr(frame.f_locals.get("self"), "completion_stream", None) if frame is not None else None
    return chat if isinstance(getattr(chat, "chunks", None), list) else None


def frame_of(generator: Any) -> FrameType | None:
    """The frame of a generator, synchronous or asynchronous; `None` if it has ended, or is not a generator."""
    # The type is checked because other objects, such as mocks, can have an attribute of the same name.
    if isinstance(generator, GeneratorType):
        return generator.gi_frame
    return generator.ag_frame if isinstance(generator, AsyncGeneratorType) else None


# --- server-sent events ---------------------------------------------------------------------------------------


_decode = JSONDecoder().raw_decode  # decodes from an index, without copying


class ServerSentEvents:
    """Parses a stream of server-sent events, which arrives in pieces of any size. The data of each event is one line of
    JSON, called a message here.
    """

    __slots__ = ("_incomplete_line",)

    def __init__(self) -> None:
        self._incomplete_line: list[bytes] = []
        """The pieces of the line whose end was not received yet."""

    def messages(self, piece: Any) -> Sequence[Mapping[str, Any]]:
        """Return the messages that are complete with this piece."""
        if isinstance(piece, Mapping):  # some of LiteLLM's streams return parsed messages instead of bytes
            return (piece,)
        if isinstance(piece, str):
            piece = piece.encode()
        if self._incomplete_line or not piece.endswith(b"\n"):
            complete_lines, newline, rest = piece.rpartition(b"\n")
            if newline:
                piece, self._incomplete_line = b"".join((*self._incomplete_line, complete_lines)), []
            if rest:
                self._incomplete_line.append(rest)
            if not newline:
                return ()
        return _messages(piece.decode(errors="replace"))


def _messages(lines: str) -> Sequence[Mapping[str, Any]]:
    """The JSON objects in complete lines. Lines without `data:`, such as `event: …`, are skipped."""
    messages = []
    position = lines.find("data:")
    while position >= 0:
        position += 6 if lines.startswith(" ", position + 5) else 5
        if lines.startswith("{", position):
            with suppress(ValueError, RecursionError):  # not JSON: the other messages are still read
                message, position = _decode(lines, position)
                messages.append(message)
        position = lines.find("data:", position)
    return messages


# --- parallel choices of a chat stream ------------------------------------------------------------------------


def requests_several_choices(parameters: Parameters) -> bool:
    """Whether the request is for several choices."""
    count = integer(parameters.get("n"))
    return count is not None and count > 1


def read_finish_reasons(chunk: Any) -> Mapping[int, str | None]:
    """Read the finish reasons in a chunk of the provider. The key is the index of the choice."""
    choices = map(fields_of, elements(field(chunk, "choices")))
    return {
        index(choice.get("index")): keyword(choice["finish_reason"])
        for choice in choices
        if choice.get("finish_reason") is not None
    }


def kept_finish_reasons(stream: Any) -> Mapping[int, str | None]:
    """The provider's finish reason of each choice, if several choices were requested: the patch of LiteLLM's stream has
    kept them (see `patching/stream_usage.py`), because LiteLLM passes on only one. Otherwise empty.
    """
    kept = getattr(getattr(stream, "chunk_creator", None), "finish_reasons", None)
    return kept if type(kept) is dict else {}


def with_usage(chunks: Iterable[Any]) -> Iterator[Any]:
    """The chunks of a stream that have usage. No function is called for a chunk, because there may be thousands."""
    for chunk in chunks:
        if isinstance(chunk, dict):
            usage = chunk.get("usage")
        else:  # the same as `field`
            extra = getattr(chunk, "__pydantic_extra__", None) or NO_FIELDS
            usage = extra["usage"] if "usage" in extra else getattr(chunk, "__dict__", NO_FIELDS).get("usage")
        if usage is not None:
            yield chunk
