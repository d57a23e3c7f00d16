"""LiteLLM, instrumented with providers whose telemetry the tests read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.patching.traced_functions import TRACING, Tracing
from agentops_otel_litellm.telemetry import Telemetry
from support.recorder import Recorder
from support.traced_operations import TracedOperations
from support.vocabularies import GENERAL

TRACED_OPERATIONS = TracedOperations()
RECORDER = Recorder(span_processors=[TRACED_OPERATIONS])
"""The recorder of all tests: the fixture `telemetry` has what it recorded since a test began."""

Trace = Callable[[object], Any]


def traced_by(telemetry: Recorder, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a test's own, traced as LiteLLM's are."""
    return Tracing(Telemetry(GENERAL, **telemetry.providers)).trace(function)


Reinstrument = Callable[[Recorder], AbstractContextManager[Recorder]]


@contextmanager
def instrumented(recorder: Recorder) -> Iterator[Recorder]:
    own = TRACING.telemetry
    LiteLLMInstrumentor().uninstrument()
    LiteLLMInstrumentor().instrument(**recorder.providers)
    try:
        yield recorder
    finally:
        LiteLLMInstrumentor().uninstrument()
        LiteLLMInstrumentor().instrument(**RECORDER.providers)
        TRACING.telemetry = own  # the new object may have been created with patches of the test
