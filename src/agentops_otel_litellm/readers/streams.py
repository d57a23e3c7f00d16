"""The chunks of LiteLLM's streams → Response, Usage and Cost, with none of them kept."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Protocol, TypeGuard

from agentops_otel_litellm.call import Cost, Failure, Response, Usage
from agentops_otel_litellm.readers.figures import litellm_cost
from agentops_otel_litellm.readers.responses import served_tier
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import (
    NOTHING,
    characters,
    elements,
    field,
    identifier,
    index,
    keyword,
    members,
    model_name,
)


class LiteLLMStream(Protocol):
    """Whichever class a stream is of, it has some of these."""

    def __iter__(self) -> object: ...
    def __aiter__(self) -> object: ...
    def __next__(self) -> object: ...
    def __anext__(self) -> Awaitable[object]: ...
    def __enter__(self) -> object: ...
    def __exit__(self, *exception: object) -> bool | None: ...
    def __aenter__(self) -> Awaitable[object]: ...
    def __aexit__(self, *exception: object) -> Awaitable[bool | None]: ...


class Chunks(Protocol):
    """What the chunks of one of LiteLLM's streams amount to. The first is to be taken before the second is made."""

    first_token: float | None
    """The instant of the first chunk that carried output: text, reasoning or a tool call."""

    failure: Failure | None
    """What the provider said had gone wrong, in a stream that LiteLLM then ended as if nothing had."""

    def add(self, chunk: Any, at: float, /) -> None:
        """Take the chunk that came at that instant."""

    def response(self) -> Response:
        """The response as far as it came."""

    def usage(self) -> Usage | None:
        """What the provider counted, if it said."""

    def let_go(self) -> None:
        """Let go of LiteLLM's stream, which nobody can read any more, and keep what is read of it at the end.

        A finalizer calls this: it waits for no lock.
        """


def kept_of(stream: Any, *names: str) -> Any:
    """What a stream of LiteLLM's has under these names, of those that it has; nothing of one that is not there."""
    if stream is None:
        return None
    return SimpleNamespace(**{name: getattr(stream, name) for name in names if hasattr(stream, name)})


class ChatChunks:
    """Chunks of a chat stream. Deltas of parallel choices and tool calls are told apart by their indexes."""

    __slots__ = ("_calls", "_id", "_length", "_model", "_reasons", "_service_tier", "_stream", "first_token")

    failure: Failure | None = None

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._id: str | None = None
        self._model: str | None = None
        self._service_tier: str | None = None
        self._length = 0
        self._calls: set[tuple[int, int]] = set()
        self._reasons: dict[int, str | None] = {}
        self.first_token: float | None = None

    def add(self, chunk: Any, at: float, /) -> None:
        if self._id is None:
            self._id, self._model = identifier(field(chunk, "id")), model_name(field(chunk, "model"))
            self._service_tier = served_tier(field(chunk, "service_tier"))
        reasons = self._reasons
        for each in elements(field(chunk, "choices")):
            choice = getattr(each, "__pydantic_extra__", None) or members(each)
            number, reason = choice.get("index"), choice.get("finish_reason")
            if type(number) is not int:
                number = 0  # the provider does not send an index
            if reason is not None or number not in reasons:
                reasons[number] = keyword(reason)
            if self._output(number, choice) and self.first_token is None:
                self.first_token = at

    def _output(self, number: int, choice: Mapping[str, Any]) -> bool:
        """Whether the choice carried output, which is counted."""
        delta = choice.get("delta")
        held = getattr(delta, "__pydantic_extra__", None) or NOTHING
        content = held.get("content")
        if content and held.get("tool_calls") is None and held.get("function_call") is None:
            self._length += characters(content)  # nearly every chunk is such a one
            return True
        return self._any_output(number, members(delta))

    def _any_output(self, number: int, delta: Mapping[str, Any]) -> bool:
        content, calls = delta.get("content"), delta.get("tool_calls")
        if content:
            self._length += characters(content)
        for call in elements(calls):
            self._calls.add((number, index(field(call, "index"))))
        legacy_call = delta.get("function_call") is not None
        if legacy_call:
            self._calls.add((number, -1))
        return bool(content or calls or legacy_call or delta.get("reasoning_content"))

    def response(self) -> Response:
        indexes = sorted(self._reasons)
        cached = getattr(self._stream, "custom_llm_provider", None) == "cached_response"
        reasons = self._reasons if _says_why_it_ends(self._stream) else {}
        return Response(
            id=self._id,
            model=None if cached else self._response_model(),
            finish_reasons=tuple(reasons.get(index) for index in indexes),
            choices_count=len(indexes),
            content_length=self._length,
            tool_calls_count=len(self._calls),
            service_tier=self._service_tier,
            system_fingerprint=identifier(getattr(self._stream, "system_fingerprint", None)),
            cache_hit=cached or None,
        )

    @property
    def kept(self) -> list[Any]:
        """LiteLLM's own list of the chunks that it got."""
        return getattr(self._stream, "chunks", None) or []

    def _response_model(self) -> str | None:
        """The provider's name of it. (LiteLLM replays a cached answer under the name that was asked for, and older
        releases give that name to every chunk: they do not keep the provider's.)
        """
        if not hasattr(self._stream, "_provider_response_model"):
            asked = model_name(getattr(self._stream, "model", None))
            return None if self._model == asked else self._model
        return model_name(self._stream._provider_response_model) or self._model  # noqa: SLF001 - it has no other

    def usage(self) -> Usage | None:
        return reported_usage(self._stream)

    def let_go(self) -> None:
        self._stream = kept_of(self._stream, *_READ_AT_END)


_READ_AT_END = (
    *("chunks", "model", "_provider_response_model", "system_fingerprint", "custom_llm_provider"),
    *("received_finish_reason", "intermittent_finish_reason"),
)
"""What `ChatChunks` reads of a stream when it is over."""


class TextChunks(ChatChunks):
    """Chunks of a text completion stream, which is made of a chat stream's."""

    __slots__ = ()

    def add(self, chunk: Any, at: float, /) -> None:
        if self._id is None:
            self._find_chat()
        super().add(chunk, at)

    def _find_chat(self) -> None:
        if getattr(self._stream, "chunks", None) is None:
            self._stream = _chat_stream(self._stream)

    def let_go(self) -> None:
        self._find_chat()
        super().let_go()

    def _output(self, _number: int, choice: Mapping[str, Any]) -> bool:
        # Of an answer from its cache LiteLLM gives the chunks of a chat.
        content = choice.get("text") if "text" in choice else field(choice.get("delta"), "content")
        self._length += characters(content)
        return bool(content)

    def response(self) -> Response:
        return replace(super().response(), tool_calls_count=None)


class DefaultChunks:
    """A stream of a shape that nobody described: counted, timed, and otherwise left alone."""

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

    def let_go(self) -> None:
        pass


def _says_why_it_ends(stream: Any) -> bool:
    """Whether the provider gave a reason, as far as LiteLLM's stream tells; else the one it hands out is its own."""
    told = (getattr(stream, name, "") for name in ("received_finish_reason", "intermittent_finish_reason"))
    return any(reason is not None for reason in told)


def _chat_stream(stream: Any) -> Any:
    """The chat stream beneath a text completion stream. For OpenAI's it is a variable of a suspended generator, which
    the asynchronous ones wrap in another.
    """
    beneath = getattr(stream, "completion_stream", None)
    while (frame := getattr(beneath, "gi_frame", None) or getattr(beneath, "ag_frame", None)) is not None:
        beneath = frame.f_locals.get("streamwrapper") or frame.f_locals.get("response")
    return beneath


def translated_chat(stream: Any) -> Any:
    """What has the chunks of the chat stream that LiteLLM translates as another's, if it does: the other itself, or
    what it has as a variable, if it is a generator; of one that has ended they are gone.
    """
    if isinstance(getattr(stream, "chunks", None), list):
        return stream
    frame = getattr(stream, "gi_frame", None) or getattr(stream, "ag_frame", None)
    chat = getattr(frame.f_locals.get("self"), "completion_stream", None) if frame is not None else None
    return chat if isinstance(getattr(chat, "chunks", None), list) else None


def reported_usage(stream: Any) -> Usage | None:
    """From a chat's chunks that the provider sent, which LiteLLM keeps; what it hands out last may be an estimate."""
    kept = elements(getattr(stream, "chunks", None))
    reported = [usage for chunk in kept if field(chunk, "usage") is not None and (usage := read_usage(chunk))]
    return merged(reported) if reported else None


def merged(reported: Sequence[Usage]) -> Usage:
    """One usage from several: some providers count the input when they start and the output when they end."""
    counts: dict[str, int] = {}
    for usage in reported:
        for name, count in vars(usage).items():
            if count or name not in counts:
                counts[name] = count
    if len(reported) > 1 and {"input", "output"} <= counts.keys():
        counts["total"] = counts["input"] + counts["output"]  # each part's total is of that part
    return Usage(**counts)


def read_stream_cost(logging: Any) -> Cost | None:
    """What LiteLLM priced a stream at when it ended. Call it only where the provider reported usage: LiteLLM
    prices its own estimate without a word.
    """
    return litellm_cost(field(getattr(logging, "cost_breakdown", None), "total_cost"))


def is_stream(result: Any) -> TypeGuard[LiteLLMStream]:
    """Iterators are streams; finished responses are at most iterable."""
    kind = type(result)  # asked directly: the abstract classes of iterators take 10 µs to say it
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


def is_chunks(given: Any) -> TypeGuard[Chunks]:
    """Whether it reads the chunks of a stream. Each class that does has both of these."""
    return hasattr(type(given), "let_go") and hasattr(type(given), "usage")


def is_stream_manager(result: Any) -> TypeGuard[LiteLLMStream]:
    """What OpenAI's client gives for an assistant's run that streams: nothing is sent before it is entered."""
    return type(result).__name__ in {"AssistantStreamManager", "AsyncAssistantStreamManager"}
