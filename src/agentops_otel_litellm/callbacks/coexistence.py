"""Others that record the same calls: each is named once, with what to do. They are left as they are.

LiteLLM's own OpenTelemetry callbacks with a tracer provider of their own (`langfuse_otel`, `arize_phoenix` and the
like) export to another backend, and are not named.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import Any

from agentops_otel_litellm.callbacks import agentops as callback_module
from agentops_otel_litellm.guard import guard

logger = logging.getLogger(__name__)

_LOOKING = guard("looking for others that trace LiteLLM")
# Instrumentations that wrap LiteLLM's functions, by the module that has each.
INSTRUMENTATIONS = {
    "openinference.instrumentation.litellm": "OpenInference",
    "openlit.instrumentation.litellm": "OpenLIT",
    "opentelemetry.instrumentation.litellm": "opentelemetry-instrumentation-litellm",
}
_LISTS = ("callbacks", "success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback")
_told: set[str] = set()


def otel_callback(init: Callable[..., Any]) -> Callable[..., Any]:
    """LiteLLM makes a callback that exports to OpenTelemetry: all of them are of the class, whoever they export to."""

    @wraps(init)
    def told(callback: object, *args: object, **kwargs: object) -> None:
        init(callback, *args, **kwargs)
        with _LOOKING:
            _tell_of_callback(callback)

    return told


@cache
def look_around() -> None:
    """Tell of those that are there already: asked at the first call, and no more."""
    with _LOOKING:
        for module, name in INSTRUMENTATIONS.items():
            kind = getattr(sys.modules.get(module), "LiteLLMInstrumentor", None)
            if kind is not None and kind().is_instrumented_by_opentelemetry:
                _tell(name, "Switch it off: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=litellm.")
        litellm = sys.modules.get("litellm")
        for each in _callbacks(getattr(litellm, name, ()) for name in _LISTS):
            _tell_of_callback(each)


def _callbacks(lists: Iterable[Iterable[object]]) -> Iterable[object]:
    """Those among LiteLLM's callbacks that export to OpenTelemetry."""
    for callbacks in lists:
        for each in callbacks:
            if any(kind.__name__ in {"OpenTelemetry", "OpenTelemetryV2"} for kind in type(each).__mro__):
                yield each


def _tell_of_callback(callback: object) -> None:
    from agentops_otel_litellm.seams.tracing import TRACING  # it imports this module

    name = getattr(callback, "callback_name", None) or "otel"
    if name == callback_module.NAME and callback_module.is_wanted(callback):
        return
    telemetry = TRACING.telemetry
    if telemetry is not None and telemetry.shares_pipeline_with(getattr(callback, "tracer", None)):
        _tell(
            f"LiteLLM's callback {name!r}, which uses the same tracer provider,",
            f"Remove {name!r} from LiteLLM's callbacks.",
        )


def _tell(name: str, remedy: str) -> None:
    if name not in _told:
        _told.add(name)
        logger.warning(
            "%s also records LiteLLM calls: each call is recorded twice. %s Or switch this package off: "
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agentops_litellm.",
            name,
            remedy,
        )
