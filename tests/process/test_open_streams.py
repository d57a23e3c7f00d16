"""Streams that are open when a process forks or exits."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from agentops_otel_litellm import background
from agentops_otel_litellm.background import Background, OpenStreams

SETUP = """
import os, sys
from agentops_otel_litellm.telemetry import Telemetry
from agentops_otel_litellm.patching.patch_points import FEATURES
from agentops_otel_litellm.patching.traced_functions import Tracing
from agentops_otel_litellm.semconv import VOCABULARIES
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

FEATURES.require = lambda feature: None  # nothing of LiteLLM is patched here
WHO = "parent"

class LoggedWarnings(SpanExporter):
    def export(self, spans):
        for span in spans:
            os.write(1, f"{WHO} {span.attributes['llm.response.stream_outcome']}\\n".encode())
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(LoggedWarnings()))
reader = InMemoryMetricReader()
telemetry = Telemetry(
    list(VOCABULARIES.values()), tracer_provider=provider, meter_provider=MeterProvider([reader])
)
completion = Tracing(telemetry).trace(lambda **_: iter((1, 2)))
"""

FORK = """
finished = list(completion())
stream = completion()
next(stream)
child = os.fork()
if child == 0:
    WHO = "child"
    list(stream)
    assert reader.get_metrics_data() is None
    mine = completion()
    next(mine)
    del mine
    sys.exit()
os.waitpid(child, 0)
list(stream)
counts = [
    point.count
    for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    if metric.name == "gen_ai.client.operation.duration"
    for point in metric.data.data_points
]
print("calls", counts, flush=True)
"""


LATE = """
completion = Tracing(Telemetry(list(VOCABULARIES.values()))).trace(lambda **_: iter((1, 2)))
late = TracerProvider()
late.add_span_processor(BatchSpanProcessor(LoggedWarnings()))
trace.set_tracer_provider(late)
stream = completion()
next(stream)
"""


def output_of(program: str) -> list[str]:
    """The lines a program prints, which must end well and say nothing else."""
    python = [sys.executable, "-W", "ignore::DeprecationWarning"]  # 3.12 warns of forks with threads
    ran = subprocess.run([*python, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


def test_a_child_ends_its_own_streams_only() -> None:
    """The parent's stream is ended by the parent, and its calls are counted there."""
    assert output_of(SETUP + FORK) == ["parent completed", "child abandoned", "parent completed", "calls [2]"]


def test_a_provider_set_late_gets_what_is_open_at_exit() -> None:
    """A provider is shut down at exit: what the app left open comes before, whichever was there first."""
    assert output_of(SETUP + LATE) == ["parent abandoned"]


class Stream:
    """One that the app forgets."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def abandon(self) -> None:
        self.ended.set()

    def disown(self) -> None:
        """Not here."""

    def open_stream_call(self) -> None:
        """Nothing is known."""


def test_where_no_thread_is_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for one, and the next stream has it."""

    def start(_run: object, _name: str) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(background, "BACKGROUND", Background())
    streams, first, second = OpenStreams(), Stream(), Stream()
    with monkeypatch.context() as without:
        without.setattr(background, "start_thread", start)
        discard_first = streams.add(first)
        streams.end_dropped(first)
        began = time.monotonic()
        streams.settle()
        assert time.monotonic() - began < 3
    discard_second = streams.add(second)
    streams.settle()
    assert first.ended.is_set()
    discard_first()
    discard_second()
