"""Signals that end a process: what has ended is delivered, and the application notices nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest

from support.launching import run_program
from support.servers import LoopbackHandler, LoopbackServer
from support.servers.otlp_receiver import OTLPReceiver

pytestmark = pytest.mark.skipif(os.name != "posix", reason="nothing sends these signals here")

BEFORE = """
    import os, signal, sys, threading, time
    own_signal, own_getsignal = signal.signal, signal.getsignal
    from agentops_otel_litellm import init
    init()
    from opentelemetry import trace

    def span(name="it"):
        trace.get_tracer("test").start_span(name).end()

    def stop(number=signal.SIGTERM):
        os.kill(os.getpid(), number)
        time.sleep(60)
"""
TERM, INT = -signal.SIGTERM, -signal.SIGINT

# What a program does → (its exit code, its output, the spans that are delivered).
PROGRAMS: dict[str, tuple[str, int, str, list[str]]] = {
    "ends by the default action": ("span(); stop()", TERM, "", ["it"]),
    "sees the default action": (
        """
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        print(signal.signal(signal.SIGTERM, signal.SIG_IGN) is signal.SIG_DFL)
        print(signal.signal(signal.SIGTERM, signal.SIG_DFL) is signal.SIG_IGN)
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        print(signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)
        """,
        0,
        "True\n" * 5,
        [],
    ),
    "chooses the default action": (
        "signal.signal(signal.SIGINT, signal.SIG_DFL); span(); stop(signal.SIGINT)",
        INT,
        "",
        ["it"],
    ),
    "chooses the default action by its number": ("signal.signal(15, 0); span(); stop()", TERM, "", ["it"]),
    "ignores the signal": (
        """
        was = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGTERM)
        print("goes on")
        signal.signal(signal.SIGTERM, was)
        span(); stop()
        """,
        TERM,
        "goes on\n",
        ["it"],
    ),
    "has a handler of its own": (
        """
        def handle(number, frame):
            print(number)
            sys.exit(3)
        signal.signal(signal.SIGTERM, handle)
        print(signal.getsignal(signal.SIGTERM) is handle)
        span(); stop()
        """,
        3,
        "True\n15\n",
        ["it"],
    ),
    "raises the signal again, as uvicorn does": (
        """
        captured = []
        handlers = {
            number: signal.signal(number, lambda number, _: captured.append(number))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        os.kill(os.getpid(), signal.SIGTERM)
        while not captured:
            time.sleep(0.01)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        span()
        for number in captured:
            signal.raise_signal(number)
        print("not reached")
        """,
        TERM,
        "",
        ["it"],
    ),
    "is interrupted from the keyboard": (
        """
        try:
            stop(signal.SIGINT)
        except KeyboardInterrupt:
            print("interrupted")
        span()
        """,
        0,
        "interrupted\n",
        ["it"],
    ),
    "uses an event loop's handlers": (
        """
        import asyncio

        async def main():
            loop, handled = asyncio.get_running_loop(), asyncio.Event()
            loop.add_signal_handler(signal.SIGTERM, handled.set)
            os.kill(os.getpid(), signal.SIGTERM)
            await handled.wait()
            print("handled")
            loop.remove_signal_handler(signal.SIGTERM)
            span()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)

        asyncio.run(main())
        """,
        TERM,
        "handled\n",
        ["it"],
    ),
    "sets the wakeup descriptor": ("print(signal.set_wakeup_fd(-1))", 0, "-1\n", []),
    "sets an impossible handler": (
        """
        for arguments in ((signal.SIGKILL, signal.SIG_DFL), (1_000, signal.SIG_DFL), (signal.SIGTERM, "x")):
            try:
                signal.signal(*arguments)
            except (OSError, ValueError, TypeError) as error:
                print(type(error).__name__)
        """,
        0,
        "OSError\nValueError\nTypeError\n",
        [],
    ),
    "terminates a child": (
        """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        ready = context.Event()

        def work():
            span("child's")
            ready.set()
            time.sleep(60)

        child = context.Process(target=work)
        child.start(); ready.wait(60); child.terminate(); child.join()
        print(child.exitcode)
        """,
        0,
        "-15\n",
        ["child's"],
    ),
    "is stopped while it holds a lock of the SDK's": (
        """
        processor = trace.get_tracer_provider()._active_span_processor._span_processors[0]
        span()
        with processor._batch_processor._export_lock:
            stop()
        """,
        TERM,
        "",
        [],
    ),
}


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    variables = {"OTEL_SERVICE_NAME": "test", "OTEL_BSP_SCHEDULE_DELAY": "600000", **variables}
    whole = textwrap.dedent(BEFORE) + textwrap.dedent(program)
    return run_program(whole, "-W", "ignore::DeprecationWarning", **variables)


@pytest.fixture
def collector() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as receiver:
        yield receiver


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that(name: str, collector: OTLPReceiver) -> None:
    program, code, output, spans = PROGRAMS[name]
    ran = run(program, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_TIMEOUT="2")
    assert (ran.returncode, ran.stdout) == (code, output), ran.stderr
    assert [span.name for span in collector.spans] == spans


@pytest.mark.parametrize("name", [name for name, (_, _, _, spans) in PROGRAMS.items() if "child's" not in spans])
def test_it_is_the_same_without_us(name: str) -> None:
    """Switched off, the programs have the same exit codes and output."""
    program, code, output, _ = PROGRAMS[name]
    without_a_processor = "processor = " in program
    if without_a_processor:
        program = "stop()"
    ran = run(program, OTEL_TRACES_EXPORTER="none", AGENTOPS_FLUSH_ON_SIGNAL="false")
    assert (ran.returncode, ran.stdout) == (code, output), ran.stderr


def test_the_setting_switches_it_off(collector: OTLPReceiver) -> None:
    program = """
        print(signal.signal is own_signal, signal.getsignal is own_getsignal)
        sys.stdout.flush(); span(); stop()
    """
    ran = run(program, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, AGENTOPS_FLUSH_ON_SIGNAL="false")
    assert (ran.returncode, ran.stdout) == (TERM, "True True\n"), ran.stderr
    assert collector.spans == []


def test_nothing_is_installed_outside_the_main_thread() -> None:
    """Where Python lets nobody set handlers."""
    program = """
        import signal, threading
        own = signal.signal, signal.getsignal
        from agentops_otel_litellm import init
        thread = threading.Thread(target=init)
        thread.start(); thread.join()
        print((signal.signal, signal.getsignal) == own)
    """
    ran = run_program(program, OTEL_TRACES_EXPORTER="none")
    assert ran.stdout == "True\n", ran.stderr


def test_a_dead_collector_delays_the_end_by_the_export_timeout_at_most() -> None:
    with LoopbackServer(LoopbackHandler) as server:
        dead = server.url
    ran = run("span(); stop()", OTEL_EXPORTER_OTLP_ENDPOINT=dead, OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert (ran.returncode, ran.stdout) == (TERM, "")


class NeverAnswers(LoopbackHandler):
    is_asked = threading.Event()

    def respond(self) -> None:
        self.read_body()
        self.is_asked.set()
        self.pause(100)


def test_a_second_signal_ends_the_process_at_once() -> None:
    """As the first would without us: nobody is made to wait for the collector's time limit, of hours here."""
    program = """
        def again():
            sys.stdin.readline()
            os.kill(os.getpid(), signal.SIGTERM)
        threading.Thread(target=again, daemon=True).start()
        span(); stop()
    """
    NeverAnswers.is_asked.clear()
    with LoopbackServer(NeverAnswers) as server:
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "10000",
            "OTEL_SERVICE_NAME": "test",
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
        }
        command = [sys.executable, "-c", textwrap.dedent(BEFORE) + textwrap.dedent(program)]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, text=True) as process:
            assert NeverAnswers.is_asked.wait(60)
            assert process.poll() is None
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.wait(60) == TERM
