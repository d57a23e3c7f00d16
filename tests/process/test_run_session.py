"""AGENTOPS_AUTO_START_SESSION: a run is one trace, whose root span has the run's name, duration and outcome."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launching import launch, run, run_program
from support.servers.agentops_pages import page_span, rows
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.otlp_receiver import OTLPReceiver, ReceivedSpan

ON = {"AGENTOPS_AUTO_START_SESSION": "true", "OTEL_SERVICE_NAME": "app"}
INIT = "from agentops_otel_litellm import flush, init\ninit()\n"
CALLS = """
import threading
import litellm
def call():
    litellm.completion("openai/gpt-4o", [{"role": "user", "content": "Hello."}], mock_response="Hello.")
call()
thread = threading.Thread(target=call)
thread.start()
thread.join()
"""
ENDS = {
    "the end": ("", 0, ""),
    "an exception": ("raise ValueError('canary')", 1, "ValueError"),
    "sys.exit": ("import sys; sys.exit(3)", 3, "exit code 3"),
    "sys.exit with a text": ("import sys; sys.exit('canary')", 1, "exit code 1"),
    "sys.exit without an error": ("import sys; sys.exit()", 0, ""),
    "SIGTERM": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, "SIGTERM"),
    "Ctrl-C": ("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", 1, "KeyboardInterrupt"),
    "flush": ("flush()", 0, ""),
}


@pytest.fixture
def agentops() -> Iterator[AgentOpsPlatform]:
    with AgentOpsPlatform() as server:
        yield server


def session_of(spans: list[ReceivedSpan]) -> ReceivedSpan:
    (found,) = (span for span in spans if span.attributes.get("agentops.span.kind") == "session")
    return found


@pytest.mark.parametrize(
    ("start", "end"),
    [*(("init", end) for end in ENDS), *(("launcher", end) for end in ("the end", "an exception", "SIGTERM"))],
)
def test_a_run_is_one_trace(agentops: AgentOpsPlatform, tmp_path: Path, start: str, end: str) -> None:
    """However the process ends, also with calls on threads that do not have the application's context."""
    statement, code, outcome = ENDS[end]
    program = tmp_path / "report.v1.py"
    program.write_text(f"{INIT if start == 'init' or end == 'flush' else ''}{CALLS}{statement}\n", "utf-8")
    variables = {**ON, **agentops.environment}
    done = (launch if start == "launcher" else run)("python", str(program), **variables)
    assert done.returncode == code, done.stderr
    session = session_of(agentops.spans)
    calls = [span for span in agentops.spans if span is not session]
    assert [span.parent_span_id for span in calls] == [session.span_id] * 2
    assert session.start_ns <= min(span.start_ns for span in calls)
    assert session.end_ns >= max(span.end_ns for span in calls)
    assert (session.status, session.status_message) == ("ERROR" if outcome else "OK", outcome)
    page, (row,) = page_span(session), rows(agentops.spans)
    assert (page.name, page.kind, row.name) == ("report.v1.py", "error" if outcome else "session", "report.v1.py")
    assert (row.duration > 0, row.has_failed, row.model_calls) == (True, bool(outcome), 2)


def test_the_run_has_the_name_of_the_trace(agentops: AgentOpsPlatform) -> None:
    run_program(INIT + CALLS, AGENTOPS_TRACE_NAME="nightly", **ON, **agentops.environment)
    assert session_of(agentops.spans).name == "nightly.session"


def test_flush_ends_the_run_and_init_begins_the_next(agentops: AgentOpsPlatform) -> None:
    """A call between them is a trace of its own."""
    program = f"{INIT}{CALLS}assert flush()\ncall()\ninit()\ninit()\ncall()\nassert flush()\n"
    done = run_program(program, **ON, **agentops.environment)
    assert done.returncode == 0, done.stderr
    first, second = (span for span in agentops.spans if span.attributes["agentops.span.kind"] == "session")
    parents = [span.parent_span_id for span in agentops.spans if span.attributes["agentops.span.kind"] == "llm"]
    assert sorted(parents) == sorted([first.span_id, first.span_id, "", second.span_id])
    assert len({span.trace_id for span in agentops.spans}) == 3


def test_a_forked_child_leaves_the_session_to_its_parent(agentops: AgentOpsPlatform) -> None:
    """Its calls belong to the session, which ends once."""
    program = f"""{INIT}{CALLS}
import multiprocessing
child = multiprocessing.get_context("fork").Process(target=call)
child.start()
child.join()
"""
    done = run_program(program, **ON, **agentops.environment)
    assert done.returncode == 0, done.stderr
    session = session_of(agentops.spans)
    assert [span.parent_span_id for span in agentops.spans if span is not session] == [session.span_id] * 3


def test_other_exporters_receive_the_session(agentops: AgentOpsPlatform) -> None:
    """Under the name of the run, and without a status if nothing is wrong."""
    with OTLPReceiver() as backend:
        given = {**ON, **agentops.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint}
        run_program(textwrap.dedent(INIT + CALLS), **given, OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none")
        session = session_of(backend.spans)
        assert (session.name, session.status) == ("run", "UNSET")
        assert session.attributes == {"agentops.span.kind": "session"}
        assert len(backend.spans) == len(agentops.spans) == 3


def test_there_is_no_session_by_default(agentops: AgentOpsPlatform) -> None:
    """Nor are functions of Python replaced."""
    program = (
        f"import sys\nfunctions = sys.exit, sys.excepthook\n{INIT}{CALLS}assert functions == (sys.exit, sys.excepthook)"
    )
    done = run_program(program, OTEL_SERVICE_NAME="app", **agentops.environment)
    assert done.returncode == 0, done.stderr
    assert [(span.name, span.parent_span_id) for span in agentops.spans] == [("chat gpt-4o.llm", "")] * 2
