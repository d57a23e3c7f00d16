"""Warns once about each instrumentation or callback that records the same calls, and changes none of them.

LiteLLM's own OpenTelemetry callbacks with a tracer provider of their own (`langfuse_otel`, `arize_phoenix` and similar
ones) export to a backend of their own, so they cause no warning.
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

_DETECTING = guard("detecting other recorders of LiteLLM calls")
# Instrumentations that wrap LiteLLM's functions: module → name.
INSTRUMENTATIONS = {
    "openinference.instrumentation.litellm": "OpenInference",
    "openlit.instrumentation.litellm": "OpenLIT",
    "opentelemetry.instrumentation.litellm": "opentelemetry-instrumentation-litellm",
}
_LISTS = ("callbacks", "success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback")
_warned: set[str] = set()


def wrap_otel_callback_init(init: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the constructor of LiteLLM's OpenTelemetry callbacks, which have one base class: a warning is logged if a
    new callback records the calls a second time.
    """

    @wraps(init)
    def traced_init(callback: object, *args: object, **kwargs: object) -> None:
        init(callback, *args, **kwargs)
        with _DETECTING:
            _check_callback(callback)

    return traced_init


@cache
def warn_of_other_recorders() -> None:
    """Warn about instrumentations and callbacks that exist at the first call. The cache makes later calls do
    nothing.
    """
    with _DETECTING:
        for module, name in INSTRUMENTATIONS.items():
            kind = getattr(sys.modules.get(module), "LiteLLMInstrumentor", None)
            if kind is not None and kind().is_instrumented_by_opentelemetry:
                _warn(name, "Switch it off: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=litellm.")
        litellm = sys.modules.get("litellm")
        for each in _callbacks(getattr(litellm, name, ()) for name in _LISTS):
            _check_callback(each)


def _callbacks(lists: Iterable[Iterable[object]]) -> Iterable[object]:
    """LiteLLM's callbacks that export to OpenTelemetry."""
    for callbacks in lists:
        for each in callbacks:
            if any(kind.__name__ in {"OpenTelemetry", "OpenTelemetryV2"} for kind in type(each).__mro__):
                yield each


def _check_callback(callback: object) -> None:
    """Warn about an OpenTelemetry callback of LiteLLM's that exports to the same destinations as this package."""
    from agentops_otel_litellm.patching.traced_functions import TRACING  # imported here because it imports this module

    name = getattr(callback, "callback_name", None) or "otel"
    if name == callback_module.NAME and callback_module.is_wanted(callback):
        return
    telemetry = TRACING.telemetry
    if telemetry is not None and telemetry.shares_pipeline_with(getattr(callback, "tracer", None)):
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
