"""Other instrumentations of what LiteLLM calls, such as OpenAI's client: theirs stand aside while LiteLLM's code runs
for a call, which so is one span. Those of HTTP clients do not: their spans are children of the call's.
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
_OURS = "agentops_otel_litellm"
_standing_aside: dict[str, object] = {
    _IN_A_CALL: _OURS,
    "suppress_language_model_instrumentation": _OURS,  # OpenLLMetry's and those like it ask whether there is anything
}
"""What a context holds that has them stand aside."""

_UTIL_GENAI = {
    "opentelemetry.util.genai._inference_invocation": ("CLIENT_INFERENCE_CONTEXT_KEY", "InferenceData"),
    "opentelemetry.util.genai._embedding_invocation": ("CLIENT_EMBEDDING_CONTEXT_KEY", "EmbeddingData"),
}
"""Modules of what OpenTelemetry's own are built on: the key in a context under which a call that is told of by another
keeps its data, and the class of that.
"""


def standing_aside(context: Mapping[str, object]) -> dict[str, object]:
    """What `context` holds, and what has other instrumentations stand aside; what the app said about them stays."""
    return {**_standing_aside, **context}


def not_standing_aside(context: Context) -> Context:
    """The context as it was outside the call: the app's code that LiteLLM runs makes calls of its own."""
    if _IN_A_CALL not in context:
        return context
    ours = _standing_aside
    return Context({name: value for name, value in context.items() if name not in ours or value is not ours[name]})


def bypassing(to_raw_response_wrapper: Function) -> Function:
    """What OpenAI's client makes `with_raw_response` methods with, by which LiteLLM calls it.

    Some instrumentations can not be told to stand aside: in a call their wrappers around the method are passed by.
    """

    @wraps(to_raw_response_wrapper)
    def wrapping(method: Function) -> Function:
        theirs: Function = to_raw_response_wrapper(method)
        with guard("having other instrumentations stand aside"):
            beneath = _uninstrumented(method)
            if beneath is not method:
                return _either(theirs, to_raw_response_wrapper(beneath))
        return theirs

    return wrapping


def _either(theirs: Function, bare: Function) -> Function:
    """`bare` in a call, `theirs` outside of any."""
    if inspect.iscoroutinefunction(theirs):

        @wraps(theirs)
        async def call_async(*args: object, **kwargs: object) -> object:
            return await _chosen(theirs, bare)(*args, **kwargs)

        return call_async

    @wraps(theirs)
    def call(*args: object, **kwargs: object) -> object:
        return _chosen(theirs, bare)(*args, **kwargs)

    return call


def _chosen(theirs: Function, bare: Function) -> Function:
    return bare if _IN_A_CALL in get_current() else theirs


def _uninstrumented(method: Any) -> Function:  # noqa: ANN401 - whatever was put around it
    """The method beneath the wrappers that instrumentations have put around it with wrapt, as they all do."""
    while (wrapper := getattr(method, "_self_wrapper", None)) is not None:
        if ".instrumentation." not in f"{getattr(wrapper, '__module__', '')}.":
            break
        method = method.__wrapped__
    own: Function = method
    return own


def _learn(key: str, data: str, module: ModuleType) -> None:
    """OpenTelemetry's own ask for an instance of a class of theirs, into which they write what they then do not tell:
    nobody reads it, and one for all calls does.
    """
    with guard("having OpenTelemetry's GenAI instrumentations stand aside"):
        name, kind = getattr(module, key, None), getattr(module, data, None)
        if name is not None and kind is not None:  # earlier releases do not ask
            _standing_aside[name] = type(data, (kind,), {"merge": lambda *_data, **_how: None})()


for _module, (_key, _data) in _UTIL_GENAI.items():
    wrapt.register_post_import_hook(partial(_learn, _key, _data), _module)
