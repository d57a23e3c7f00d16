"""Without the launcher: `init()` in notebooks, frozen functions, workers, and apps with providers of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from weakref import WeakSet

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from opentelemetry.sdk import _configuration
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from agentops_otel_litellm import LiteLLMInstrumentor, flush, init
from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.delivery import SIGNALS
from agentops_otel_litellm.sdk.application import EXPORT_FAILURES, _Flush, _Launch, recording_failures
from agentops_otel_litellm.sdk.distro import configure_unset
from support.agentops_exports import Clock
from support.launching import environment, launch
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.requirements import HAS_GRPC
from support.servers.agentops_platform import TRACES_ROUTE, AgentOpsPlatform, Fault, without_suffix
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver

NEVER = "600000"
"""Milliseconds, in which nothing is exported but by `flush()`."""
CHAT = """
import os
import litellm
def chat(model="gpt-4o", **options):
    asked = [{"role": "user", "content": "canary-prompt"}]
    return litellm.completion("openai/" + model, asked, api_base=os.environ["PROVIDER"], api_key="sk-a", **options)
"""


def variables(backend: OTLPReceiver, provider: OpenAIProvider, **more: str) -> dict[str, str]:
    told = {"PROVIDER": provider.base_url, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint, "OTEL_SERVICE_NAME": "app"}
    return environment(**told, OTEL_BSP_SCHEDULE_DELAY=NEVER, **more)


def run(code: str, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def told_on(stderr: str) -> list[str]:
    """What is said there; of another distro that is installed beside ours OpenTelemetry says that it is not used."""
    return [line for line in stderr.splitlines() if not line.startswith("Configuration of configurator not loaded")]


CELLS = (
    "from agentops_otel_litellm import flush, init\ninit()",
    CHAT + "assert (await litellm.acompletion('openai/gpt-4o', [{'role': 'user', 'content': 'Hi'}],"
    " api_base=os.environ['PROVIDER'], api_key='sk-a')).choices\nassert flush()",
    "init()\nparts = list(chat(stream=True))\nassert flush()",
)


def test_a_notebook(backend: OTLPReceiver, provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are shown beneath the cell that made them, and sent on; a cell runs in the kernel's event loop."""
    for name, value in variables(backend, provider, OTEL_TRACES_EXPORTER="agentops_console,otlp").items():
        monkeypatch.setenv(name, value)
    cells = [new_code_cell(cell) for cell in CELLS]  # type: ignore[no-untyped-call]  # nbformat's
    notebook = new_notebook(cells=cells)  # type: ignore[no-untyped-call]  # (the same)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [
        re.sub(r"\x1b\[[\d;]*m", "", "".join(output.text for output in cell.outputs if output.get("name") == "stderr"))
        for cell in notebook.cells
    ]
    assert shown[0].startswith("agentops-otel-litellm: LiteLLM calls are printed here.")
    calls = [[line for line in text.splitlines() if line.startswith("chat gpt-4o ")] for text in shown[1:]]
    assert [len(lines) for lines in calls] == [1, 1]
    assert all(line.split()[-1] == "ok" and len(line) <= 80 for (line,) in calls)
    assert [span.name for span in backend.spans] == ["chat gpt-4o"] * 2


def test_each_cell_has_its_own_calls(
    backend: OTLPReceiver, provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `flush()`, as most notebooks are, and although the exporter collects spans for an hour."""
    given = variables(backend, provider, OTEL_TRACES_EXPORTER="agentops_console", OTEL_METRICS_EXPORTER="none")
    for name, value in {**given, "OTEL_LOGS_EXPORTER": "none"}.items():
        monkeypatch.setenv(name, value)
    asked = "[{'role': 'user', 'content': 'Hi'}], api_base=os.environ['PROVIDER'], api_key='sk-a')"
    code = (
        f"from agentops_otel_litellm import init\ninit()\n{CHAT}",
        "chat('model-1')\nprint('x')",
        f"await litellm.acompletion('openai/model-2', {asked}\nparts = list(chat('model-3', stream=True))",
        "stream = chat('model-4', stream=True)\nnext(iter(stream))",
        "list(stream)",
        "1",
    )
    cells = [new_code_cell(cell) for cell in code]  # type: ignore[no-untyped-call]  # nbformat's
    notebook = new_notebook(cells=cells)  # type: ignore[no-untyped-call]  # (the same)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = ["".join(each.text for each in cell.outputs if each.get("name") == "stderr") for cell in notebook.cells]
    assert [sorted(set(re.findall(r"model-\d", text))) for text in shown] == [
        [],
        ["model-1"],
        ["model-2", "model-3"],
        [],
        ["model-4"],
        [],
    ]


FUNCTION = (
    """
import os
before = dict(os.environ)
from agentops_otel_litellm import flush, init
init()
init()
assert dict(os.environ) == before, "what child processes inherit has changed"
"""
    + CHAT
    + """
import sys
held = []
for line in sys.stdin:
    if line == "stream\\n":
        held.append(chat(stream=True))
        next(held[0])
    else:
        chat()
    print(flush(), flush=True)
# Python 3.13.0 crashes where it closes a stream of OpenAI's client while it ends itself, also without us.
held.clear()
import gc
gc.collect()
"""
)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="only where processes can be stopped")
def test_a_function_that_is_frozen_between_calls(backend: OTLPReceiver, provider: OpenAIProvider) -> None:
    """When `flush()` answers, all that has ended is out: the function may be frozen at once, and go on later. A backend
    that refuses it makes a call late, and `flush()` says so.
    """
    function = subprocess.Popen(
        [sys.executable, "-c", FUNCTION],
        env=variables(backend, provider),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert function.stdin is not None
    assert function.stdout is not None

    def call(event: str) -> str:
        assert function.stdin is not None
        assert function.stdout is not None
        function.send_signal(signal.SIGCONT)
        function.stdin.write(f"{event}\n")
        function.stdin.flush()
        answer = function.stdout.readline().strip()
        function.send_signal(signal.SIGSTOP)
        return answer

    try:
        assert call("chat") == "True"
        assert len(backend.spans) == 1
        durations = [point for point in backend.metrics if point.name == "gen_ai.client.operation.duration"]
        assert len(durations) == 1
        assert call("stream") == "True"
        assert len(backend.spans) == 1  # it has not ended
        assert [point.value for point in backend.metrics if point.name == "litellm.client.active_streams"][-1] == 1
        backend.status = 400
        assert call("chat") == "False"
        backend.status = 200
        assert call("chat") == "True"
        assert len(backend.spans) == 2
        function.send_signal(signal.SIGCONT)
        _, stderr = function.communicate(timeout=60)
        assert function.returncode == 0
        assert all("Failed to export" in line for line in told_on(stderr)), stderr
        assert [span.attributes.get("llm.response.stream_outcome") for span in backend.spans] == [
            None,
            None,
            "abandoned",
        ]
    finally:
        function.kill()
        function.wait()


WORKERS = (
    """
from agentops_otel_litellm import flush, init
"""
    + CHAT
    + """
import multiprocessing, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

def work(model):
    init()
    chat(model)
    assert flush()
    os._exit(0)  # as workers that are killed

def threads():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: (init(), chat("threads")), range(8)))
    names = [thread.name for thread in threading.enumerate()]
    assert sum(name.startswith("OtelBatchSpan") for name in names) == 1, names

if __name__ == "__main__":
    threads()
    time.sleep(2)  # LiteLLM imports on threads of its own: who is forked meanwhile has half of a module
    if hasattr(os, "fork"):
        for _ in range(2):
            if (child := os.fork()) == 0:
                work("forked")
            assert os.waitpid(child, 0)[1] == 0
    spawned = multiprocessing.get_context("spawn").Process(target=work, args=("spawned",))
    spawned.start()
    spawned.join()
    assert spawned.exitcode == 0
    chat("parent")
"""
)


def test_workers(backend: OTLPReceiver, provider: OpenAIProvider, tmp_path: Path) -> None:
    """Threads that come at once set one pipeline up; forked workers and their parent each send their own calls, once;
    spawned ones set theirs up.
    """
    program = tmp_path / "workers.py"
    program.write_text(WORKERS, encoding="utf-8")
    done = subprocess.run(
        # From Python 3.12 on, any fork beside threads is warned of.
        [sys.executable, "-W", "ignore::DeprecationWarning", str(program)],
        env=variables(backend, provider),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert told_on(done.stderr) == []
    expected = {"threads": 8, "parent": 1, "spawned": 1, **({"forked": 2} if hasattr(os, "fork") else {})}
    names = [span.name for span in backend.spans]
    assert {name: names.count(f"chat {name}") for name in expected} == expected
    assert len(names) == sum(expected.values())


OWN_PROVIDER = """
import threading
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
own = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(own))
trace.set_tracer_provider(provider)
from agentops_otel_litellm import flush, init
init()
assert trace.get_tracer_provider() is provider
"""


def test_a_tracer_provider_of_the_apps_own(backend: OTLPReceiver, provider: OpenAIProvider) -> None:
    """It is used as it is, nothing is told, and there is no other; what the app has not set up is. One that is set
    later is OpenTelemetry's to refuse.
    """
    code = OWN_PROVIDER + CHAT + "chat()\nassert flush()\n"
    code += "assert [span.name for span in own.get_finished_spans()] == ['chat gpt-4o']\n"
    code += "assert not any(each.name.startswith('OtelBatchSpan') for each in threading.enumerate())\n"
    code += "trace.set_tracer_provider(TracerProvider())\ninit()\nchat()\nassert len(own.get_finished_spans()) == 2"
    done = run(code, variables(backend, provider))
    assert told_on(done.stderr) == ["Overriding of current TracerProvider is not allowed"]
    assert backend.spans == []
    assert "gen_ai.client.operation.duration" in {point.name for point in backend.metrics}


MAKES_A_SPAN = """
import os, sys
from agentops_otel_litellm import LiteLLMInstrumentor, flush, init
init()
init()
from opentelemetry import trace
trace.get_tracer("app").start_span("a span").end()
print(flush(), LiteLLMInstrumentor().is_instrumented_by_opentelemetry, "litellm" in sys.modules)
"""


def test_after_the_launcher(backend: OTLPReceiver) -> None:
    """There is nothing left to do, and no second pipeline."""
    done = launch(
        sys.executable, "-c", MAKES_A_SPAN, OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint, OTEL_SERVICE_NAME="app"
    )
    assert (done.stdout, told_on(done.stderr)) == ("True True False\n", [])
    assert [span.name for span in backend.spans] == ["a span"]


NONSENSE = (
    "OTEL_TRACES_EXPORTER names 'nonsense', which no installed package provides. This exporter is left out. "
    "Name one of: agentops, agentops_backends, agentops_console, console, otlp, "
    f"{'otlp_proto_grpc, ' * HAS_GRPC}otlp_proto_http, none."
)
# What the user has set → what the program prints, what is told, and the spans that are sent.
SWITCHES: dict[tuple[str, str], tuple[str, list[str], list[str]]] = {
    ("OTEL_SDK_DISABLED", "true"): ("True False False", [], []),
    ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "agentops_litellm"): ("True False False", [], ["a span"]),
    ("OTEL_TRACES_EXPORTER", "nonsense"): ("True True False", [NONSENSE], []),
}


@pytest.mark.parametrize("switch", SWITCHES, ids="=".join)
def test_the_users_variables_mean_what_they_do_under_the_launcher(
    backend: OTLPReceiver, provider: OpenAIProvider, switch: tuple[str, str]
) -> None:
    """What cannot be used is told in a line, and the program runs."""
    done = run(MAKES_A_SPAN, {**variables(backend, provider), **dict([switch])})
    found = done.stdout.strip(), told_on(done.stderr), [span.name for span in backend.spans]
    assert found == SWITCHES[switch]


def test_a_distro_that_the_user_has_chosen(backend: OTLPReceiver, provider: OpenAIProvider) -> None:
    """It sets OpenTelemetry up, and LiteLLM is instrumented."""
    chosen = variables(backend, provider, OTEL_PYTHON_DISTRO="distro", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    assert run(MAKES_A_SPAN, chosen).stdout == "True True False\n"
    assert [span.name for span in backend.spans] == ["a span"]


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No global provider, whatever an earlier test has set."""
    for each in SIGNALS:
        monkeypatch.setattr(f"{each.module}.{each.variable}", None)


@pytest.mark.usefixtures("nothing_set")
def test_a_configuration_file(monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings) -> None:
    """OTEL_CONFIG_FILE is the SDK's to read; where the app has set up a part itself, it is told that it is not read."""
    done: list[str] = []
    monkeypatch.setenv("OTEL_CONFIG_FILE", "canary.yaml")
    configure_unset(lambda: done.append("read"))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", Recorder().providers["tracer_provider"])
    configure_unset(lambda: done.append("read again"))
    assert done == ["read"]
    assert logged.take() == ["OTEL_CONFIG_FILE is ignored, because the app has set up OpenTelemetry itself."]


def test_what_exporters_say_is_not_told(monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings) -> None:
    """A fault's text may quote a key; the variables whose values it quotes are named, without those of secrets."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "canary")
    monkeypatch.setenv("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "me:canary@host")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zip")

    def fail() -> None:
        raise ValueError("'canary', 'me:canary@host' and 'zip' cannot be used")

    configure_unset(fail)
    variables = "OTEL_EXPORTER_OTLP_COMPRESSION='zip', OTEL_EXPORTER_ZIPKIN_ENDPOINT='***'"
    assert [line.partition(":")[0] for line in logged.take()] == [
        f"OpenTelemetry is not set up, or only in part ({variables}, ValueError)"
    ]


@pytest.mark.usefixtures("nothing_set")
def test_what_of_the_sdk_is_used_is_there() -> None:
    """Without these names an app's own provider would be warned of, and failed exports not be noticed."""
    assert [signal.provider for signal in SIGNALS] == [None] * 3
    assert all(hasattr(sys.modules[signal.module], signal.variable) for signal in SIGNALS)
    names = [signal.configured_by for signal in SIGNALS]
    assert all(hasattr(_configuration, name) for name in [*names, "_import_exporters"])


def test_a_fault_of_ours_reaches_nobody(monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings) -> None:
    """Neither of `init()` nor of `flush()`, whatever it is given."""

    def fail() -> None:
        raise KeyError("canary")

    monkeypatch.setattr("agentops_otel_litellm.sdk.application._initialize", fail)
    monkeypatch.setattr("agentops_otel_litellm.sdk.application._LAUNCH", _Launch())
    init()
    assert flush("soon") is False  # type: ignore[arg-type]  # somebody may
    assert [line.split(" at ")[0] for line in logged.take()] == [
        "Setting up OpenTelemetry failed (KeyError",
        "Flushing failed (TypeError",
    ]


class Provider:
    """One whose flushing is what a test says."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.released = threading.Event()
        self.flushed = 0

    def force_flush(self, timeout_millis: int) -> object:
        assert 0 <= timeout_millis <= 5_000
        self.flushed += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            self.released.wait(30)
        return answer


@pytest.fixture
def provided(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The providers there are."""
    found: list[object] = []
    monkeypatch.setattr("agentops_otel_litellm.sdk.application._providers", lambda: found)
    EXPORT_FAILURES.take_failure()
    return found


def test_flush_says_whether_all_went_out(provided: list[object]) -> None:
    """It is all where each provider says so; where there is none, or only one that keeps nothing, nothing waits."""
    assert flush()
    provided[:] = [object()]
    assert flush()
    answers: list[tuple[object, object]] = [(True, True), (False, True), (True, RuntimeError("a reader failed"))]
    provided[:] = [Provider(*of_one) for of_one in zip(*answers, strict=True)]
    assert [flush() for _ in range(3)] == [True, False, False]


def test_flush_takes_no_longer_than_it_may(provided: list[object]) -> None:
    """What is still going out is not begun again, others are; when it is out, that is said."""
    slow, other = Provider(None, "all"), Provider("all", "all", "all")
    provided[:] = [slow, other]
    assert not flush(timeout=0.05)
    assert not flush(timeout=0.05)
    until = time.monotonic() + 10
    while other.flushed < 2 and time.monotonic() < until:  # a thread was begun for it, and there was no time left
        time.sleep(0.005)
    assert (slow.flushed, other.flushed) == (1, 2)
    slow.released.set()
    assert flush()
    assert (slow.flushed, other.flushed) == (2, 3)


def test_flush_within_flush(provided: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a signal handler, which may find this thread at any point of it."""
    provided[:] = [Provider(*["all"] * 100)]
    is_over_by, inside = _Flush.is_over_by, threading.Event()

    def interrupted(each: _Flush, deadline: float) -> bool:
        if not inside.is_set():
            inside.set()
            flush(timeout=1)
            inside.clear()
        return is_over_by(each, deadline)

    monkeypatch.setattr(_Flush, "is_over_by", interrupted)
    outer = threading.Thread(target=flush, daemon=True)
    outer.start()
    outer.join(20)
    assert not outer.is_alive()


@pytest.mark.parametrize("outcome", ["FAILURE", OSError("no network")])
def test_what_was_not_delivered_is_told_once(provided: list[object], outcome: object) -> None:
    """An export that failed, whenever since the last time."""
    assert provided == []

    class Result:
        name = outcome

    class Exporter:
        def export(self, batch: object) -> Result:
            assert batch == "a batch"
            if isinstance(outcome, Exception):
                raise outcome
            return Result()

    kind = recording_failures(Exporter)
    assert (kind.__name__, issubclass(kind, Exporter)) == ("Exporter", True)
    assert recording_failures(Provider) is Provider
    if isinstance(outcome, Exception):
        with pytest.raises(OSError, match="no network"):
            kind().export("a batch")
    else:
        kind().export("a batch")
    assert [flush(), flush()] == [False, True]


def test_providers_that_litellm_was_instrumented_with_are_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the app has given its own to `instrument()`, and set none globally; each once."""
    traces, others = Provider("all"), Provider("all")
    given = {"_tracer_provider": traces, "_meter_provider": others, "_logger_provider": others}
    for name, provider in given.items():
        monkeypatch.setattr(LiteLLMInstrumentor(), name, provider)
    assert flush()
    assert (traces.flushed, others.flushed) == (1, 1)


def test_flush_sends_what_agentops_could_not_take(
    platform: AgentOpsPlatform,
    clock: Clock,
    provided: list[object],
    logged: LoggedWarnings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK's own does not ask the exporter: what it keeps is tried again, and is not all out until it is delivered;
    then it is, though an export had failed. What is dropped was not delivered, which is said once.
    """
    monkeypatch.setattr(AgentOpsSpanExporter, "instances", WeakSet())
    exporter = AgentOpsSpanExporter()
    spans = TracerProvider(shutdown_on_exit=False)
    spans.add_span_processor(BatchSpanProcessor(exporter))
    provided[:] = [spans]
    platform.fail(Fault(status=503), TRACES_ROUTE)
    spans.get_tracer("app").start_span("a span").end()
    assert [flush(), flush()] == [False, False]
    assert len(logged.take()) == 1
    platform.recover()
    clock.ahead += 1.5
    assert flush()
    assert [without_suffix(span) for span in platform.spans] == ["a span"]
    platform.status = 400
    spans.get_tracer("app").start_span("refused").end()
    assert [flush(), flush()] == [False, True]
    assert len(logged.take()) == 1
    spans.shutdown()
    assert len(logged.take()) == 1


def test_an_exporter_that_tried_again_by_itself(platform: AgentOpsPlatform) -> None:
    """What is delivered meanwhile has not failed: zero-code, where the exports of others are watched."""
    code = """
import time
from agentops_otel_litellm import flush, init
init()
from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from opentelemetry import trace
trace.get_tracer("app").start_span("a span").end()
trace.get_tracer_provider().force_flush()
(exporter,) = AgentOpsSpanExporter.instances
print(exporter.last_error is None)
while exporter.last_error is not None:
    time.sleep(0.05)
print(flush())
"""

    def recover() -> None:
        while not platform.faulted_routes:
            time.sleep(0.01)
        platform.recover()

    platform.fail(Fault(status=503, retry_after="1"), TRACES_ROUTE)
    threading.Thread(target=recover, daemon=True).start()
    off = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    done = run(code, environment(**platform.environment, **off))
    assert done.stdout.split() == ["False", "True"], done.stderr
    assert [without_suffix(span) for span in platform.spans] == ["a span"]


def test_without_the_metadata_of_this_package(backend: OTLPReceiver, provider: OpenAIProvider) -> None:
    """Tools that freeze programs leave out entry points. `init()` then imports the distro directly."""
    hide = """
import importlib.metadata as metadata
found = metadata.distributions
metadata.distributions = lambda **chosen: (
    each for each in found(**chosen) if each.metadata["Name"] != "agentops-otel-litellm"
)
import agentops_otel_litellm
agentops_otel_litellm.init()
"""
    done = run(f"{hide}{CHAT}chat()\n", variables(backend, provider))
    assert done.returncode == 0, done.stderr
    (span,) = backend.spans
    assert (span.name, span.resource["telemetry.distro.name"]) == ("chat gpt-4o", "agentops-otel-litellm")
