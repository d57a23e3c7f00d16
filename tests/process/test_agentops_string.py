"""`"agentops"` among LiteLLM's callbacks: ours, and so no login, no second export and no second span."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator

import litellm
import pytest
from litellm.caching.dual_cache import DualCache
from litellm.integrations.agentops import AgentOps
from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils import litellm_logging
from opentelemetry import trace

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.exporters.delivery import DELIVERY
from agentops_otel_litellm.patching.other_instrumentations import AgentOpsLiteLLMCallback
from support.apps import App
from support.callback_lists import LISTS
from support.instrumented import Reinstrument
from support.logging_worker import settle
from support.recorder import Recorder

PLACES = {
    "success": {"success_callback": ["agentops"]},
    "failure": {"failure_callback": ["agentops"]},
    "both": {"success_callback": ["agentops"], "failure_callback": ["agentops"]},
    "callbacks": {"callbacks": ["agentops"]},
}


@pytest.fixture(autouse=True)
def _callbacks_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_API_KEY", "11111111-2222-3333-4444-555555555555")
    monkeypatch.setattr(DELIVERY, "request", lambda _provider: None)  # nothing is added to the suite's own provider
    for name in LISTS:
        monkeypatch.setattr(litellm, name, [])
    monkeypatch.setattr(litellm_logging, "_in_memory_loggers", [])


@pytest.fixture(autouse=True)
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Whom anything tried to reach that is not on this machine; a test that does not expect it fails."""
    tried: list[object] = []

    def look_up(host: str | bytes | None, *args: object, **kwargs: object) -> object:
        if host not in {"127.0.0.1", "localhost", b"127.0.0.1", None}:
            tried.append(host)
            raise socket.gaierror("the test has no network")
        return real(host, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    # LiteLLM's own closes the HTTP client that it asks with, which others share.
    monkeypatch.setattr(litellm, "in_memory_llm_clients_cache", type(litellm.in_memory_llm_clients_cache)())
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield tried
    assert tried == []


@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
@pytest.mark.parametrize("place", PLACES)
def test_a_call_is_one_span_and_nobody_is_asked_for_a_token(
    app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, place: str, *, v2: bool
) -> None:
    """Wherever LiteLLM is given the name, and whichever of its implementations is chosen."""
    if v2:
        monkeypatch.setenv("LITELLM_OTEL_V2", "true")
    for name, callbacks in PLACES[place].items():
        monkeypatch.setattr(litellm, name, list(callbacks))
    provider = trace.get_tracer_provider()
    app.ask("completion")
    app.read("completion")
    settle()
    assert [span.name for span in telemetry.spans()] == ["chat gpt-4o"] * 2
    assert trace.get_tracer_provider() is provider
    made = {type(each) for name in LISTS for each in getattr(litellm, name) if not isinstance(each, str)}
    assert made == {AgentOpsLiteLLMCallback}
    assert litellm_logging._in_memory_loggers == []


def test_a_name_given_with_a_call(app: App, telemetry: Recorder) -> None:
    """Also where it is a parameter."""
    app.ask("completion", success_callback=["agentops"], callbacks=["agentops"])
    settle()
    assert [span.name for span in telemetry.spans()] == ["chat gpt-4o"]


def test_the_proxys_configuration(app: App, telemetry: Recorder) -> None:
    """The proxy makes callbacks of the names in its YAML when it starts."""
    pytest.importorskip("litellm.proxy.proxy_server", reason="needs litellm[proxy]", exc_type=ImportError)
    from litellm.proxy.utils import ProxyLogging

    litellm.callbacks.append("agentops")
    ProxyLogging(user_api_key_cache=DualCache())._init_litellm_callbacks()  # type: ignore[arg-type]  # any cache
    made = [each for each in litellm.callbacks if isinstance(each, AgentOps)]
    assert made == [resolved()]
    app.ask("completion")
    settle()
    assert [span.name for span in telemetry.spans()] == ["chat gpt-4o"]


def resolved() -> object:
    return litellm_logging._init_custom_logger_compatible_class("agentops", None, None)


def test_it_is_one_of_litellms_that_says_nothing() -> None:
    """It is found by LiteLLM's class and name, and none of its methods does more than those of any callback."""
    ours = resolved()
    assert isinstance(ours, AgentOps)
    assert resolved() is ours
    assert ours.callback_name == "agentops"
    for name in dir(AgentOps):
        if name.startswith("__") or not callable(getattr(ours, name)):
            continue
        if hasattr(CustomLogger, name):
            assert getattr(type(ours), name) == getattr(CustomLogger, name)
        else:
            outcome = getattr(ours, name)("anything", other="anything")
            assert (asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome) is None
    assert "log_stream_event" not in vars(type(ours)) or type(ours).log_stream_event is CustomLogger.log_stream_event


def test_where_litellms_own_is_wanted(
    instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch, reached: list[object]
) -> None:
    """A setting leaves LiteLLM's alone, which asks for a token."""
    monkeypatch.setenv("AGENTOPS_LITELLM_BUILTIN", "true")
    with instrumented_with(Recorder()):
        assert type(resolved()) is AgentOps
    assert reached
    reached.clear()


def test_where_it_is_not_instrumented(instrumented_with: Reinstrument, reached: list[object]) -> None:
    """LiteLLM does as it does without us."""
    with instrumented_with(Recorder()):
        LiteLLMInstrumentor().uninstrument()
        assert type(resolved()) is AgentOps
        LiteLLMInstrumentor().instrument()
    assert reached
    reached.clear()


def test_importing_ours_imports_nothing_of_litellm() -> None:
    """Before its class is asked for."""
    code = "import sys, agentops_otel_litellm.patching.other_instrumentations; print('litellm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_no_other_name() -> None:
    """The module has what it has."""
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        from agentops_otel_litellm.patching.other_instrumentations import Nothing  # noqa: F401
