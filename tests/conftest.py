"""One process, one `import litellm`, instrumented before it; each test sees only its own telemetry.

LiteLLM takes seconds to import, so all tests share one. What it sends out goes to servers on loopback.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

for variable in [name for name in os.environ if name.startswith(("OTEL_", "AGENTOPS_", "LITELLM_", "OPENAI_"))]:
    del os.environ[variable]
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# As where the extra `prices` is not installed: imported on a thread, it would price one test's calls, not another's.
sys.modules["genai_prices"] = None  # type: ignore[assignment]  # Python's own way to say that there is no such module

import pytest

pytest.register_assert_rewrite("support")  # its modules have assertions of several tests

from agentops_otel_litellm import LiteLLMInstrumentor, guard
from agentops_otel_litellm.background import OPEN_STREAMS
from agentops_otel_litellm.patching.traced_functions import TRACING
from support import agentops_conformance, releases
from support.agentops_exports import clock, platform  # noqa: F401 - fixtures
from support.conformance import EMITTED, Emitted
from support.instrumented import RECORDER, TRACED_OPERATIONS, Reinstrument, Trace, instrumented, traced_by
from support.logged_warnings import LoggedWarnings
from support.servers.openai_provider import OpenAIProvider
from support.servers.wire import WireProvider
from support.traced_operations import differences, is_due

if TYPE_CHECKING:
    from support.api_caller import ApiCaller
    from support.apps import App, Caller
    from support.captured import Capture
    from support.recorder import Recorder

LiteLLMInstrumentor().instrument(**RECORDER.providers)
agentops_conformance.check_all_calls()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=int, default=10_000, help="how many cases a test in tests/soak runs")
    parser.addoption("--first-case", type=int, default=0, help="the number of the first of them")
    parser.addoption("--seed", type=int, default=16, help="what the cases in tests/soak are made of")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this release of LiteLLM cannot do."""
    for item in items:
        lack = releases.limitation_of(item.nodeid)
        if lack is not None:
            item.add_marker(pytest.mark.skip(reason=str(lack)))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Compare the spans of all tests with the table of operations, if all have run."""
    if exitstatus == 0 and is_due(session.config):
        found = differences(TRACED_OPERATIONS.facts)
        if found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print("\nThe spans differ from docs/operations.md:", *found, sep="\n")  # noqa: T201


@pytest.fixture(autouse=True)
def logged() -> Iterator[LoggedWarnings]:
    guard._logged.clear()
    logged = LoggedWarnings()
    for name in LoggedWarnings.LOGGERS:
        logging.getLogger(name).addHandler(logged)
    yield logged
    for name in LoggedWarnings.LOGGERS:
        logging.getLogger(name).removeHandler(logged)
    assert logged.take() == []


@pytest.fixture(autouse=True)
def emitted() -> Iterator[Emitted]:
    """What is held against the conventions."""
    yield EMITTED
    RECORDER.collect()
    assert EMITTED.take() == []


@pytest.fixture
def telemetry() -> Iterator[Recorder]:
    """What was recorded since the test began."""
    RECORDER.forget()
    yield RECORDER
    if OPEN_STREAMS._streams:  # in a cycle, of a traceback say: it must not end in the next test
        gc.collect()


@pytest.fixture
def trace(telemetry: Recorder) -> Trace:
    """Traces its argument as the result of one of LiteLLM's functions."""

    def returning(result: object) -> object:
        return result

    return traced_by(telemetry, returning)


@pytest.fixture(scope="session")
def running_provider() -> Iterator[OpenAIProvider]:
    with OpenAIProvider() as server:
        yield server


@pytest.fixture
def provider(running_provider: OpenAIProvider) -> OpenAIProvider:
    running_provider.reset()
    return running_provider


@pytest.fixture(scope="session")
def running_wire() -> Iterator[WireProvider]:
    with WireProvider() as server:
        yield server


@pytest.fixture
def wire(running_wire: WireProvider) -> WireProvider:
    """A provider of any kind."""
    running_wire.reset()
    return running_wire


@pytest.fixture(params=["sync", "async"])
def app(request: pytest.FixtureRequest, provider: OpenAIProvider) -> App:
    """The app in both styles."""
    from support.apps import AsyncApp, SyncApp

    return SyncApp(provider) if request.param == "sync" else AsyncApp(provider)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Whoever calls LiteLLM's functions, in both styles."""
    from support.apps import AsyncCaller, SyncCaller

    return SyncCaller() if request.param == "sync" else AsyncCaller()


@pytest.fixture(params=["sync", "async"])
def api(request: pytest.FixtureRequest, wire: WireProvider) -> ApiCaller:
    """Whoever calls the further APIs, in both styles."""
    from support.api_caller import ApiCaller

    return ApiCaller(wire=wire, asynchronous=request.param == "async")


@pytest.fixture
def restored_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM keeps callbacks in lists of several names, and copies them from one to the other."""
    import litellm

    for name, value in list(vars(litellm).items()):
        if name.endswith(("callback", "callbacks")) and isinstance(value, list):
            monkeypatch.setattr(litellm, name, list(value))


@pytest.fixture
def instrumented_with() -> Reinstrument:
    """A block in which LiteLLM is instrumented with other providers."""
    return instrumented


@pytest.fixture
def capture(telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """LiteLLM, instrumented by somebody who wants to be told what is said, in parts as the conventions have them."""
    from support.captured import captured_messages, capturing_telemetry, schema_errors

    def capturing(mode: str, **environment: str) -> Recorder:
        monkeypatch.setattr(TRACING, "telemetry", capturing_telemetry(telemetry, mode, **environment))
        return telemetry

    yield capturing
    assert [fault for attributes in captured_messages(telemetry) for fault in schema_errors(attributes)] == []


@pytest.fixture
def captured(capture: Capture) -> Recorder:
    """The same, who wants it on spans."""
    return capture("SPAN_ONLY")
