"""Spans wait while AgentOps cannot take them, in the order in which they ended; and nobody waits long for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from support.agentops_exports import (
    NO_COLLECTOR,
    NO_RESPONSE,
    NOT_DELIVERED,
    SUCCESS,
    UNREACHABLE_URL,
    Clock,
    export,
    span_names,
)
from support.launching import environment, launch
from support.logged_warnings import LoggedWarnings
from support.servers.agentops_platform import DOWN, TRACES_ROUTE, AgentOpsPlatform, Fault, black_hole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork(platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings) -> None:
    """A child sends its own spans, and leaves to its parent what is the parent's."""
    exporter = AgentOpsSpanExporter()
    export(exporter, "first")
    platform.fail(DOWN)
    export(exporter, "parent's")
    platform.recover()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = int(export(exporter, "child's") is not SUCCESS)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert span_names(platform) == ["first", "child's"]
    clock.ahead += 2
    exporter.shutdown()
    assert span_names(platform) == ["first", "child's", "parent's"]
    assert logged.take() == [NO_COLLECTOR.format("ConnectionError")]


FORKS = """
import ctypes, os, sys, threading, time
from importlib.abc import MetaPathFinder
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter

assert "requests" not in sys.modules
loads, forked = threading.Event(), threading.Event()

class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            loads.set()
            forked.wait(1)

sys.meta_path.insert(0, Slow())
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(AgentOpsSpanExporter()))
tracer = provider.get_tracer("app")
tracer.start_span("parent's").end()
flushing = threading.Thread(target=provider.force_flush)
flushing.start()
turn, given = os.pipe()  # the platform knows the newest token alone
if sys.argv[1] == "unseen":
    provider.force_flush()
    child = ctypes.PyDLL(None).fork()
else:
    loads.wait(10)
    child = os.fork()
forked.set()
if child == 0:
    os.read(turn, 1)
    began = time.monotonic()
    tracer.start_span("child's").end()
    provider.force_flush()
    provider.shutdown()
    os._exit(int(time.monotonic() - began > 4))
flushing.join()
os.write(given, b"!")
_, status = os.waitpid(child, 0)
provider.shutdown()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("when", ["requests.adapters", "netrc", "unseen"])
def test_a_fork_at_any_time(when: str) -> None:
    """Also while a thread is importing a module with which spans are sent, and one that a server in C makes."""
    with AgentOpsPlatform() as platform:
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, when],
            env=environment(**platform.environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert span_names(platform) == ["parent's", "child's"]


PROGRAM = """
import sys, time
from opentelemetry import trace
trace.get_tracer("app").start_span("a span").end()
print(time.time(), flush=True)
"""


def seconds_to_exit(**variables: str) -> tuple[float, str]:
    """How long a program needs from its last statement on, and what it said."""
    done = launch(sys.executable, "-c", PROGRAM, OTEL_SERVICE_NAME="a-test", **variables)
    exited = time.time()
    assert done.returncode == 0, done.stderr
    return exited - float(done.stdout), done.stderr


@pytest.mark.parametrize("away", ["refuses", "drops packets", "hangs up", "hangs up, with a token"])
def test_exit_while_it_is_down(away: str) -> None:
    """In less than four seconds, and what was lost is told."""
    with (
        AgentOpsPlatform() as platform,
        black_hole() if away == "drops packets" else nullcontext(UNREACHABLE_URL) as url,
    ):
        variables = platform.environment
        if away.startswith("hangs up"):
            platform.fail(DOWN, *([TRACES_ROUTE] if "token" in away else []))
        else:
            variables |= {"AGENTOPS_API_ENDPOINT": url, "AGENTOPS_EXPORTER_ENDPOINT": f"{url}/v1/traces"}
        seconds, told = seconds_to_exit(**variables)
    assert seconds < 4
    assert "Spans are queued for AgentOps (" in told
    assert NOT_DELIVERED.format(1) in told
    assert "Traceback" not in told


def test_exit_while_it_is_silent() -> None:
    """It takes no longer than an export may."""
    with AgentOpsPlatform() as platform:
        platform.fail(Fault(delay=30), TRACES_ROUTE)
        seconds, told = seconds_to_exit(**platform.environment, AGENTOPS_MAX_WAIT_TIME="2000")
    assert 1.5 < seconds < 3.5
    assert NO_RESPONSE in told


@pytest.mark.parametrize("by", ["the configurator", "the instrumentor"])
def test_the_end_is_waited_for_once(by: str) -> None:
    """Not for each of the batches that are left, where the collector is slow."""
    code = """
import sys, time
from agentops_otel_litellm import LiteLLMInstrumentor, init
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
if sys.argv[1] == "the configurator":
    init()
else:
    trace.set_tracer_provider(TracerProvider())
    LiteLLMInstrumentor().instrument()
tracer = trace.get_tracer("app")
for number in range(2_000):
    tracer.start_span("a span").end()
began = time.monotonic()
trace.get_tracer_provider().shutdown()
print(time.monotonic() - began)
"""
    with AgentOpsPlatform() as platform:
        platform.fail(Fault(delay=1.5), TRACES_ROUTE)
        given = environment(
            **platform.environment,
            AGENTOPS_MAX_WAIT_TIME="2000",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
        )
        done = subprocess.run(
            [sys.executable, "-c", code, by], env=given, capture_output=True, text=True, timeout=60, check=True
        )
    assert float(done.stdout) < 3.5  # of four batches each takes 1.5
    assert "spans were not delivered to AgentOps." in done.stderr
