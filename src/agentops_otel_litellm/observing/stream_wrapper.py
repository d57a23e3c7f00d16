"""A stream as the app sees it: LiteLLM's own in everything but that its span knows how it went."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import MethodType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import wrapt

from agentops_otel_litellm import readers
from agentops_otel_litellm.open_streams import OPEN_STREAMS
from agentops_otel_litellm.readers import LiteLLMStream

if TYPE_CHECKING:
    from agentops_otel_litellm.observing.observation import Observation

Result = TypeVar("Result")


if TYPE_CHECKING:
    ObjectProxy = wrapt.ObjectProxy[object]
else:
    ObjectProxy = wrapt.ObjectProxy  # not subscriptable before wrapt 2


class where_offered:  # noqa: N801 - a decorator
    """A method that a wrapper has where its stream has it: wrapt's proxies are context managers, whatever they wrap."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method

    def __get__(self, wrapper: TracedStream | None, _kind: type) -> Callable[..., Any]:
        if wrapper is None:  # asked of the class, as `ExitStack` does: it calls what it gets with the wrapper
            return self._method
        getattr(wrapper.__wrapped__, self._method.__name__)
        return MethodType(self._method, wrapper)


class TracedStream(ObjectProxy):
    """What every traced stream has: closing it or leaving it ends its span, and so does forgetting it.

    `close` and `aclose` are offered where the stream itself has them: an app could come to rely on what tracing adds.
    """

    __wrapped__: LiteLLMStream

    def __init__(self, stream: LiteLLMStream, observation: Observation, whole: TracedStream | None = None) -> None:
        super().__init__(stream)
        self._self_observation = observation
        self._self_whole = whole
        """The stream that this is the iterator of, where that is not the stream itself."""

    def _self_of(self, iterator: object) -> object:
        """What iterates as `iterator` does, which the stream gave: streams are iterators, but for some of LiteLLM's."""
        if iterator is self.__wrapped__:
            return self
        return traced_stream(iterator, self._self_observation, self) if readers.is_stream(iterator) else iterator

    def __getattr__(self, name: str) -> object:
        value: object = getattr(self.__wrapped__, name)
        if name in {"close", "aclose"} and callable(value):
            return self._self_closing(value)
        if name == "aiter_bytes" and callable(value):
            return self._self_iterated(value)
        return value

    def _self_iterated(self, iterate: Callable[..., object]) -> Callable[..., object]:
        """What gives the stream itself, by another name."""

        def iterated(*args: object, **kwargs: object) -> object:
            iterator = iterate(*args, **kwargs)
            return self if iterator is self.__wrapped__ else iterator

        return iterated

    def _self_closing(self, close: Callable[..., object]) -> Callable[..., object]:
        def closing(*args: object, **kwargs: object) -> object:
            with self._self_observation.running():
                closed = close(*args, **kwargs)
            if inspect.isawaitable(closed):
                return self._self_closed(closed)
            self._self_observation.closed()
            return closed

        return closing

    @where_offered
    def __enter__(self) -> object:
        with self._self_observation.running():
            entered = self.__wrapped__.__enter__()
        return self if entered is self.__wrapped__ else entered

    @where_offered
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        with self._self_observation.running():
            handled = self.__wrapped__.__exit__(kind, error, traceback)
        self._self_observation.closed()
        return handled

    @where_offered
    async def __aenter__(self) -> object:
        with self._self_observation.running():
            entered = await self.__wrapped__.__aenter__()
        return self if entered is self.__wrapped__ else entered

    @where_offered
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._self_closed(self.__wrapped__.__aexit__(kind, error, traceback))

    async def _self_closed(self, closing: Awaitable[Result]) -> Result:
        """Nobody else may hold this wrapper by then: without it, the stream would be taken for forgotten."""
        with self._self_observation.running():
            result = await closing
        self._self_observation.closed()
        return result

    def __del__(self) -> None:
        observation = getattr(self, "_self_observation", None)
        if observation is not None and self._self_whole is None:
            OPEN_STREAMS.forget(observation)


class TracedIterator(TracedStream):
    """For streams that are iterated."""

    def __iter__(self) -> Iterator[object]:
        return cast("Iterator[object]", self._self_of(self.__wrapped__.__iter__()))

    def __next__(self) -> object:
        observation = self._self_observation
        running = observation.enter()  # as `with observation.running()` does: making that block costs for each chunk
        try:
            chunk = self.__wrapped__.__next__()
        except BaseException as error:
            observation.leave(running, error)
            raise
        observation.received(running, chunk)
        return chunk


class TracedAsyncIterator(TracedStream):
    """For streams that are iterated asynchronously."""

    def __aiter__(self) -> AsyncIterator[object]:
        return cast("AsyncIterator[object]", self._self_of(self.__wrapped__.__aiter__()))

    async def __anext__(self) -> object:
        observation = self._self_observation
        running = observation.enter()
        try:
            chunk = await self.__wrapped__.__anext__()
        except BaseException as error:
            observation.leave(running, error)
            raise
        observation.received(running, chunk)
        return chunk


class TracedDualIterator(TracedIterator, TracedAsyncIterator):
    """For LiteLLM's chat streams, which are iterated either way."""


# (has `__next__`, has `__anext__`) → what wraps it, and adds no way of iterating.
WRAPPERS: dict[tuple[bool, bool], type[TracedStream]] = {
    (True, False): TracedIterator,
    (False, True): TracedAsyncIterator,
    (True, True): TracedDualIterator,
    (False, False): TracedStream,
}


def traced_stream(stream: LiteLLMStream, observation: Observation, whole: TracedStream | None = None) -> TracedStream:
    """The wrapper that iterates as `stream` does."""
    kind = type(stream)
    return WRAPPERS[hasattr(kind, "__next__"), hasattr(kind, "__anext__")](stream, observation, whole)
