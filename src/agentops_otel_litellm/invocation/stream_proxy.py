"""TracedStream: the wrapper of a LiteLLM stream that records how the application reads it.

A traced stream has exactly the attributes and methods of LiteLLM's stream, so that an application behaves the same with
and without tracing.

- Attributes are read from LiteLLM's stream, including those that every object has, such as `__class__`. So `isinstance`
  and pickling find LiteLLM's class.
- Python looks up the methods for operators, `len()` and iteration in the class, not in the object. So for each class of
  LiteLLM's streams, a traced class with the same special methods is created.
- Iteration, closing, leaving a `with` block, and dropping the stream are recorded.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Token
from copy import copy
from functools import lru_cache, wraps
from time import perf_counter
from types import AsyncGeneratorType, GeneratorType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from opentelemetry.context import Context

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import log_fault
from agentops_otel_litellm.invocation.context import attach, detach, reset

if TYPE_CHECKING:
    from agentops_otel_litellm.invocation.invocation import Invocation

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
"""Special methods that are forwarded to LiteLLM's stream, if its class has them."""


class Running:
    """A block (`with Running(invocation):`) in which LiteLLM runs for a call, and the call's span is the current span.

    Each block needs a new object, because several threads or tasks may read one stream at the same time.
    """

    __slots__ = ("_invocation", "_token")

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def __enter__(self) -> None:
        self._token = self._invocation.enter()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._invocation.leave(self._token, error)


class Handle:
    """An object that all wrappers of one stream share. When Python frees it, nobody can read the stream any more, and
    the call is ended.
    """

    __slots__ = ("_invocation",)

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def __del__(self) -> None:
        invocation = getattr(self, "_invocation", None)  # missing if a signal handler interrupted `__init__`
        if invocation is not None:
            invocation.drop_stream()


class TracedStream:
    """The base class of traced streams. `_traced_class` makes the classes that are instantiated."""

    __slots__ = ("_parts",)
    _parts: tuple[Any, Invocation, Handle]

    def __init__(self, stream: object, invocation: Invocation, handle: Handle) -> None:
        object.__setattr__(self, "_parts", (stream, invocation, handle))

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of LiteLLM's stream
        value = getattr(_parts(self)[0], name)
        if name in _TRACED:
            return MethodType(_TRACED[name], self)
        trace = _TRACED_CALLS.get(name)
        return value if trace is None or not callable(value) else trace(self, value)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_parts(self)[0], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_parts(self)[0], name)

    def __copy__(self) -> object:
        """Copy LiteLLM's stream and wrap the copy, with the same handle. `copy.copy` finds this method in the class."""
        stream, invocation, handle = _parts(self)
        copied = copy(stream)
        return traced_stream(copied, invocation, handle) if readers.is_stream(copied) else copied

    # Special methods that every object has.

    def __repr__(self) -> str:
        return repr(_parts(self)[0])

    def __str__(self) -> str:
        return str(_parts(self)[0])

    def __format__(self, specification: str) -> str:
        return format(_parts(self)[0], specification)

    def __dir__(self) -> Iterable[str]:
        return dir(_parts(self)[0])

    def __sizeof__(self) -> int:
        size: int = _parts(self)[0].__sizeof__()
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

    __hash__ = None  # type: ignore[assignment]  # forwarded if LiteLLM's class has it


_parts: Callable[[TracedStream], tuple[Any, Invocation, Handle]] = TracedStream.__dict__["_parts"].__get__
"""Function: traced stream → LiteLLM's stream, the invocation, the handle. It bypasses `__getattribute__`."""


def traced_stream(stream: object, invocation: Invocation, handle: Handle | None = None) -> TracedStream:
    """Return a wrapper of `stream`. If a method of a traced stream returned `stream`, pass that stream's `handle`."""
    kind = type(stream)
    make = _TRACED_CLASSES.get(kind)
    if make is None:
        present = {name for base in kind.__mro__ for name in vars(base)} & _OFFERED
        disabled = frozenset(name for name in present if getattr(kind, name) is None)
        make = _TRACED_CLASSES[kind] = _traced_class(
            frozenset(present) - disabled, disabled, kind.__module__, kind.__qualname__, kind.__weakrefoffset__ != 0
        )
    return make(stream, invocation, handle or Handle(invocation))


_TRACED_CLASSES: WeakKeyDictionary[type, type[TracedStream]] = WeakKeyDictionary()
"""Class of LiteLLM's streams → the class of its traced streams."""


def unwrapped(result: object) -> object:
    """Return LiteLLM's stream for a traced stream, and any other object unchanged."""
    return _parts(result)[0] if issubclass(type(result), TracedStream) else result  # type: ignore[arg-type]  # a TracedStream


@lru_cache(maxsize=256)
def _traced_class(
    offered: frozenset[str],
    disabled: frozenset[str],
    module: str,
    qualified_name: str,
    has_weak_references: bool,  # noqa: FBT001 - a part of the cache's key
) -> type[TracedStream]:
    """Return the class of traced streams for one class of LiteLLM's streams.

    `offered` are the special methods of LiteLLM's class; `disabled` are those that it sets to `None`. The traced class
    has the `module` and the `qualified_name` of LiteLLM's class, because they appear in error messages. LiteLLM's class
    itself is not an argument: the Router creates a new class for each call, and most of these have the same methods.
    """
    methods = {name: _TRACED.get(name) or _forwarding(name) for name in offered}
    slots = ("__weakref__",) if has_weak_references else ()
    names = {"__module__": module, "__qualname__": qualified_name, "__slots__": slots}
    return type(qualified_name.rpartition(".")[2], (TracedStream,), {**methods, **dict.fromkeys(disabled), **names})


def _forwarding(name: str) -> Method:
    """Return a special method of a traced stream that calls the method of LiteLLM's stream."""

    def forwarded(self: TracedStream, *args: object, **kwargs: object) -> object:
        stream = _parts(self)[0]
        result = _special_method(stream, name)(*args, **kwargs)
        return self if result is stream else result

    return forwarded


def _compared(self: TracedStream, name: str, other: object) -> bool:
    """Compare LiteLLM's stream with `other`, or with LiteLLM's stream of `other` if that is a traced stream."""
    stream = _parts(self)[0]
    result: bool = _special_method(stream, name)(unwrapped(other))
    return result


def _special_method(stream: object, name: str) -> Method:
    """The special method of LiteLLM's stream, looked up and bound as Python does it for an operator: in the class."""
    kind = type(stream)
    method = next(vars(base)[name] for base in kind.__mro__ if name in vars(base))
    # Any object can be the method. Only a descriptor, such as a function, is bound; a mock is called without `self`.
    bind = getattr(type(method), "__get__", None)
    bound: Method = method if bind is None else bind(method, stream, kind)
    return bound


# --- iteration ----------------------------------------------------------------------------------------------


def _iterator(self: TracedStream, iterator: object) -> object:
    """The iterator for the application. Most of LiteLLM's streams return themselves; a different stream is wrapped."""
    stream, invocation, handle = _parts(self)
    if iterator is stream:
        return self
    return traced_stream(iterator, invocation, handle) if readers.is_stream(iterator) else iterator


def _iter(self: TracedStream) -> object:
    return _iterator(self, _parts(self)[0].__iter__())


def _aiter(self: TracedStream) -> object:
    return _iterator(self, _parts(self)[0].__aiter__())


def _next(self: TracedStream) -> object:
    """Return the next chunk of LiteLLM's stream, and record it. This runs on the application's thread."""
    stream, invocation, _handle = _parts(self)
    token = None
    try:  # equivalent to `with Running(invocation)`, which would cost more for each chunk
        if invocation.context is not None:
            token = attach(invocation.context)
        chunk = stream.__next__()
        _record_chunk(invocation, token, chunk)
    except BaseException as error:
        invocation.leave(token, error)
        raise
    return chunk


async def _anext(self: TracedStream) -> object:
    """Return the next chunk of LiteLLM's asynchronous stream, and record it. This runs on the event loop's thread."""
    stream, invocation, _handle = _parts(self)
    token = None
    try:
        if invocation.context is not None:
            token = attach(invocation.context)
        chunk = await stream.__anext__()
        _record_chunk(invocation, token, chunk)
    except BaseException as error:
        invocation.leave(token, error)
        raise
    return chunk


def _record_chunk(invocation: Invocation, token: Token[Context] | None, chunk: object) -> None:
    """Record `chunk`, which the stream has just returned, and detach the context that was attached with `token`."""
    now = perf_counter()
    if token is not None:
        try:  # not `detach`, to call one function less for each chunk
            reset(token)
        except (ValueError, RuntimeError):
            detach(token)
    chunks = invocation.chunks
    if chunks is None:  # the call has ended
        return
    try:
        times = invocation.chunk_times
        times.latest_times.append(now)
        if len(times.latest_times) > times.MAX_EXACT:
            times.summarise()
        chunks.add(chunk, now)
    except Exception as fault:  # must not reach the application
        log_fault("reading a chunk", fault)


def _traced_resume(self: TracedStream, resume: Method) -> Method:
    """Trace `send`, `throw`, `asend` or `athrow` of a generator, which return the next chunk. Methods with these names
    of any other object are returned unchanged.
    """
    stream, invocation, _handle = _parts(self)
    if isinstance(stream, GeneratorType):

        @wraps(resume)
        def traced_resume(*args: object) -> object:
            token = None
            try:
                token = invocation.enter()
                chunk = resume(*args)
                _record_chunk(invocation, token, chunk)
            except BaseException as error:
                invocation.leave(token, error)
                raise
            return chunk

        return traced_resume
    if not isinstance(stream, AsyncGeneratorType):
        return resume

    @wraps(resume)
    async def traced_resume_async(*args: object) -> object:
        token = None
        try:
            token = invocation.enter()
            chunk = await resume(*args)
            _record_chunk(invocation, token, chunk)
        except BaseException as error:
            invocation.leave(token, error)
            raise
        return chunk

    return traced_resume_async


def _traced_iterate(self: TracedStream, iterate: Method) -> Method:
    """Trace `aiter_bytes`, which returns an iterator of chunks."""

    @wraps(iterate)
    def traced_iterate(*args: object, **kwargs: object) -> object:
        return _iterator(self, iterate(*args, **kwargs))

    return traced_iterate


# --- the end ------------------------------------------------------------------------------------------------


def _traced_close(self: TracedStream, close: Method) -> Method:
    """Trace `close` or `aclose`."""
    invocation = _parts(self)[1]

    @wraps(close)
    def traced_close(*args: object, **kwargs: object) -> object:
        with Running(invocation):
            result = close(*args, **kwargs)
        if inspect.isawaitable(result):  # the stream is closed when this is awaited
            return _await_close(self, result)
        invocation.close()
        return result

    return traced_close


async def _await_close(self: TracedStream, closing: Awaitable[Result]) -> Result:
    """Await the closing of a stream, then end its call.

    Meanwhile `self` keeps the handle alive, so that the stream is not recorded as dropped.
    """
    invocation = _parts(self)[1]
    with Running(invocation):
        result = await closing
    invocation.close()
    return result


def _enter(self: TracedStream) -> object:
    stream, invocation, _handle = _parts(self)
    with Running(invocation):
        entered = stream.__enter__()
    return self if entered is stream else entered


def _exit(self: TracedStream, kind: type[Error] | None, error: Error | None, traceback: TracebackType | None) -> object:
    stream, invocation, _handle = _parts(self)
    with Running(invocation):
        handled = stream.__exit__(kind, error, traceback)
    invocation.close()
    return handled


async def _aenter(self: TracedStream) -> object:
    stream, invocation, _handle = _parts(self)
    with Running(invocation):
        entered = await stream.__aenter__()
    return self if entered is stream else entered


async def _aexit(
    self: TracedStream, kind: type[Error] | None, error: Error | None, traceback: TracebackType | None
) -> object:
    return await _await_close(self, _parts(self)[0].__aexit__(kind, error, traceback))


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
"""Special methods that are traced → their implementation in a traced class."""
_TRACED_CALLS: dict[str, Callable[[TracedStream, Method], Method]] = {
    "close": _traced_close,
    "aclose": _traced_close,
    "aiter_bytes": _traced_iterate,
    **dict.fromkeys(("send", "throw", "asend", "athrow"), _traced_resume),
}
"""Other methods that are traced → the function that wraps LiteLLM's method."""
_OFFERED = _FORWARDED | _TRACED.keys()
"""Special methods that a traced class has if LiteLLM's class has them."""
