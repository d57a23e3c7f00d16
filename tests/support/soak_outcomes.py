"""Outcomes of calls for the application: the result and its class, chunks, exceptions, and requests.

They are texts without values that differ between calls: ids that LiteLLM creates, times, addresses of objects.
"""

from __future__ import annotations

import asyncio
import re
from ast import literal_eval
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from support.servers.wire import WireProvider

VOLATILE = {
    "_response_ms",
    "response_ms",
    "litellm_call_id",
    "litellm_overhead_time_ms",
    "callback_duration_ms",
    "created",
    "created_at",
    "start_time",
    "end_time",
    "logging_obj",
    "completion_start_time",
}
"""Fields with times, durations, or LiteLLM's own state."""
IN_THE_BACKGROUND = ("/api/show",)
"""Paths of requests that LiteLLM's logging sends on a thread, possibly during the next call."""
DEPTH = 80
_MADE = (
    (re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b0x[0-9a-f]{6,}"), "ADDRESS"),
    (re.compile(r"(?<![\d.])1[789]\d{8}(\.\d+)?"), "TIME"),
    (re.compile(r"\b(call|toolu|msg|resp|fc|ws|tool|chatcmpl|item|rs)_[0-9A-Za-z+/=-]{16,}"), r"\1_MADE"),
)
_OUR_FRAME = re.compile(r'\n  File "[^"\n]*agentops_otel_litellm[^\n]*(\n    [^\n]*)*')
"""In a traceback that LiteLLM quotes in an exception's message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome as text. It is equal for two calls that the application cannot distinguish."""

    result: str = ""
    chunks: tuple[str, ...] = ()
    error: str = ""
    after: str = ""
    """The result of `next` after the end of a stream."""
    requests: tuple[str, ...] = ()
    raised: bool = False

    def differences(self, other: Outcome) -> list[str]:
        return [
            f"{name}:\n   without: {clipped(mine, theirs)}\n   with:    {clipped(theirs, mine)}"
            for name in ("result", "chunks", "error", "after", "requests")
            if (mine := str(getattr(self, name))) != (theirs := str(getattr(other, name)))
        ]


def clipped(text: str, other: str) -> str:
    """The text around the first place where it differs from the other."""
    first = next((n for n, pair in enumerate(zip(text, other, strict=False)) if pair[0] != pair[1]), len(other))
    return f"…{text[max(0, first - 120) : first + 200]}…"


def _stable(text: str) -> str:
    for pattern, name in _MADE:
        text = pattern.sub(name, text)
    return text


def view(value: object) -> str:
    return _stable(repr(_view(value, DEPTH)))


def _view(value: object, depth: int) -> object:
    """Plain data in place of models; fields that are volatile have no value."""
    if depth == 0:
        return "…"
    kind = _class_of(value).__qualname__
    if value is None or isinstance(value, str | int | float | bytes):
        return value if type(value) in {str, int, float, bool, bytes, type(None)} else (kind, repr(value))
    if isinstance(value, BaseModel):
        fields = {**vars(value), **(value.__pydantic_extra__ or {})}
        private = getattr(value, "_hidden_params", None)
        return kind, _view({**fields, "_hidden_params": private}, depth - 1)
    if isinstance(value, Mapping):
        return kind, [
            (_view(key, depth - 1), None if key in VOLATILE else _view(inner, depth - 1))
            for key, inner in value.items()
        ]
    if isinstance(value, list | tuple):
        return kind, [_view(inner, depth - 1) for inner in value]
    content = getattr(value, "content", None)
    return kind, content if isinstance(content, bytes) else ""


def _class_of(value: object) -> type:
    """The class for `isinstance`."""
    return value.__class__


def _joined(chunks: list[str]) -> tuple[str, ...]:
    """Chunks of bytes are joined, since their sizes depend on the network."""
    if chunks and all(chunk.startswith(("b'", 'b"')) for chunk in chunks):
        return (repr(b"".join(literal_eval(chunk) for chunk in chunks)),)
    return tuple(chunks)


def _view_error(error: BaseException) -> str:
    facts = {
        name: getattr(error, name, None) for name in ("status_code", "llm_provider", "model", "code", "type", "param")
    }
    chain = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    texts = [_OUR_FRAME.sub("", str(each)) for each in (error, *error.args)]
    return view([chain, texts, repr(facts)])


class Caller:
    """Calls functions and reads their results to the end; asynchronous ones on one event loop."""

    def __init__(self, wire: WireProvider) -> None:
        self._wire = wire
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def outcome(self, function: Callable[..., Any], parameters: Mapping[str, Any], *, asynchronous: bool) -> Outcome:
        facts: dict[str, Any] = {}
        chunks: list[str] = []
        try:
            if asynchronous:
                self._loop.run_until_complete(self._read_async(function, parameters, facts, chunks))
            else:
                self._read(function, parameters, facts, chunks)
        except Exception as error:  # noqa: BLE001 - any exception reaches the application
            facts.update(error=_view_error(error), raised=True)
        requests = tuple(
            f"{exchange.method} {exchange.path} {_stable(repr(exchange.data))}"
            for exchange in self._wire.ledger
            if not exchange.path.endswith(IN_THE_BACKGROUND)
        )
        return Outcome(**facts, chunks=_joined(chunks), requests=requests)

    def _read(
        self, function: Callable[..., Any], parameters: Mapping[str, Any], facts: dict[str, Any], chunks: list[str]
    ) -> None:
        result = function(**parameters)
        if hasattr(type(result), "__next__"):
            facts["result"] = _class_of(result).__qualname__
            try:
                chunks.extend(map(view, result))  # those before an exception too
            finally:
                facts["after"] = self._next(result)
        elif hasattr(type(result), "__anext__"):  # a result of LiteLLM's synchronous functions for translated APIs
            self._loop.run_until_complete(self._read_stream(result, facts, chunks))
        else:
            facts["result"] = view(result)

    def _next(self, stream: Any) -> str:  # noqa: ANN401 - any of LiteLLM's
        try:
            return view(next(stream))
        except BaseException as error:  # noqa: BLE001 - StopIteration too
            return _view_error(error)

    async def _read_async(
        self, function: Callable[..., Any], parameters: Mapping[str, Any], facts: dict[str, Any], chunks: list[str]
    ) -> None:
        result = await function(**parameters)
        if hasattr(type(result), "__anext__"):
            await self._read_stream(result, facts, chunks)
        else:
            facts["result"] = view(result)

    async def _read_stream(self, stream: Any, facts: dict[str, Any], chunks: list[str]) -> None:  # noqa: ANN401
        facts["result"] = _class_of(stream).__qualname__
        try:
            async for chunk in stream:
                chunks.append(view(chunk))  # noqa: PERF401 - those before an exception too
        finally:
            try:
                facts["after"] = view(await stream.__anext__())
            except BaseException as error:  # noqa: BLE001 - StopAsyncIteration too
                facts["after"] = _view_error(error)
