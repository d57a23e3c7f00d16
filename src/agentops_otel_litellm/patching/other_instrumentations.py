"""Other instrumentations and callbacks that would record the same call, so that it would be two spans.

- GenAI instrumentations, such as those of OpenAI's client, are suppressed by entries of the context in which LiteLLM
  runs for a call. Those that ignore the context are bypassed. Instrumentations of HTTP clients are not suppressed:
  their spans are children of the call's span.
- LiteLLM's own callback `agentops` logs in to AgentOps and exports every call a second time. It is replaced by a
  callback that does nothing.
- About each other instrumentation of LiteLLM, or callback, a warning is logged once. LiteLLM's OpenTelemetry callbacks
  with a tracer provider of their own (`langfuse_otel`, `arize_phoenix` and similar ones) export to a backend of their
  own, so they cause no warning.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial, wraps
from pkgutil import resolve_name
from types import FunctionType, ModuleType
from typing import Any

import wrapt
from opentelemetry.context import Context, create_key, get_current

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.nesting import SUPPRESSING
from agentops_otel_litellm.patching.wrapping import Function
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry

# --- suppression by the context -----------------------------------------------------------------------------

IN_A_CALL = create_key("agentops_otel_litellm.in_a_call")
"""The key of an OpenTelemetry context that is set while LiteLLM runs for a call."""
_MARK = "agentops_otel_litellm"
"""The value of the entries below. Its identity distinguishes them from entries of the application."""
SUPPRESSING[IN_A_CALL] = _MARK
SUPPRESSING["suppress_language_model_instrumentation"] = _MARK  # OpenLLMetry and its relatives check it

_UTIL_GENAI = {
    "opentelemetry.util.genai._inference_invocation": ("CLIENT_INFERENCE_CONTEXT_KEY", "InferenceData"),
    "opentelemetry.util.genai._embedding_invocation": ("CLIENT_EMBEDDING_CONTEXT_KEY", "EmbeddingData"),
}
"""Modules of OpenTelemetry's GenAI instrumentations → the name of the context key under which an invocation has its
data, and the name of the class of the data. An instrumentation that finds such data adds to it and starts no span.
"""


def without_suppression(context: Context) -> Context:
    """Return the context as it was outside the call, for code of the application that LiteLLM runs in it."""
    if IN_A_CALL not in context:
        return context
    added = SUPPRESSING
    return Context({name: value for name, value in context.items() if name not in added or value is not added[name]})


def _suppress_util_genai(key: str, data: str, module: ModuleType) -> None:
    """Suppress OpenTelemetry's instrumentations, once their module is imported.

    If the context has an instance of the data class `data`, these instrumentations start no span, and merge what they
    record into the instance. The instance here ignores it, so one instance is sufficient for all calls.
    """
    with guard("suppressing OpenTelemetry's GenAI instrumentations"):
        name, kind = getattr(module, key, None), getattr(module, data, None)
        if name is not None and kind is not None:  # earlier releases have neither
            SUPPRESSING[name] = type(data, (kind,), {"merge": lambda *_data, **_how: None})()


for _module, (_key, _data) in _UTIL_GENAI.items():
    wrapt.register_post_import_hook(partial(_suppress_util_genai, _key, _data), _module)


# --- instrumentations of OpenAI's client that the context does not suppress --------------------------------------


def bypass_other_instrumentations(to_raw_response_wrapper: Function) -> Function:
    """Patch the function with which OpenAI's client makes its `with_raw_response` methods, which LiteLLM calls.

    Some instrumentations cannot be suppressed by the context. In a call, their wrappers of the method are bypassed.
    """

    @wraps(to_raw_response_wrapper)
    def traced_to_raw_response_wrapper(method: Function) -> Function:
        instrumented: Function = to_raw_response_wrapper(method)
        with guard("bypassing other instrumentations"):
            original = _uninstrumented(method)
            if original is not method:
                return _choose_per_call(instrumented, to_raw_response_wrapper(original))
        return instrumented

    return traced_to_raw_response_wrapper


def _choose_per_call(instrumented: Function, original: Function) -> Function:
    """Return a function that calls `original` inside a call, and `instrumented` otherwise."""
    if inspect.iscoroutinefunction(instrumented):

        @wraps(instrumented)
        async def call_async(*args: object, **kwargs: object) -> object:
            return await _choose(instrumented, original)(*args, **kwargs)

        return call_async

    @wraps(instrumented)
    def call(*args: object, **kwargs: object) -> object:
        return _choose(instrumented, original)(*args, **kwargs)

    return call


def _choose(instrumented: Function, original: Function) -> Function:
    return original if IN_A_CALL in get_current() else instrumented


def _uninstrumented(method: Any) -> Function:  # noqa: ANN401 - it may be wrapped in any way
    """The method without the wrappers of instrumentations, all of which use wrapt."""
    while (wrapper := getattr(method, "_self_wrapper", None)) is not None:
        if ".instrumentation." not in f"{getattr(wrapper, '__module__', '')}.":
            break
        method = method.__wrapped__
    original: Function = method
    return original


# --- LiteLLM's agentops callback --------------------------------------------------------------------------


NAME = "agentops"
_MEMBERS = (FunctionType, staticmethod, classmethod, property)
_CREATING = guard("creating LiteLLM's agentops callback")


def wrap_callback_factory(init_custom_logger: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap LiteLLM's function that creates a callback by its name: for `agentops`, a callback is returned that does
    nothing.
    """
    _builtin_is_wanted.cache_clear()  # read the environment again each time LiteLLM is instrumented

    @wraps(init_custom_logger)
    def traced_init_custom_logger(*args: object, **kwargs: object) -> object:
        name = args[0] if args else kwargs.get("logging_integration")
        if name == NAME and not _builtin_is_wanted():
            with _CREATING:
                return _callback()
        return init_custom_logger(*args, **kwargs)

    return traced_init_custom_logger


def is_wanted(callback: object) -> bool:
    """Whether a callback with the name `agentops` is correct: it does nothing, or the user chose LiteLLM's own."""
    return type(callback).__name__ == "AgentOpsLiteLLMCallback" or _builtin_is_wanted()


@cache
def _builtin_is_wanted() -> bool:
    """Whether the user chose LiteLLM's own callback. Cached, because LiteLLM may create many callbacks."""
    return Settings.from_environment().litellm_builtin


@cache
def _callback() -> object:
    return _create_class()()


@cache
def _create_class() -> type:
    """A subclass of LiteLLM's own callback, because LiteLLM looks it up by class. All methods are replaced by those of
    LiteLLM's base class, which do nothing.
    """
    own: Any = resolve_name("litellm.integrations.agentops:AgentOps")
    base: Any = resolve_name("litellm.integrations.custom_logger:CustomLogger")

    class AgentOpsLiteLLMCallback(own):  # type: ignore[misc]  # an untyped class of LiteLLM
        """Does nothing, because LiteLLM's functions are traced."""

        def __init__(self) -> None:
            base.__init__(self)  # LiteLLM's own requests a token and sets OpenTelemetry up
            self.callback_name = NAME

    for kind in own.__mro__[: own.__mro__.index(base)]:
        for name, member in vars(kind).items():
            if not name.startswith("__") and isinstance(member, _MEMBERS):
                setattr(AgentOpsLiteLLMCallback, name, getattr(base, name, _inert(member)))
    return AgentOpsLiteLLMCallback


def _inert(method: object) -> object:
    """A replacement that does nothing: a property, an async function or a function, as `method` is."""
    if isinstance(method, property):
        return None
    if inspect.iscoroutinefunction(method):

        async def inert_async(*_args: object, **_kwargs: object) -> None:
            return None

        return inert_async
    return lambda *_args, **_kwargs: None


def __getattr__(name: str) -> object:
    if name == "AgentOpsLiteLLMCallback":  # created on first use, because it needs LiteLLM
        return _create_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# --- other callbacks and instrumentations -----------------------------------------------------------------


logger = logging.getLogger(__name__)

_DETECTING = guard("detecting other recorders of LiteLLM calls")
# Instrumentations that wrap LiteLLM's functions: module → name.
INSTRUMENTATIONS = {
    "openinference.instrumentation.litellm": "OpenInference",
    "openlit.instrumentation.litellm": "OpenLIT",
    "opentelemetry.instrumentation.litellm": "opentelemetry-instrumentation-litellm",
}
_LISTS = ("callbacks", "success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback")
_checked: set[str] = set()
"""Not empty after the first call."""
_warned: set[str] = set()


def warn_of_other_recorders(telemetry: Telemetry) -> None:
    """Warn about instrumentations and callbacks that exist at the first call of this process."""
    if _checked:
        return
    _checked.add("first call")
    with _DETECTING:
        for module, name in INSTRUMENTATIONS.items():
            kind = getattr(sys.modules.get(module), "LiteLLMInstrumentor", None)
            if kind is not None and kind().is_instrumented_by_opentelemetry:
                _warn(name, "Switch it off: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=litellm.")
        litellm = sys.modules.get("litellm")
        for each in _callbacks(getattr(litellm, name, ()) for name in _LISTS):
            check_callback(each, telemetry)


def _callbacks(lists: Iterable[Iterable[object]]) -> Iterable[object]:
    """LiteLLM's callbacks that export to OpenTelemetry."""
    for callbacks in lists:
        for each in callbacks:
            if any(kind.__name__ in {"OpenTelemetry", "OpenTelemetryV2"} for kind in type(each).__mro__):
                yield each


def check_callback(callback: object, telemetry: Telemetry) -> None:
    """Warn about an OpenTelemetry callback of LiteLLM's that exports to the same destinations as this package."""
    name = getattr(callback, "callback_name", None) or "otel"
    if name == NAME and is_wanted(callback):
        return
    if telemetry.shares_pipeline_with(getattr(callback, "tracer", None)):
        _warn(
            f"LiteLLM's callback {name!r}, which uses the same tracer provider,",
            f"Remove {name!r} from LiteLLM's callbacks.",
        )


def _warn(name: str, remedy: str) -> None:
    """Warn about an instrumentation or callback, once."""
    if name not in _warned:
        _warned.add(name)
        logger.warning(
            "%s also records LiteLLM calls: each call is recorded twice. %s Or switch this package off: "
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agentops_litellm.",
            name,
            remedy,
        )
