"""How functions of LiteLLM are replaced, wrapped with a hook, and restored.

A hook records one fact about a call in progress. One hook can wrap synchronous and asynchronous functions. It never
changes what the function receives, returns or raises. There are two kinds:

- Most hooks run after the wrapped function, with its result and exception (`hook_after`). `when` is checked first, so
  that a hook for rare outcomes costs nearly nothing in all other calls:

      @hook_after("recording a response that LiteLLM rejected", "response", when=_has_raised)
      def record_rejected(invocation: Invocation, outcome: Outcome, response: object) -> None:
          ...

- The others are generator functions (`hook`). The code before `yield` runs before the wrapped function. Then `yield`
  returns the outcome, and the rest of the hook runs. So a value from before the function can be kept in a variable:

      @hook("recording an attempt's failure", "original_exception")
      def record_failed_attempt(invocation: Invocation, original: object) -> Recording:
          at = perf_counter()
          result, error = yield
          ...
"""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import wraps
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple, TypeVar

from agentops_otel_litellm.guard import log_fault
from agentops_otel_litellm.invocation.context import CURRENT, SUPPRESSED, SUPPRESSED_EARLIER, get_current
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.operations import parameter_names

Function = Callable[..., Any]
Wrapper = Callable[[Function], Function]
Outcome = tuple[object, BaseException | None]
"""The wrapped function's result and `None`, or `None` and the exception that it raised."""
Recording = Generator[None, Outcome, None]
"""The generator of a hook: it yields once, and receives the outcome."""


# --- the current invocation ---------------------------------------------------------------------------------


def current_call() -> Invocation | None:
    """The traced call of a model for which LiteLLM is running; `None` if there is none, or if it has ended."""
    invocation = current_invocation()
    return None if invocation is None or not invocation.calls_a_model else invocation


def current_invocation() -> Invocation | None:
    """The traced call for which LiteLLM is running: a call of a model, or an operation around calls, such as a route.
    `None` if there is none, if it has ended, or if instrumentation is suppressed.
    """
    context = get_current()
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
    if invocation is None or invocation.has_ended() or context.get(SUPPRESSED) or context.get(SUPPRESSED_EARLIER):
        return None
    return invocation


# --- around a function --------------------------------------------------------------------------------------


Started = TypeVar("Started")


def wrapped_around(
    function: Function,
    start: Callable[[tuple[object, ...], dict[str, object]], Started | None],
    finish: Callable[[Started, Outcome], None],
) -> Function:
    """Return the replacement of a function, which is asynchronous if the function is.

    `start` runs before the function, with its arguments by position and by name. `finish` runs after it, with the
    object that `start` returned and the outcome; it does not run if that object is `None`. Both must not raise.
    """
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def wrapped_async(*args: object, **kwargs: object) -> object:
            started = start(args, kwargs)
            if started is None:
                return await function(*args, **kwargs)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                finish(started, (None, error))
                raise
            finish(started, (result, None))
            return result

        return wrapped_async

    @wraps(function)
    def wrapped(*args: object, **kwargs: object) -> object:
        started = start(args, kwargs)
        if started is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            finish(started, (None, error))
            raise
        finish(started, (result, None))
        return result

    return wrapped


# --- hooks --------------------------------------------------------------------------------------------------


Condition = Callable[[object, "BaseException | None", Sequence[object]], bool]
"""Function: result, exception, values of the hook's arguments → whether the hook runs."""


def hook_after(
    activity: str, *arguments: str, when: Condition | None = None, in_any_operation: bool = False
) -> Callable[[Callable[..., None]], Wrapper]:
    """Decorator: turns a function that runs after LiteLLM's function into a wrapper of that function.

    The function's parameters are the current invocation, the outcome, and the arguments as in `hook`. It runs only if
    `when` returns true. By default it runs for each outcome.
    """

    def wrapper_of(record: Callable[..., None]) -> Wrapper:
        hook = _Hook(activity, record, arguments, in_any_operation, when)
        return wraps(record)(lambda function: _HookedAfter(hook, function).wrapped())

    return wrapper_of


def hook(
    activity: str, *arguments: str, in_any_operation: bool = False
) -> Callable[[Callable[..., Recording]], Wrapper]:
    """Decorator: turns a hook into a wrapper, which takes a function of LiteLLM and returns its replacement.

    A hook is a generator function, as the module's docstring describes. Its parameters are the current invocation and
    those arguments of LiteLLM's function that `arguments` names; `None` for one that was not passed. It runs only in a
    traced call of a model; with `in_any_operation`, also in an operation around calls, such as a route. `activity`
    describes the hook in the log message if it raises.
    """

    def wrapper_of(record: Callable[..., Recording]) -> Wrapper:
        hook = _Hook(activity, record, arguments, in_any_operation)
        return wraps(record)(lambda function: _Hooked(hook, function).wrapped())

    return wrapper_of


class _Hook(NamedTuple):
    """A hook: the arguments of `hook` or `hook_after`, and the decorated function (`record`)."""

    activity: str
    record: Callable[..., Any]
    arguments: tuple[str, ...]
    in_any_operation: bool
    when: Condition | None = None


class _HookOf:
    """A hook, and the function of LiteLLM that it wraps. The base class of both kinds of hooks."""

    def __init__(self, hook: _Hook, function: Function) -> None:
        self._activity, self._record, names_read, self._in_any_operation, self._when = hook
        self._function = function
        names = parameter_names(function) if names_read else ()
        self._arguments = [(name, names.index(name) if name in names else sys.maxsize) for name in names_read]
        """Name and position of each argument that the hook receives. A keyword-only argument has no position."""

    def _values(self, args: tuple[object, ...], kwargs: dict[str, object]) -> list[object]:
        """The values of the arguments that the hook receives; `None` for one that was not passed."""
        values = []
        for name, at in self._arguments:  # not a comprehension, which would be one more function call
            values.append(args[at] if at < len(args) else kwargs.get(name))
        return values

    def _invocation(self) -> Invocation | None:
        """The current invocation, if the hook is for its operation."""
        invocation = current_invocation()
        return invocation if invocation is None or invocation.calls_a_model or self._in_any_operation else None


class _HookedAfter(_HookOf):
    """A function of LiteLLM that is wrapped with a hook that runs after it."""

    def wrapped(self) -> Function:
        """Return the replacement of the function, which is asynchronous if the function is."""
        function, finish = self._function, self._finish
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def hooked_async(*args: object, **kwargs: object) -> object:
                try:
                    result = await function(*args, **kwargs)
                except BaseException as error:
                    finish(None, error, args, kwargs)
                    raise
                finish(result, None, args, kwargs)
                return result

            return hooked_async

        @wraps(function)
        def hooked(*args: object, **kwargs: object) -> object:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                finish(None, error, args, kwargs)
                raise
            finish(result, None, args, kwargs)
            return result

        return hooked

    def _finish(
        self, result: object, error: BaseException | None, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        """Run the hook, if it is for this outcome and for the current call."""
        try:
            values = self._values(args, kwargs) if self._arguments else ()
            if self._when is None or self._when(result, error, values):
                invocation = self._invocation()
                if invocation is not None:
                    self._record(invocation, (result, error), *values)
        except Exception as fault:  # must not reach the application
            log_fault(self._activity, fault)


class _Hooked(_HookOf):
    """A function of LiteLLM that is wrapped with a hook that is a generator function."""

    def wrapped(self) -> Function:
        """Return the replacement of the function."""
        return wrapped_around(self._function, self._start, self._finish)

    def _start(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Recording | None:
        """Run the hook until its `yield`. Return its generator; `None` if the hook is not for the current call, has
        finished without a `yield`, or has failed, which is logged.
        """
        try:
            invocation = self._invocation()
            if invocation is None:
                return None
            recording: Recording = self._record(invocation, *self._values(args, kwargs))
            next(recording)
            return recording  # noqa: TRY300 - a signal handler may raise here
        except StopIteration:
            return None
        except Exception as fault:  # must not reach the application
            log_fault(self._activity, fault)
            return None

    def _finish(self, recording: Recording, outcome: Outcome) -> None:
        """Pass the outcome of the function to the hook, which runs to its end."""
        try:
            recording.send(outcome)
        except StopIteration:
            return
        except Exception as fault:  # must not reach the application
            log_fault(self._activity, fault)


# --- replacing and restoring --------------------------------------------------------------------------------

_originals: dict[Any, Any] = {}
"""Replacement → original. Empty while LiteLLM is not instrumented."""
_made: dict[tuple[Function, Wrapper], Function] = {}
"""A function and its wrapper → the replacement. If LiteLLM is instrumented again, the same replacements are used."""
_patched: set[tuple[Any, str]] = set()
"""Modules and classes, and the names in them, whose values were replaced."""
_built: dict[CodeType, tuple[FunctionType, Wrapper]] = {}
"""The code object of the functions that a decorator of LiteLLM returns → the decorator, and the wrapper for these
functions.
"""


def replaced(original: Function, wrapper: Wrapper) -> Function:
    """Return the replacement that `wrapper` makes of a function, perhaps the function itself."""
    key = (original, wrapper)
    is_function = type(original) is FunctionType  # any other object may not be hashable
    replacement = _made.get(key) if is_function else None
    if replacement is None:
        replacement = wrapper(original)
        _copy_signature(original, replacement)
        if is_function and replacement is not original:
            _made[key] = replacement
    if replacement is not original:
        _originals[replacement] = original
    return replacement


def _copy_signature(original: Function, replacement: Function) -> None:
    """Give `replacement` the signature of `original`.

    `functools.wraps` has set the replacement's `__wrapped__` to the original.

    - If LiteLLM's decorator has set `__wrapped__` of the original, the replacement gets the same value. So the chain of
      `__wrapped__` is as long as without tracing.
    - Otherwise, `__wrapped__` stays: by it, `inspect.getsource` and `typing.get_type_hints` find the original.
      `inspect.getfullargspec` ignores `__wrapped__`, so the replacement gets a `__signature__`.
    """
    original = getattr(original, "__func__", original)
    replacement = getattr(replacement, "__func__", replacement)
    if not isinstance(original, FunctionType) or not isinstance(replacement, FunctionType) or original is replacement:
        return
    if hasattr(original, "__wrapped__"):
        replacement.__wrapped__ = original.__wrapped__  # type: ignore[attr-defined]  # functions accept any attribute
    else:
        replacement.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]  # as above


def register_decorator(decorator: FunctionType, wrapper: Wrapper) -> None:
    """Have `replace_aliases` wrap the functions that LiteLLM's decorator returned before it was replaced."""
    # All these functions are defined in the decorator's body, so their code objects are constants of its code.
    for constant in decorator.__code__.co_consts:
        if isinstance(constant, CodeType):
            _built[constant] = decorator, wrapper


def is_built(function: Function) -> bool:
    """Whether a decorator that is replaced now has returned the function, or the original of the function."""
    codes = (getattr(each, "__code__", None) for each in (function, _originals.get(function)))
    decorators = {_built[code][0] for code in codes if code in _built}
    return not decorators.isdisjoint(_originals.values())


def patch(module: ModuleType, name: str, wrapper: Wrapper) -> bool:
    """Wrap the object with the dotted `name` in `module`; return whether the module has such an object."""
    owner, _, last = name.rpartition(".")
    namespace = getattr(module, owner, None) if owner else module
    original: Any = None if namespace is None else vars(namespace).get(last)
    if isinstance(original, staticmethod | classmethod):
        replacement: Any = type(original)(replaced(original.__func__, wrapper))
        _originals[replacement] = original
    elif callable(original) or isinstance(original, ModuleType):
        replacement = replaced(original, wrapper)
    else:
        return False
    if replacement is not original:
        _patched.add((namespace, last))
        setattr(namespace, last, replacement)
    return True


def replace_aliases() -> None:
    """Put the replacements into every module that has imported the originals, of LiteLLM and of the application."""
    replacements = {original: replacement for replacement, original in _originals.items()}
    built = {code: wrapper for code, (decorator, wrapper) in _built.items() if decorator in replacements}
    for namespace, name, value in _aliases.functions():
        if value in _originals:
            continue
        if value not in replacements and value.__code__ in built:
            replacements[value] = replaced(value, built[value.__code__])
        if value in replacements:
            namespace[name] = _follow(value, replacements)
            _aliases.add(namespace, name)


def undo() -> None:
    """Restore the originals in all modules and classes that have a replacement."""
    for owner, name in _patched:
        found: Any = vars(owner).get(name)
        if found.__hash__ is not None and found in _originals:  # the application may have set an unhashable object
            setattr(owner, name, _follow(found, _originals))
    for namespace, name, value in _aliases.functions():
        if value in _originals:
            namespace[name] = _follow(value, _originals)
            _aliases.add(namespace, name)
    _originals.clear()
    _patched.clear()


def _follow(value: Function, successors: dict[Any, Any]) -> Function:
    """The last function of the chain that begins with `value`: a function may have been replaced twice."""
    while value in successors:
        value = successors[value]
    return value


class _Aliases:
    """The names of LiteLLM's functions in modules, such as those that `from litellm import completion` creates.

    To find them, all names of all modules are read, which are 100,000 or more. If LiteLLM is instrumented again, only
    these are read: the aliases that were found, the modules that were imported since, and the application's modules.
    (An application or a notebook can create an alias at any time. Installed packages do so when they are imported.)
    """

    def __init__(self) -> None:
        self._found: dict[tuple[int, str], dict[str, Any]] = {}
        """Id of a module's namespace, and a name → the namespace."""
        self._of_application: set[str] = set()
        """Names of the modules that are read each time."""
        self._read: dict[str, int] = {}
        """Name of each module that was read → the id of the module."""
        self._last: tuple[int, str] | None = None
        """The number of imported modules, and the name of the last one, when the modules were read."""

    def add(self, namespace: dict[str, Any], name: str) -> None:
        """Add an alias: `name` in the `namespace` of a module is one of LiteLLM's functions, or its replacement."""
        self._found[id(namespace), name] = namespace

    def functions(self) -> Iterator[tuple[dict[str, Any], str, FunctionType]]:
        """Each alias, and each function in a module that must be read: the namespace, the name and the function."""
        for (_, name), namespace in list(self._found.items()):
            if type(namespace.get(name)) is FunctionType:
                yield namespace, name, namespace[name]
        for module_name in self._unread():
            names: Any = getattr(sys.modules.get(module_name), "__dict__", None)  # `sys.modules` may have any object
            if isinstance(names, dict):
                if not _is_installed(names):
                    self._of_application.add(module_name)
                for name, value in list(names.items()):
                    if type(value) is FunctionType:
                        yield names, name, value

    def _unread(self) -> list[str]:
        """The names of the modules that must be read."""
        last = len(sys.modules), next(reversed(sys.modules))
        new: list[str] = []
        if self._last != last:
            self._last = last
            for name, module in list(sys.modules.items()):
                if self._read.get(name) != id(module):
                    self._read[name] = id(module)
                    new.append(name)
        return [*self._of_application.difference(new), *new]


_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")})


def _is_installed(namespace: dict[str, Any]) -> bool:
    """Whether a module, which has this namespace, is a part of this package, of an installed package, or of Python."""
    path = namespace.get("__file__")
    if str(namespace.get("__name__")).startswith("agentops_otel_litellm."):
        return True  # it may be installed in place, from a directory of its own
    is_builtin = path is None and namespace.get("__name__") != "__main__"
    return is_builtin or (isinstance(path, str) and path.startswith(_INSTALLED))


_aliases = _Aliases()
