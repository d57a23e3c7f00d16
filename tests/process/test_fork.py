"""What a forked child finds: nothing of the parent's, and nothing locked."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError, version

import pytest

from agentops_otel_litellm.fork import FORK, PARTS
from support.launching import launch, run_program
from support.servers.otlp_receiver import OTLPReceiver

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
OPTIONS = ("-W", "ignore::DeprecationWarning")  # Python 3.12 warns of forks beside threads


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_program(program, *OPTIONS, **variables)


def test_every_part_of_a_process_is_registered() -> None:
    """No row of the table is left over: each is renewed by something, once it is in use."""
    program = """
        from agentops_otel_litellm import flush, init
        init()
        import litellm
        from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
        from agentops_otel_litellm.fork import FORK
        exporter = AgentOpsSpanExporter()
        print([part for part, methods in FORK._renew.items() if not methods])
    """
    ran = run(program, OTEL_TRACES_EXPORTER="agentops_console")
    assert ran.stdout == "[]\n", ran.stderr
    assert set(FORK._renew) == set(PARTS)


CONSOLE = """
    import os, signal, sys, threading
    signal.alarm(100)
    from agentops_otel_litellm import flush, init
    init()
    from opentelemetry import trace
    tracer = trace.get_tracer("agentops_otel_litellm")
    def call(model):
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
        tracer.start_span("chat", kind=trace.SpanKind.CLIENT, attributes=attributes).end()

    prints, goes_on = threading.Event(), threading.Event()

    class Slow:
        def write(self, text):
            prints.set()
            goes_on.wait(60)
        def flush(self):
            pass

    own, sys.stderr = sys.stderr, Slow()
    call("parent")
    flushing = threading.Thread(target=flush, args=(30,))
    flushing.start()
    prints.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs fails the test, and does not outlive it
        sys.stderr = own
        call("child")
        print(flush(30), flush=True)
        sys.exit(7)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    goes_on.set()
    flushing.join()
    print(code)
"""


def test_a_fork_while_the_console_prints() -> None:
    """The child prints its own call, and no other, and ends as the application says."""
    ran = run(CONSOLE, OTEL_TRACES_EXPORTER="agentops_console")
    assert ran.stdout == "True\n7\n", ran.stderr
    assert "chat child" in ran.stderr
    assert "chat parent" not in ran.stderr
    assert "1 call\n" in ran.stderr


PRICES = """
    import os, sys, threading
    from agentops_otel_litellm.call import Call, Target, Timing, Usage
    from agentops_otel_litellm.pricing.precedence import PackagePrices

    imported = {}
    class Noting:
        def find_spec(self, name, path=None, target=None):
            imported.setdefault(name, threading.current_thread().name)
    sys.meta_path.insert(0, Noting())

    prices = PackagePrices()
    call = Call(name="chat", operation="chat", target=Target(provider="openai", model="gpt-4o"),
                timing=Timing(started_at=10**18), usage=Usage(input=10, output=5, cache_read=2))
    assert prices.price(call) is None
    assert prices.loaded.wait(60)
    assert prices.price(call).total > 0
    print(sorted({thread for name, thread in imported.items() if name.startswith("genai_prices.")}))
"""


def test_prices_are_imported_on_a_thread_that_forks_wait_for() -> None:
    """Nothing is left for the application's thread to import when it asks for a price: a fork meanwhile would leave
    the child with a module that it can never import.
    """
    try:
        version("genai-prices")
    except PackageNotFoundError:
        pytest.skip("genai-prices is not installed")
    ran = run(PRICES)
    assert ran.stdout == "['agentops-prices']\n", ran.stderr


CHILDREN = """
    import multiprocessing, os, sys
    from concurrent.futures import ProcessPoolExecutor
    from agentops_otel_litellm import init
    init()
    from opentelemetry import trace

    def work(name):
        trace.get_tracer("test").start_span(name).end()

    def fail():
        work("failing")
        raise SystemExit(5)

    def in_pool():
        with context.Pool(1) as pool:
            pool.map(work, ["pool"])
            pool.close()
            pool.join()

    if __name__ == "__main__":
        context = multiprocessing.get_context("fork")
        process = context.Process(target=work, args=("process",))
        process.start(); process.join()
        failing = context.Process(target=fail)
        failing.start(); failing.join()
        in_pool()
        with ProcessPoolExecutor(1, mp_context=context) as executor:
            executor.submit(work, "executor").result()
        print(process.exitcode, failing.exitcode)
"""


def test_children_of_multiprocessing_deliver_what_ended(collector: OTLPReceiver) -> None:
    """They end with `os._exit`: no `atexit` handler runs."""
    ran = run(CHILDREN, **exporting_to(collector))
    assert ran.stdout == "0 5\n", ran.stderr
    assert sorted(span.name for span in collector.spans) == ["executor", "failing", "pool", "process"]


def test_children_of_a_forkserver_deliver_what_ended(collector: OTLPReceiver, tmp_path: object) -> None:
    """The server is a program of its own, in which the launcher has set OpenTelemetry up."""
    program = tmp_path / "app.py"  # type: ignore[operator]
    program.write_text(
        textwrap.dedent("""
            import multiprocessing
            from opentelemetry import trace

            def work(name):
                trace.get_tracer("test").start_span(name).end()

            if __name__ == "__main__":
                for method in ("forkserver", "spawn"):
                    process = multiprocessing.get_context(method).Process(target=work, args=(method,))
                    process.start(); process.join()
                    print(process.exitcode)
        """)
    )
    ran = launch(sys.executable, *OPTIONS, str(program), **exporting_to(collector))
    assert ran.stdout == "0\n0\n", ran.stderr
    assert sorted(span.name for span in collector.spans) == ["forkserver", "spawn"]


@pytest.fixture
def collector() -> object:
    with OTLPReceiver() as receiver:
        yield receiver


def exporting_to(collector: OTLPReceiver) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SERVICE_NAME": "test",
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
