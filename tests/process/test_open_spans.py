"""The open spans: which are remembered, and that nothing waits for a lock."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider

from agentops_otel_litellm.exporters import console as module
from agentops_otel_litellm.exporters.console import OpenSpans

if TYPE_CHECKING:
    from _typeshed import TraceFunction


def test_open_spans_are_bounded() -> None:
    """Of open and of ended spans, the latest are remembered."""
    provider, open_spans = TracerProvider(shutdown_on_exit=False), OpenSpans(limit=2)
    provider.add_span_processor(open_spans)
    spans = [provider.get_tracer("app").start_span(name) for name in "abcdef"]

    def known() -> list[str | None]:
        nodes = [open_spans.find(span.get_span_context().span_id) for span in spans]
        return [node.name for node in nodes if node is not None]

    assert known() == ["e", "f"]
    for span in spans[:4]:
        span.end()
    assert known() == ["c", "d", "e", "f"]


def test_spans_that_a_garbage_collection_starts_and_ends() -> None:
    """A `__del__` may run between any two steps: each line of the module is interrupted by spans of its own."""
    provider, open_spans = TracerProvider(shutdown_on_exit=False), OpenSpans(limit=64)
    provider.add_span_processor(open_spans)
    tracer = provider.get_tracer("app")
    interruptions = 0

    def interrupt(frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
        nonlocal interruptions
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            interruptions += 1
            sys.settrace(None)
            for _ in range(3):
                tracer.start_span("collected").end()
            sys.settrace(interrupt)
        return interrupt

    def app() -> None:
        sys.settrace(interrupt)
        for _ in range(3):
            span = tracer.start_span("app")
            assert open_spans.find(span.get_span_context().span_id)
            span.end()
            assert open_spans.find(span.get_span_context().span_id)
        sys.settrace(None)
        done.set()

    done = threading.Event()
    threading.Thread(target=app, daemon=True).start()
    assert done.wait(10)
    assert interruptions * 3 > 64  # so the oldest went


def test_it_draws_nothing() -> None:
    """The distro, which every program loads, has them without the console and what it draws with."""
    code = (
        "import sys, agentops_otel_litellm.sdk.distro\n"
        "print([name for name in sys.modules if name == 'rich' or 'exporters.console' in name])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
