"""How LiteLLM's streams are recognised, and the base classes of the accumulators of their chunks. No chunk is kept.

The accumulator for an API format, a subclass of `Chunks`, is in the file of that API format.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from json import JSONDecoder
from types import AsyncGeneratorType, FrameType, GeneratorType, SimpleNamespace
from typing import Any, ClassVar, Protocol, TypeGuard

from agentops_otel_litellm.call import Failure, Response, Usage
from agentops_otel_litellm.guard import log_fault
from agentops_otel_litellm.readers.parts import Draft
from agentops_otel_litellm.readers.values import fields_of
from agentops_otel_litellm.records import Message


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


def is_stream(result: Any) -> TypeGuard[LiteLLMStream]:
    """Whether a result is a stream: an iterator. Complete responses may be iterable, but are not iterators.

    Mocks have `__anext__`, but are not streams: an application's tests may use them instead of any result.
    """
    kind = type(result)  # the abstract base classes of iterators take 10 µs for this check
    return (hasattr(kind, "__next__") or hasattr(kind, "__anext__")) and not _is_mock(kind)


def _is_mock(kind: type) -> bool:
    return any(base.__module__ == "unittest.mock" for base in kind.__mro__)


def is_stream_manager(result: Any) -> TypeGuard[LiteLLMStream]:
    """Whether a result is OpenAI's manager of an assistant's streamed run, which sends no request before it is
    entered.
    """
    return type(result).__name__ in {"AssistantStreamManager", "AsyncAssistantStreamManager"}


class Chunks:
    """Accumulates the chunks of one stream: counts, and message content if it is captured.

    This base class reads nothing, so only the number and the times of the chunks are known. It is used for API formats
    that no subclass reads.
    """

    __slots__ = ("_draft", "failure", "first_token")

    _reads_content: ClassVar[bool] = False
    """Whether the class reads message content."""

    def __init__(self, _stream: Any, *, captures_content: bool = False) -> None:
        self._draft = Draft() if captures_content and self._reads_content else None
        """The messages in progress; `None` if no content is captured."""
        self.failure: Failure | None = None
        """The failure that the provider reported in the stream, if LiteLLM ends such a stream normally."""
        self.first_token: float | None = None
        """When the first chunk with output (text, reasoning or a tool call) was received."""

    def add(self, _chunk: Any, _received_at: float, /) -> None:
        """Add a chunk that was received at that time. It is called before the stream returns the next chunk.

        If the counts of a chunk cannot be read, its content is read all the same, and the other way round.
        """

    def response(self) -> Response:
        """The response as far as it was received."""
        return Response()

    def usage(self) -> Usage | None:
        """The provider's usage, if it was received."""
        return None

    def messages(self) -> tuple[Message, ...] | None:
        """The messages as far as they were received; `None` if no content is captured."""
        return None if self._draft is None else self._draft.messages()

    @property
    def provider_chunks(self) -> Sequence[Any] | None:
        """LiteLLM's list of the provider's chunks, if the stream is a chat; otherwise `None`."""
        return None

    def release(self) -> None:
        """Release LiteLLM's stream, which nobody can read any more, but keep the attributes that are read at the end.

        A finalizer calls this, so it must not wait for a lock.
        """


class EventChunks(Chunks):
    """Accumulates a stream of events. A subclass reads the counts and the content of an event in two methods."""

    __slots__ = ()

    def add(self, chunk: Any, received_at: float, /) -> None:
        for event in self._events_of(chunk):
            try:
                self._count(event, received_at)
            except Exception as fault:  # noqa: BLE001 - as in a guard, which costs more
                log_fault("reading a chunk", fault)
            if self._draft is not None:
                try:
                    self._add_content(event, self._draft)
                except Exception as fault:  # noqa: BLE001 - as in a guard
                    log_fault("reading the content of a chunk", fault)

    def _events_of(self, chunk: Any) -> Iterable[Mapping[str, Any]]:
        """The events in a chunk: one, if LiteLLM's chunks are events."""
        return (fields_of(chunk),)

    def _count(self, event: Mapping[str, Any], received_at: float) -> None:
        """Read everything of an event that is not content."""
        raise NotImplementedError

    def _add_content(self, event: Mapping[str, Any], draft: Draft) -> None:
        """Add the content of an event to the messages, if the class reads content and content is captured."""


def is_chunks(value: Any) -> TypeGuard[Chunks]:
    """Whether an object is an accumulator of a stream's chunks."""
    return issubclass(type(value), Chunks)


def copy_attributes(stream: Any, *names: str) -> Any:
    """Return an object with those of the named attributes that the stream has; `None` for no stream."""
    if stream is None:
        return None
    return SimpleNamespace(**{name: getattr(stream, name) for name in names if hasattr(stream, name)})


def translated_chat(stream: Any) -> Any:
    """The object that has the chunks of the chat stream which LiteLLM translates into `stream`; `None` if there is
    none.

    That object is `stream` itself, or a variable of `stream` if that is a generator that has not ended.
    """
    if isinstance(getattr(stream, "chunks", None), list):
        return stream
    frame = frame_of(stream)
    chat = getattr(frame.f_locals.get("self"), "completion_stream", None) if frame is not None else None
    return chat if isinstance(getattr(chat, "chunks", None), list) else None


def frame_of(generator: Any) -> FrameType | None:
    """The frame of a generator that has not ended. Objects of other types can have any attributes, as mocks do."""
    if isinstance(generator, GeneratorType):
        return generator.gi_frame
    return generator.ag_frame if isinstance(generator, AsyncGeneratorType) else None


# --- server-sent events ---------------------------------------------------------------------------------------


_decode = JSONDecoder().raw_decode  # decodes from an index, without copying


class ServerSentEvents:
    """Parses a stream of bytes, and returns each message when it is complete. A message is JSON on one line."""

    __slots__ = ("_incomplete_line",)

    def __init__(self) -> None:
        self._incomplete_line: list[bytes] = []
        """The pieces of an incomplete line."""

    def messages(self, piece: Any) -> Sequence[Mapping[str, Any]]:
        """The messages that a piece completes. Some of LiteLLM's streams return parsed messages instead of bytes."""
        if isinstance(piece, Mapping):
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
    """The JSON objects in complete lines, each of which begins with `data:`."""
    messages = []
    position = lines.find("data:")
    while position >= 0:
        position += 6 if lines.startswith(" ", position + 5) else 5
        if lines.startswith("{", position):
            with suppress(ValueError, RecursionError):  # not JSON: the other events are read nevertheless
                message, position = _decode(lines, position)
                messages.append(message)
        position = lines.find("data:", position)
    return messages
