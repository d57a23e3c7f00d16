"""Keeps other instrumentations and callbacks from recording the same call as a second span, or warns about them.

- GenAI instrumentations, such as those of OpenAI's client, are suppressed by entries of the context in which LiteLLM
  runs for a call. Those that ignore the context are bypassed. Instrumentations of HTTP clients are not suppressed:
  their spans are children of the call's span.
- LiteLLM's callback `agentops` logs in to AgentOps and exports every call a second time. It is replaced by a callback
  that does nothing.
- Frameworks and their instrumentations may record a call of a model around LiteLLM's. Then the span of LiteLLM's call
  is INTERNAL, and has no tokens.
- Other instrumentations of LiteLLM, and LiteLLM's OpenTelemetry callback with the same tracer provider, are not
  suppressed. A warning about each of them is logged once. Callbacks
  with a different tracer provider, such as `langfuse_otel` and `arize_phoenix`, export to a different backend, so there
  is no warning about them.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial, wraps
from importlib.metadata import entry_points
from pkgutil import resolve_name
from types import FunctionType, ModuleType
from typing import Any

import wrapt
from opentelemetry.context import Context, create_key
from opentelemetry.trace import get_current_span

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.context import SUPPRESSING, get_current
from agentops_otel_litellm.patching.wrapping import Function
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry

# --- suppression by the context -----------------------------------------------------------------------------

IN_A_CALL = create_key("agentops_otel_litellm.in_a_call")
"""The context key that is set while LiteLLM runs for a call of a model."""
_MARK = "agentops_otel_litellm"
"""The value of the context entries below. Entries of the application have a different object as their value."""
SUPPRESSING[IN_A_CALL] = _MARK
SUPPRESSING["suppress_language_model_instrumentation"] = _MARK  # OpenLLMetry and its relatives check it

_UTIL_GENAI = {
    "opentelemetry.util.genai._inference_invocation": ("CLIENT_INFERENCE_CONTEXT_KEY", "InferenceData"),
    "opentelemetry.util.genai._embedding_invocation": ("CLIENT_EMBEDDING_CONTEXT_KEY", "EmbeddingData"),
}
"""Module of OpenTelemetry's GenAI instrumentations → two names in it: that of a context key, and that of a class.

If the context has an instance of the class under that key, these instrumentations add their data to the instance, and
start no span.
"""

_OUTER_KEYS: list[str] = []
"""The context keys of `_UTIL_GENAI`, as far as its modules are imported."""


def without_suppression(context: Context) -> Context:
    """Return `context` without the entries that suppress other instrumentations in a call. For callbacks, which are
    code of the application.
    """
    if IN_A_CALL not in context:
        return context
    added = SUPPRESSING
    return Context({name: value for name, value in context.items() if name not in added or value is not added[name]})


def _suppress_util_genai(key: str, data: str, module: ModuleType) -> None:
    """Suppress OpenTelemetry's GenAI instrumentations in calls, when their `module` has been imported.

    They start no span if the context has an instance of the class that is named `data`, under the key that is named
    `key`: they assume that an outer instrumentation records the call, and merge their data into the instance. The
    instance that is put into the context of calls ignores these data, so one instance is enough for all calls.
    """
    with guard("suppressing OpenTelemetry's GenAI instrumentations"):
        context_key, data_class = getattr(module, key, None), getattr(module, data, None)
        if context_key is not None and data_class is not None:  # earlier releases have neither
            _OUTER_KEYS.append(context_key)
            SUPPRESSING[context_key] = type(data, (data_class,), {"merge": lambda *_data, **_how: None})()


for _module, (_key, _data) in _UTIL_GENAI.items():
    wrapt.register_post_import_hook(partial(_suppress_util_genai, _key, _data), _module)


# --- instrumentations of OpenAI's client that the context does not suppress --------------------------------------


def bypass_other_instrumentations(to_raw_response_wrapper: Function) -> Function:
    """Wrap the function with which OpenAI's client makes its `with_raw_response` methods, which LiteLLM calls.

    Some instrumentations ignore the context. Inside a traced call, the new method bypasses their wrappers.
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
    """The method without the wrappers of instrumentations. All of these wrappers are wrapt's."""
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
    """Wrap LiteLLM's function that creates a callback by its name. For `agentops`, it returns a callback that does
    nothing, unless `AGENTOPS_LITELLM_BUILTIN` is `true`.
    """

    @wraps(init_custom_logger)
    def traced_init_custom_logger(*args: object, **kwargs: object) -> object:
        name = args[0] if args else kwargs.get("logging_integration")
        if name == NAME and not _builtin_is_wanted():
            with _CREATING:
                return _callback()
        return init_custom_logger(*args, **kwargs)

    return traced_init_custom_logger


def is_wanted(callback: object) -> bool:
    """Whether no warning is needed for a callback with the name `agentops`, because it does nothing, or because the
    user chose LiteLLM's callback.
    """
    return type(callback).__name__ == "AgentOpsLiteLLMCallback" or _builtin_is_wanted()


@cache
def _builtin_is_wanted() -> bool:
    """Whether the user chose LiteLLM's `agentops` callback. Cached, because LiteLLM may create many callbacks."""
    return Settings.from_environment().litellm_builtin


def forget_settings() -> None:
    """Read the environment again, because LiteLLM is instrumented again."""
    _builtin_is_wanted.cache_clear()
    leaves_out_inner_calls.cache_clear()


@cache
def _callback() -> object:
    return _create_class()()


@cache
def _create_class() -> type:
    """The class of the callback that does nothing. It is a subclass of LiteLLM's `agentops` callback, because LiteLLM
    looks the callback up by its class. All its methods are replaced by those of LiteLLM's base class for callbacks,
    which do nothing.
    """
    builtin: Any = resolve_name("litellm.integrations.agentops:AgentOps")
    base: Any = resolve_name("litellm.integrations.custom_logger:CustomLogger")

    class AgentOpsLiteLLMCallback(builtin):  # type: ignore[misc]  # an untyped class of LiteLLM
        """Does nothing, because LiteLLM's functions are traced."""

        def __init__(self) -> None:
            base.__init__(self)  # not that of LiteLLM's callback, which requests a token and sets OpenTelemetry up
            self.callback_name = NAME

    for kind in builtin.__mro__[: builtin.__mro__.index(base)]:
        for name, member in vars(kind).items():
            if not name.startswith("__") and isinstance(member, _MEMBERS):
                setattr(AgentOpsLiteLLMCallback, name, getattr(base, name, _inert(member)))
    return AgentOpsLiteLLMCallback


def _inert(method: object) -> object:
    """A replacement that does nothing: `None` for a property, otherwise a function or an async function, as `method`
    is.
    """
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
_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_LAMINAR = "lmnr.opentelemetry_lib.opentelemetry.instrumentation.litellm"
"""The module of Laminar's instrumentation of LiteLLM. It has no entry point: `Laminar.initialize()` switches it on."""
_LISTS = ("callbacks", "success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback")
_checked: set[str] = set()
"""Not empty if `warn_of_other_recorders` has run in this process."""
_warned: set[str] = set()
"""Names of the instrumentations, tracers and callbacks about which a warning was logged."""


def warn_of_other_recorders(telemetry: Telemetry) -> None:
    """At the first call in this process, warn about other instrumentations and callbacks that record calls as well."""
    if _checked:
        return
    _checked.add("first call")
    with _DETECTING:
        for module, name in INSTRUMENTATIONS.items():
            if _is_instrumenting(module, "LiteLLMInstrumentor"):
                _warn(name, f"Switch it off: {_DISABLED}=litellm.")
        if _is_instrumenting(_LAMINAR, "LitellmInstrumentor"):
            _warn("Laminar", "Switch it off: Laminar.initialize(disabled_instruments={Instruments.LITELLM}).")
        litellm = sys.modules.get("litellm")
        for each in _callbacks(getattr(litellm, name, ()) for name in _LISTS):
            check_callback(each, telemetry)


def _is_instrumenting(module: str, name: str) -> bool:
    """Whether the instrumentor with this name has instrumented LiteLLM."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and bool(kind().is_instrumented_by_opentelemetry)


_OPERATIONS = frozenset({"chat", "generate_content", "text_completion", "embeddings"})
_CALL_OF_A_MODEL: Mapping[str, frozenset[str]] = {
    "gen_ai.operation.name": _OPERATIONS,
    "openinference.span.kind": frozenset({"LLM", "EMBEDDING"}),
}
"""Attribute → its values for the span of a call of a model."""


def has_outer_call(context: Context) -> bool:
    """Whether a span around LiteLLM's call represents the same call of a model, and has its tokens: the current span of
    the application, or a span of one of OpenTelemetry's GenAI instrumentations, which the context has data of.

    The first time for each instrumentation, log how the call is recorded.
    """
    with _DETECTING:
        span = get_current_span(context)
        attributes = getattr(span, "attributes", None) or {}
        if any(attributes.get(name) in values for name, values in _CALL_OF_A_MODEL.items()):
            scope = getattr(getattr(span, "instrumentation_scope", None), "name", None)
            if scope is not None and scope not in _warned:
                _warned.add(scope)
                entry_point = entry_point_of(scope)
                other = "" if entry_point is None else f", or that span: {_DISABLED}={entry_point}"
                logger.info(
                    "%s records the calls of models that it makes through LiteLLM, with their tokens. So the spans of "
                    "these calls in LiteLLM are INTERNAL, without tokens. To leave them out, set "
                    "AGENTOPS_INNER_CALLS=none%s.",
                    scope,
                    other,
                )
            return True
        return any(context.get(key, _MARK) is not SUPPRESSING[key] for key in _OUTER_KEYS if key in context)
    return False


@cache
def leaves_out_inner_calls() -> bool:
    """Whether the user wants no spans of calls that an outer span represents."""
    return Settings.from_environment().inner_calls == "none"


def is_left_out(context: Context) -> bool:
    """Whether a call in this context has no span, because an outer span represents it, and the user wants only one."""
    return leaves_out_inner_calls() and has_outer_call(context)


def entry_point_of(scope: str) -> str | None:
    """The name by which `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` switches an instrumentation off, given the name of its
    tracer, which is the name of its module. `None` for spans that a library records itself.
    """
    for found in entry_points(group="opentelemetry_instrumentor"):
        if found.module == scope or found.module.startswith(f"{scope}."):
            return found.name
    return None


def _callbacks(lists: Iterable[Iterable[object]]) -> Iterable[object]:
    """LiteLLM's callbacks that export to OpenTelemetry."""
    for callbacks in lists:
        for each in callbacks:
            if any(kind.__name__ in {"OpenTelemetry", "OpenTelemetryV2"} for kind in type(each).__mro__):
                yield each


def check_callback(callback: object, telemetry: Telemetry) -> None:
    """Warn about an OpenTelemetry callback of LiteLLM, if it exports to the same destinations as this package."""
    name = getattr(callback, "callback_name", None) or "otel"
    if name == NAME and is_wanted(callback):
        return
    if telemetry.shares_pipeline_with(getattr(callback, "tracer", None)):
        _warn(
            f"LiteLLM's callback {name!r}, which uses the same tracer provider,",
            f"Remove {name!r} from LiteLLM's callbacks.",
        )


def _warn(name: str, remedy: str) -> None:
    """Log the warning about an instrumentation or callback, unless it was logged before."""
    if name not in _warned:
        _warned.add(name)
        logger.warning(
            "%s also records LiteLLM calls: each call is recorded twice. %s Or switch this package off: "
            "%s=agentops_litellm.",
            name,
            remedy,
            _DISABLED,
        )
