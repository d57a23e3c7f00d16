"""TracedStream: a stream of LiteLLM's that records how the application reads it.

A traced stream offers what LiteLLM's stream offers, and nothing else: an application must not come to rely on
something that works only while it is traced, and must not miss anything either.

- Attributes are LiteLLM's stream's, those that Python sets on every object included, so `isinstance` and pickling see
  LiteLLM's class.
- Operators, `len()`, iteration and the like are methods of a class. So each class of streams gets a class of its own
  here, which has those methods that it has.
- What is traced is iteration, closing and leaving a `with` block, and that the application forgets the stream.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from functools import lru_cache, wraps
from types import AsyncGeneratorType, GeneratorType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from agentops_otel_litellm import readers

if TYPE_CHECKING:
    from agentops_otel_litellm.observing.observation import Observation

Result = TypeVar("Result")
Method = Callable[..., Any]
Error = BaseException

_BINARY = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"),
    *("lshift", "rshift", "and", "xor", "or"),
)
_FORWARDED = frozenset(
    {
        *("__len__", "__length_hint__", "__bool__", "__contains__", "__reversed__"),
        *("__getitem__", "__setitem__", "__delitem__", "__missing__", "__call__", "__await__"),
        *("__int__", "__float__", "__complex__", "__index__", "__bytes__", "__fspath__"),
        *("__round__", "__trunc__", "__floor__", "__ceil__", "__neg__", "__pos__", "__abs__", "__invert__"),
        *(f"__{prefix}{name}__" for prefix in ("", "r", "i") for name in _BINARY),
        "__buffer__",
        "__hash__",
    }
)
"""Methods that a class of streams may have, and that are called on LiteLLM's stream."""


class Handle:
    """What all wrappers of one stream share. When it is gone, nobody can read the stream any more."""

    __slots__ = ("_observation",)

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    def __del__(self) -> None:
        observation = getattr(self, "_observation", None)  # making it may have been interrupted
        if observation is not None:
            observation.forgotten()


class TracedStream:
    """What every traced stream has. The classes that are instantiated are made by `_traced_class`."""

    __slots__ = ("_held",)
    _held: tuple[Any, Observation, Handle]

    def __init__(self, stream: object, observation: Observation, handle: Handle) -> None:
        object.__setattr__(self, "_held", (stream, observation, handle))

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever LiteLLM's stream has
        value = getattr(_held(self)[0], name)
        if name in _TRACED:
            return MethodType(_TRACED[name], self)
        trace = _TRACED_CALLS.get(name)
        return value if trace is None or not callable(value) else trace(self, value)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_held(self)[0], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_held(self)[0], name)

    def __copy__(self) -> object:
        """Of the class alone, where `copy.copy` looks for it: a copy is traced as one more wrapper of the stream."""
        stream, observation, handle = _held(self)
        copied = copy(stream)
        return traced_stream(copied, observation, handle) if readers.is_stream(copied) else copied

    # What every object has.

    def __repr__(self) -> str:
        return repr(_held(self)[0])

    def __str__(self) -> str:
        return str(_held(self)[0])

    def __format__(self, specification: str) -> str:
        return format(_held(self)[0], specification)

    def __dir__(self) -> Iterable[str]:
        return dir(_held(self)[0])

    def __sizeof__(self) -> int:
        size: int = _held(self)[0].__sizeof__()
        return size

    def __eq__(self, other: object) -> bool:
        return _compared(self, "__eq__", other)

    def __ne__(self, other: object) -> bool:
        return _compared(self, "__ne__", other)

    def __lt__(self, other: object) -> bool:
        return _compared(self, "__lt__", other)

    def __le__(self, other: object) -> bool:
        return _compared(self, "__le__", other)

    def __gt__(self, other: object) -> bool:
        return _compared(self, "__gt__", other)

    def __ge__(self, other: object) -> bool:
        return _compared(self, "__ge__", other)

    __hash__ = None  # type: ignore[assignment]  # a class of streams that can be hashed has the method forwarded


_held: Callable[[TracedStream], tuple[Any, Observation, Handle]] = TracedStream.__dict__["_held"].__get__
"""LiteLLM's stream, the observation and the handle of a traced stream, without its `__getattribute__`."""


def traced_stream(stream: object, observation: Observation, handle: Handle | None = None) -> TracedStream:
    """Return the wrapper that offers what `stream` offers; `handle` is that of the stream it was taken from."""
    kind = type(stream)
    present = {name for base in kind.__mro__ for name in vars(base)} & _OFFERED
    refused = frozenset(name for name in present if getattr(kind, name) is None)
    make = _traced_class(
        frozenset(present) - refused, refused, kind.__module__, kind.__qualname__, kind.__weakrefoffset__ != 0
    )
    return make(stream, observation, handle or Handle(observation))


def unwrapped(result: object) -> object:
    """LiteLLM's stream beneath a traced one; anything else as it is."""
    return _held(result)[0] if issubclass(type(result), TracedStream) else result  # type: ignore[arg-type]  # it is one


@lru_cache(maxsize=256)
def _traced_class(
    offered: frozenset[str],
    refused: frozenset[str],
    module: str,
    qualified_name: str,
    referable: bool,  # noqa: FBT001 - a part of the key
) -> type[TracedStream]:
    """Return a class with those of our methods that a class of streams offers, under that class's name, which error
    messages have.

    The key is not the class itself: LiteLLM's Router makes a new one for each call.
    """
    methods = {name: _TRACED.get(name) or _forwarding(name) for name in offered}
    names = {"__module__": module, "__qualname__": qualified_name, "__slots__": ("__weakref__",) if referable else ()}
    return type(qualified_name.rpartition(".")[2], (TracedStream,), {**methods, **dict.fromkeys(refused), **names})


def _forwarding(name: str) -> Method:
    """Return the method that calls LiteLLM's stream's."""

    def forwarded(self: TracedStream, *args: object, **kwargs: object) -> object:
        stream = _held(self)[0]
        result = getattr(type(stream), name)(stream, *args, **kwargs)
        return self if result is stream else result

    return forwarded


def _compared(self: TracedStream, name: str, other: object) -> bool:
    stream = _held(self)[0]
    result: bool = getattr(type(stream), name)(stream, unwrapped(other))
    return result


# --- iteration ----------------------------------------------------------------------------------------------


def _iterator(self: TracedStream, iterator: object) -> object:
    """What iterates as `iterator` does, which the stream returned: most of LiteLLM's streams return themselves."""
    stream, observation, handle = _held(self)
    if iterator is stream:
        return self
    return traced_stream(iterator, observation, handle) if readers.is_stream(iterator) else iterator


def _iter(self: TracedStream) -> object:
    return _iterator(self, _held(self)[0].__iter__())


def _aiter(self: TracedStream) -> object:
    return _iterator(self, _held(self)[0].__aiter__())


def _next(self: TracedStream) -> object:
    stream, observation, _handle = _held(self)
    running = None
    try:  # as `with observation.running()` does: making that block costs for each chunk
        running = observation.enter()
        chunk = stream.__next__()
        observation.received(running, chunk)
    except BaseException as error:
        observation.leave(running, error)
        raise
    return chunk


async def _anext(self: TracedStream) -> object:
    stream, observation, _handle = _held(self)
    running = None
    try:
        running = observation.enter()
        chunk = await stream.__anext__()
        observation.received(running, chunk)
    except BaseException as error:
        observation.leave(running, error)
        raise
    return chunk


def _resuming(self: TracedStream, resume: Method) -> Method:
    """`send` or `throw` of a generator, or those of an asynchronous one: they return the next chunk."""
    stream, observation, _handle = _held(self)
    if isinstance(stream, GeneratorType):

        @wraps(resume)
        def resumed(*args: object) -> object:
            running = None
            try:
                running = observation.enter()
                chunk = resume(*args)
                observation.received(running, chunk)
            except BaseException as error:
                observation.leave(running, error)
                raise
            return chunk

        return resumed
    if not isinstance(stream, AsyncGeneratorType):
        return resume

    @wraps(resume)
    async def resumed_async(*args: object) -> object:
        running = None
        try:
            running = observation.enter()
            chunk = await resume(*args)
            observation.received(running, chunk)
        except BaseException as error:
            observation.leave(running, error)
            raise
        return chunk

    return resumed_async


def _renamed(self: TracedStream, iterate: Method) -> Method:
    """A method that returns the stream itself, by another name."""

    @wraps(iterate)
    def iterated(*args: object, **kwargs: object) -> object:
        return _iterator(self, iterate(*args, **kwargs))

    return iterated


# --- the end ------------------------------------------------------------------------------------------------


def _closing(self: TracedStream, close: Method) -> Method:
    """`close` or `aclose`."""
    observation = _held(self)[1]

    @wraps(close)
    def closing(*args: object, **kwargs: object) -> object:
        with observation.running():
            closed = close(*args, **kwargs)
        if inspect.isawaitable(closed):
            return _closed(self, closed)
        observation.closed()
        return closed

    return closing


async def _closed(self: TracedStream, closing: Awaitable[Result]) -> Result:
    """Nobody else may hold the wrapper by then: without it, the stream would be recorded as forgotten."""
    observation = _held(self)[1]
    with observation.running():
        result = await closing
    observation.closed()
    return result


def _enter(self: TracedStream) -> object:
    stream, observation, _handle = _held(self)
    with observation.running():
        entered = stream.__enter__()
    return self if entered is stream else entered


def _exit(self: TracedStream, kind: type[Error] | None, error: Error | None, traceback: TracebackType | None) -> object:
    stream, observation, _handle = _held(self)
    with observation.running():
        handled = stream.__exit__(kind, error, traceback)
    observation.closed()
    return handled


async def _aenter(self: TracedStream) -> object:
    stream, observation, _handle = _held(self)
    with observation.running():
        entered = await stream.__aenter__()
    return self if entered is stream else entered


async def _aexit(
    self: TracedStream, kind: type[Error] | None, error: Error | None, traceback: TracebackType | None
) -> object:
    return await _closed(self, _held(self)[0].__aexit__(kind, error, traceback))


_TRACED: dict[str, Method] = {
    "__iter__": _iter,
    "__next__": _next,
    "__aiter__": _aiter,
    "__anext__": _anext,
    "__enter__": _enter,
    "__exit__": _exit,
    "__aenter__": _aenter,
    "__aexit__": _aexit,
}
"""Methods that Python looks for in the class of a stream → ours."""
_TRACED_CALLS: dict[str, Callable[[TracedStream, Method], Method]] = {
    "close": _closing,
    "aclose": _closing,
    "aiter_bytes": _renamed,
    **dict.fromkeys(("send", "throw", "asend", "athrow"), _resuming),
}
"""Other methods → what makes ours of LiteLLM's."""
_OFFERED = _FORWARDED | _TRACED.keys()
