"""Suppresses other GenAI instrumentations, such as those of OpenAI's client, while LiteLLM runs for a call.

Without this, one call would be two spans. Instrumentations of HTTP clients are not suppressed: their spans are children
of the call's span.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.context import Context, create_key, get_current

from agentops_otel_litellm.guard import guard

Function = Callable[..., Any]

_IN_A_CALL = create_key("agentops_otel_litellm.in_a_call")
_MARK = "agentops_otel_litellm"
"""The value of the entries below. Its identity distinguishes them from entries of the application."""
_suppressing: dict[str, object] = {
    _IN_A_CALL: _MARK,
    "suppress_language_model_instrumentation": _MARK,  # OpenLLMetry and its relatives check whether this is set
}
"""The entries of a context that suppress other instrumentations."""

_UTIL_GENAI = {
    "opentelemetry.util.genai._inference_invocation": ("CLIENT_INFERENCE_CONTEXT_KEY", "InferenceData"),
    "opentelemetry.util.genai._embedding_invocation": ("CLIENT_EMBEDDING_CONTEXT_KEY", "EmbeddingData"),
}
"""Modules of OpenTelemetry's GenAI instrumentations → the name of the context key under which an invocation has its
data, and the name of the class of the data. An instrumentation that finds such data adds to it and starts no span.
"""


def suppress_others(context: Mapping[str, object]) -> dict[str, object]:
    """Return `context` with the entries that suppress other instrumentations; the application's entries are kept."""
    return {**_suppressing, **context}


def without_suppression(context: Context) -> Context:
    """Return the context as it was outside the call, for code of the application that LiteLLM runs in it."""
    if _IN_A_CALL not in context:
        return context
    added = _suppressing
    return Context({name: value for name, value in context.items() if name not in added or value is not added[name]})


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
    return original if _IN_A_CALL in get_current() else instrumented


def _uninstrumented(method: Any) -> Function:  # noqa: ANN401 - it may be wrapped in any way
    """The method without the wrappers of instrumentations, all of which use wrapt."""
    while (wrapper := getattr(method, "_self_wrapper", None)) is not None:
        if ".instrumentation." not in f"{getattr(wrapper, '__module__', '')}.":
            break
        method = method.__wrapped__
    original: Function = method
    return original


def _suppress_util_genai(key: str, data: str, module: ModuleType) -> None:
    """Suppress OpenTelemetry's instrumentations, once their module is imported.

    If the context has an instance of the data class `data`, these instrumentations start no span, and merge what they
    record into the instance. The instance here ignores it, so one instance is sufficient for all calls.
    """
    with guard("suppressing OpenTelemetry's GenAI instrumentations"):
        name, kind = getattr(module, key, None), getattr(module, data, None)
        if name is not None and kind is not None:  # earlier releases have neither
            _suppressing[name] = type(data, (kind,), {"merge": lambda *_data, **_how: None})()


for _module, (_key, _data) in _UTIL_GENAI.items():
    wrapt.register_post_import_hook(partial(_suppress_util_genai, _key, _data), _module)
