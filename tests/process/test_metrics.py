"""The metrics: what each call adds to them, and to which series."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_records_its_own() -> None:
    """What waits in the parent is the parent's, and the child's collection neither waits nor counts it again."""
    program = """
        import os
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.trace import INVALID_SPAN_CONTEXT
        from agentops_otel_litellm.call import Call, Timing
        from agentops_otel_litellm.metrics import Metrics

        def count():
            (metric,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
            return metric.data.data_points[0].count

        reader = InMemoryMetricReader()
        metrics = Metrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
        call = Call(name="chat", operation="chat", timing=Timing(started_at=1, duration=1.0))
        metrics.defer(call, INVALID_SPAN_CONTEXT)
        metrics._recording.acquire()  # as it is while a collection is under way
        child = os.fork()
        if child == 0:
            metrics.defer(call, INVALID_SPAN_CONTEXT)
            os._exit(count())
        metrics._recording.release()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count())
    """
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(program)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout == "1 1\n"
