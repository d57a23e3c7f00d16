"""Fixtures of all tests, which share one process with one instrumented LiteLLM.

Importing LiteLLM takes seconds. Each test reads only its own telemetry, and requests go to servers on loopback.
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
# As without the extra `prices`: its import on a thread would make the prices of a test depend on timing.
sys.modules["genai_prices"] = None  # type: ignore[assignment]  # `None` makes the import fail

import pytest

pytest.register_assert_rewrite("support")  # helpers have assertions

from agentops_otel_litellm import LiteLLMInstrumentor, guard
from agentops_otel_litellm.background import OPEN_STREAMS
from agentops_otel_litellm.patching.traced_functions import TRACING
from support import agentops_conformance, releases
from support.agentops_exports import clock, platform  # noqa: F401 - fixtures
from support.conformance import EMITTED, Emitted
from support.instrumented import RECORDER, TRACED_OPERATIONS, Reinstrument, Trace, instrumented, traced_by
from support.logged_warnings import LoggedWarnings
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver
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
    parser.addoption("--seed", type=int, default=16, help="the seed for the cases in tests/soak")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that this release of LiteLLM cannot pass."""
    for item in items:
        limitation = releases.limitation_of(item.nodeid)
        if limitation is not None:
            item.add_marker(pytest.mark.skip(reason=str(limitation)))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After a run of all tests, compare their spans with the table of operations."""
    if exitstatus == 0 and is_due(session.config):
        found = differences(TRACED_OPERATIONS.facts)
        if found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print("\nThe spans differ from docs/operations.md:", *found, sep="\n")  # noqa: T201


@pytest.fixture
def backend() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as receiver:
        yield receiver


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
    """Telemetry of the test, which is checked against the conventions at the end."""
    yield EMITTED
    RECORDER.collect()
    assert EMITTED.take() == []


@pytest.fixture
def telemetry() -> Iterator[Recorder]:
    """The recorder of all tests, without telemetry of earlier ones."""
    RECORDER.forget()
    yield RECORDER
    if OPEN_STREAMS._streams:  # a stream in a reference cycle must not end during the next test
        gc.collect()


@pytest.fixture
def trace(telemetry: Recorder) -> Trace:
    """A traced function that returns its argument, in place of a function of LiteLLM."""

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
    """A provider for any API format."""
    running_wire.reset()
    return running_wire


@pytest.fixture(params=["sync", "async"])
def app(request: pytest.FixtureRequest, provider: OpenAIProvider) -> App:
    """An application that calls LiteLLM, synchronous and asynchronous."""
    from support.apps import AsyncApp, SyncApp

    return SyncApp(provider) if request.param == "sync" else AsyncApp(provider)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Calls functions of LiteLLM's modules, synchronously and asynchronously."""
    from support.apps import AsyncCaller, SyncCaller

    return SyncCaller() if request.param == "sync" else AsyncCaller()


@pytest.fixture(params=["sync", "async"])
def api(request: pytest.FixtureRequest, wire: WireProvider) -> ApiCaller:
    """Calls LiteLLM's other APIs, synchronously and asynchronously."""
    from support.api_caller import ApiCaller

    return ApiCaller(wire=wire, asynchronous=request.param == "async")


@pytest.fixture
def restored_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores LiteLLM's lists of callbacks at the end of the test."""
    import litellm

    for name, value in list(vars(litellm).items()):
        if name.endswith(("callback", "callbacks")) and isinstance(value, list):
            monkeypatch.setattr(litellm, name, list(value))


@pytest.fixture
def instrumented_with() -> Reinstrument:
    """A context manager in which LiteLLM is instrumented with other OpenTelemetry providers."""
    return instrumented


@pytest.fixture
def capture(telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """A function that enables content capture; at the end, captured messages are checked against the conventions."""
    from support.captured import captured_messages, capturing_telemetry, schema_errors

    def capturing(mode: str, **environment: str) -> Recorder:
        monkeypatch.setattr(TRACING, "telemetry", capturing_telemetry(telemetry, mode, **environment))
        return telemetry

    yield capturing
    assert [error for messages in captured_messages(telemetry) for error in schema_errors(messages)] == []


@pytest.fixture
def captured(capture: Capture) -> Recorder:
    """The recorder, with content captured on spans."""
    return capture("SPAN_ONLY")
