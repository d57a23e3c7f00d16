"""The exit of the interpreter: providers are shut down at the same time, in the time of one export."""

from __future__ import annotations

import subprocess
import threading

import pytest

from support.launching import run_program
from support.servers import LoopbackHandler, LoopbackServer
from support.servers.otlp_receiver import OTLPReceiver

PROGRAM = """
    from agentops_otel_litellm import init
    init()
    from opentelemetry import _logs, metrics, trace
    from opentelemetry._logs import LogRecord
    trace.get_tracer("test").start_span("it").end()
    metrics.get_meter("test").create_counter("it").add(1)
    _logs.get_logger("test").emit(LogRecord(event_name="it"))
"""
PATHS = {"/v1/traces", "/v1/metrics", "/v1/logs"}


class AnswersTogether(LoopbackHandler):
    """Answers no request before one for each signal has arrived."""

    all_have_arrived = threading.Barrier(len(PATHS))
    together: set[str]

    def respond(self) -> None:
        self.read_body()
        self.all_have_arrived.wait(60)
        self.together.add(self.route)
        self.reply(200, {}, b"")


def exits(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"OTEL_SERVICE_NAME": "test", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    return run_program(program, **{**variables, **environment})


@pytest.mark.parametrize("process", ["the first", "a forked child"])
def test_all_signals_are_exported_at_the_same_time(process: str) -> None:
    program = PROGRAM
    if process != "the first":
        # The child exits as the first process would: by `sys.exit`, with `atexit` handlers.
        start, used = PROGRAM.split("    from opentelemetry import", 1)
        program = f"{start}    import os, sys\n    if child := os.fork(): sys.exit(os.waitpid(child, 0)[1])\n"
        program += "    from opentelemetry import" + used
    AnswersTogether.all_have_arrived.reset()
    AnswersTogether.together = set()
    with LoopbackServer(AnswersTogether) as server:
        ended = exits(program, OTEL_EXPORTER_OTLP_ENDPOINT=server.url, OTEL_EXPORTER_OTLP_TIMEOUT="60")
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert "shut" not in ended.stderr
    assert AnswersTogether.together == PATHS


class NeverAnswers(LoopbackHandler):
    def respond(self) -> None:
        self.read_body()
        self.pause(100)


def test_a_collector_that_never_answers_does_not_keep_the_process() -> None:
    """Neither do exporters that ignore their time limit: this one would wait for hours."""
    program = PROGRAM.replace(
        "init()\n",
        """init()
    from requests import Session
    send = Session.send
    Session.send = lambda *args, **options: send(*args, **{**options, "timeout": 10_000})
""",
        1,
    )
    with LoopbackServer(NeverAnswers) as server:
        ended = exits(program, OTEL_EXPORTER_OTLP_ENDPOINT=server.url, OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "shutdown can only be called once" not in ended.stderr


def test_a_provider_of_the_application_is_left_to_it() -> None:
    program = """
        import atexit
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        class Provider(TracerProvider):
            def shutdown(self):
                import threading
                print("shut down on", threading.current_thread().name)
                super().shutdown()
        trace.set_tracer_provider(Provider())
        from agentops_otel_litellm import init
        init()
    """
    ended = exits(program, OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none")
    assert (ended.returncode, ended.stdout) == (0, "shut down on MainThread\n"), ended.stderr


@pytest.mark.parametrize("is_first", [True, False])
def test_a_provider_that_the_application_has_shut_down(is_first: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """It is not shut down a second time, of which the SDK would warn; one that it has not is."""
    program = f"""
        from agentops_otel_litellm import init
        init()
        from opentelemetry import _logs, metrics, trace
        trace.get_tracer("test").start_span("it").end()
        if {is_first}:
            for provider in trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider():
                provider.shutdown()
    """
    with OTLPReceiver() as receiver:
        ended = exits(program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert "once" not in ended.stderr
    assert "already" not in ended.stderr.replace("agentops already loaded", "")
    assert [span.name for span in receiver.spans] == ["it"]
