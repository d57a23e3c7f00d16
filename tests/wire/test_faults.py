"""Faults of ours: told once, and never the app's."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from agentops_otel_litellm import readers
from agentops_otel_litellm.invocation import invocation
from support.broken_parts import Broken, call, raise_broken
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider

READERS = ("read_target", "read_routing", "read_failure", "is_stream")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reader", READERS)
def test_a_broken_reader(  # noqa: PLR0913, PLR0917 - fixtures
    reader: str,
    stream: bool,  # noqa: FBT001 - a parameter of the test
    provider: OpenAIProvider,
    telemetry: Recorder,
    logged: LoggedWarnings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The app's answer is whole, the span ends, and one line at most is logged, which quotes nothing."""
    monkeypatch.setattr(readers, reader, raise_broken)
    assert call(provider, stream=stream) == "Hello, world!"
    assert len(telemetry.spans()) == 1
    lines = logged.take()
    assert len(lines) <= 1
    assert "canary" not in "".join(lines)


@pytest.mark.parametrize(
    ("of", "part"),
    [(invocation, "trace_cost_of"), (readers, "is_mocked"), (readers, "read_app")],
    ids=["its place in the trace", "the request", "the app"],
)
def test_a_call_that_begins_badly(  # noqa: PLR0913, PLR0917 - fixtures and cases
    of: object,
    part: str,
    provider: OpenAIProvider,
    telemetry: Recorder,
    logged: LoggedWarnings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once its span is open, it is seen to its end, whatever of ours fails: the span ends, and tells of the answer."""
    monkeypatch.setattr(of, part, raise_broken)
    assert call(provider, stream=False) == "Hello, world!"
    (span,) = telemetry.spans()
    assert attributes_of(span)["gen_ai.response.finish_reasons"] == ("stop",)
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert len(logged.take()) == 1


@pytest.mark.parametrize("part", ["request", "response", "usage", "cost", "chunks", "stream_cost"])
def test_a_broken_shape(part: str, provider: OpenAIProvider, telemetry: Recorder, logged: LoggedWarnings) -> None:
    """The same for each part of the shape by which an operation is read."""
    streamed = part in {"chunks", "stream_cost"}
    working = getattr(readers.API_FORMATS["chat"], part)
    object.__setattr__(readers.API_FORMATS["chat"], part, raise_broken)  # every function holds the frozen shape already
    try:
        assert call(provider, stream=streamed) == "Hello, world!"
    finally:
        object.__setattr__(readers.API_FORMATS["chat"], part, working)
    assert len(telemetry.spans()) == 1
    assert len(logged.take()) == 1


def test_a_span_processor_that_raises(
    provider: OpenAIProvider, logged: LoggedWarnings, instrumented_with: Reinstrument
) -> None:
    """A fault in the pipeline behind us does not reach the app either."""

    class Raises(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise Broken(span.name)

    with instrumented_with(Recorder(span_processors=[Raises()])):
        assert call(provider, stream=False) == "Hello, world!"
    assert len(logged.take()) == 1
