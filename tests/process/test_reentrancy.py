"""Calls that end in a finalizer or a signal handler, while the code beneath holds any of our locks."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import litellm  # noqa: F401 - instrumented: what is patched is known
import pytest

INTERRUPTED = """
    import faulthandler, signal, sys
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.trace import INVALID_SPAN_CONTEXT
    from agentops_otel_litellm.call import Call, Timing
    from agentops_otel_litellm.metrics import Metrics

    faulthandler.dump_traceback_later(60, exit=True)
    call = Call(name="chat", operation="chat", timing=Timing(started_at=1, duration=0.5))
    reader = InMemoryMetricReader()
    metrics = Metrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    made = handled = 0

    def defer(*_):
        global handled
        handled += 1
        metrics.defer(call, INVALID_SPAN_CONTEXT)

    signal.signal(signal.SIGALRM, defer)
    for time in range(300):
        metrics._waiting_values = metrics.WAITING_LIMIT  # as after some calls
        signal.setitimer(signal.ITIMER_REAL, 1e-6 + time * 3e-6)
        made += 1
        metrics.defer(call, INVALID_SPAN_CONTEXT)
        signal.setitimer(signal.ITIMER_REAL, 0)
    data = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    print([point.count for metric in data for point in metric.data.data_points] == [made + handled])
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such signals")
def test_a_call_that_ends_in_a_signal_handler_waits_for_no_lock() -> None:
    """A handler interrupts the code that puts a call aside for the metrics, and does so too."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.stdout, ran.returncode) == ("True\n", 0), ran.stderr
