"""Avoids a second span for a call: other GenAI instrumentations are suppressed while LiteLLM runs for it.

Instrumentations such as those of OpenAI's client do not record what happens in a context with these entries.
`patching/other_instrumentations.py` bypasses those that ignore the context. Instrumentations of HTTP clients are not
suppressed: their spans are children of the call's span.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType

import wrapt
from opentelemetry.context import Context, create_key

from agentops_otel_litellm.guard import guard

IN_A_CALL = create_key("agentops_otel_litellm.in_a_call")
"""The key of an OpenTelemetry context that is set while LiteLLM runs for a call."""
_MARK = "agentops_otel_litellm"
"""The value of the entries below. Its identity distinguishes them from entries of the application."""
SUPPRESSING: dict[str, object] = {
    IN_A_CALL: _MARK,
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
