"""Who delivers to AgentOps: each span once, whoever has set the SDK up, and beside the package agentops."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import ModuleType
from weakref import WeakSet

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import NoOpTracerProvider

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.delivery import Delivery
from support.launching import LAUNCHER, environment, launch
from support.logged_warnings import LoggedWarnings
from support.project import ROOT
from support.servers.agentops_platform import AgentOpsPlatform, without_suffix
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver


@pytest.fixture(autouse=True)
def _no_other_exporters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of other tests may still be about."""
    monkeypatch.setattr(AgentOpsSpanExporter, "instances", WeakSet())


@pytest.fixture
def provider() -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False)


def delivered(platform: AgentOpsPlatform, provider: TracerProvider) -> int:
    """How often a span of the provider's is."""
    platform.spans.clear()
    provider.get_tracer("app").start_span("a span").end()
    provider.force_flush()
    return len(platform.spans)


def another_has_its_own(made: Delivery, platform: AgentOpsPlatform, provider: TracerProvider) -> None:
    """LiteLLM's spans come from another provider than before: those of both are delivered, once each."""
    other = TracerProvider(shutdown_on_exit=False)
    made.request(other)
    assert (delivered(platform, provider), delivered(platform, other)) == (1, 1)
    provider.shutdown()
    other.shutdown()


def test_a_provider_is_given_the_exporter_once(platform: AgentOpsPlatform, provider: TracerProvider) -> None:
    """Also where LiteLLM is instrumented again, and then with another one as well."""
    made = Delivery()
    for _ in range(2):
        made.request(provider)
        made.prepare()
        assert delivered(platform, provider) == 1
        made.cancel()
    another_has_its_own(made, platform, provider)


def test_a_global_provider_that_comes_later(
    platform: AgentOpsPlatform, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app may set its own after LiteLLM was instrumented: it is seen at the next call."""
    made = Delivery()
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", None)
    made.request(None)
    made.prepare()
    assert delivered(platform, provider) == 0
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    made.prepare()
    made.prepare()
    assert delivered(platform, provider) == 1
    provider.shutdown()


def test_threads_that_come_at_once(platform: AgentOpsPlatform, provider: TracerProvider) -> None:
    """No span is started before the provider has the exporter, whichever thread adds it."""
    begun = threading.Event()

    class Slow(Delivery):
        def _add_to(self, provider: TracerProvider) -> None:
            begun.set()
            time.sleep(0.2)
            super()._add_to(provider)

    made = Slow()
    made._provider, made.is_requested = provider, True
    first = threading.Thread(target=made.prepare)
    first.start()
    begun.wait(10)
    made.prepare()
    assert delivered(platform, provider) == 1
    first.join()
    provider.shutdown()


NOT_ATTACHED: dict[str, dict[str, str]] = {
    "no key": {"AGENTOPS_API_KEY": ""},
    "switched off": {"OTEL_TRACES_EXPORTER": "none"},
}


@pytest.mark.parametrize("why", NOT_ATTACHED)
def test_where_it_is_no_destination(
    why: str, platform: AgentOpsPlatform, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made and nothing sent."""
    for variable, value in NOT_ATTACHED[why].items():
        monkeypatch.setenv(variable, value)
    made = Delivery()
    made.request(provider)
    made.prepare()
    assert delivered(platform, provider) == 0
    assert platform.token_requests == []


def test_where_another_delivers(platform: AgentOpsPlatform, provider: TracerProvider) -> None:
    """An exporter that the app has made is the only one, as long as it is not shut down: it may be on any provider."""
    exporter = AgentOpsSpanExporter()
    made = Delivery()
    made.request(provider)
    assert delivered(platform, provider) == 0
    exporter.shutdown()
    made.request(provider)
    assert delivered(platform, provider) == 1
    provider.shutdown()


def test_where_the_configurator_delivers(platform: AgentOpsPlatform, provider: TracerProvider) -> None:
    """Its exporter is that of the provider that it has set; another one that LiteLLM is given has its own."""
    made, exporter = Delivery(), AgentOpsSpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made.record_exporters({exporter}, provider)
    made.request(provider)
    assert delivered(platform, provider) == 1
    made.cancel()
    another_has_its_own(made, platform, provider)


def test_a_provider_without_spans(platform: AgentOpsPlatform) -> None:
    """One that takes no exporter is left alone."""
    made = Delivery()
    made.request(NoOpTracerProvider())
    made.prepare()
    assert platform.token_requests == []


@pytest.mark.usefixtures("platform")
def test_no_variable_breaks_it(
    provider: TracerProvider, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK refuses queues that are smaller than batches, and the like; ours are none of these."""
    for variable in ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"):
        monkeypatch.setenv(variable, "-1")
    monkeypatch.setenv("AGENTOPS_MAX_QUEUE_SIZE", "1")
    Delivery().request(provider)
    assert len(AgentOpsSpanExporter.instances) == 1
    assert logged.take() == []
    provider.shutdown()


class Breaks(OTLPSpanExporter):
    """As in releases of agentops that read what OpenTelemetry's exporter once had."""

    def prepare(self) -> object:
        return self._session, self._headers  # type: ignore[attr-defined]  # that is the point


class Works(OTLPSpanExporter):
    """As another release may have it."""

    def prepare(self) -> object:
        return self.force_flush()


HAS_THEM = {"_session", "_headers"} <= set(vars(OTLPSpanExporter(endpoint="http://localhost")))


@pytest.mark.parametrize(
    ("exporter", "is_theirs", "ours"),
    [(Breaks, True, not HAS_THEM), (Works, True, False), (Breaks, False, True), (Works, False, True)],
)
def test_beside_the_package_agentops(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    exporter: type,
    is_theirs: bool,  # noqa: FBT001
    ours: bool,  # noqa: FBT001
    platform: AgentOpsPlatform,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own provider has its own exporter; where that cannot work with this OpenTelemetry, it is given ours."""
    core, exporters = ModuleType("agentops.sdk.core"), ModuleType("agentops.sdk.exporters")
    core.tracer = ModuleType("tracer")  # type: ignore[attr-defined]  # made up
    core.tracer.provider = provider if is_theirs else None
    exporters.AuthenticatedOTLPExporter = exporter  # type: ignore[attr-defined]  # made up
    for module in (core, exporters):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    Delivery().request(provider)
    assert delivered(platform, provider) == ours
    provider.shutdown()


A_SPAN = """
from opentelemetry import trace
trace.get_tracer("app").start_span("a span").end()
"""
OTHER = {"OTEL_PYTHON_DISTRO": "distro", "OTEL_PYTHON_CONFIGURATOR": "configurator"}
OFF = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
LEFT_ALONE = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
TO_OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
# What an app sets beside its key → how many spans come to AgentOps, and to a backend for OTLP.
SET_UP: dict[str, tuple[dict[str, str], int, int]] = {
    "nothing": ({}, 1, 0),
    "an endpoint": ({TO_OTLP: "…"}, 1, 1),
    "an endpoint and its exporter": ({TO_OTLP: "…", "OTEL_TRACES_EXPORTER": "otlp"}, 1, 1),
    "the console": ({"OTEL_TRACES_EXPORTER": "console"}, 1, 0),
    "none": ({TO_OTLP: "…", "OTEL_TRACES_EXPORTER": "none"}, 0, 0),
    "both": ({TO_OTLP: "…", "OTEL_TRACES_EXPORTER": "agentops,otlp"}, 1, 1),
    "no OpenTelemetry": ({TO_OTLP: "…", "OTEL_SDK_DISABLED": "true"}, 0, 0),
    "LiteLLM left alone": ({LEFT_ALONE: "agentops_litellm"}, 1, 0),
    "LiteLLM left alone, and the console": ({LEFT_ALONE: "agentops_litellm", "OTEL_TRACES_EXPORTER": "console"}, 1, 0),
    "another distro": ({**OTHER, **OFF, "OTEL_TRACES_EXPORTER": "console"}, 1, 0),
}


@pytest.mark.parametrize("given", SET_UP)
def test_zero_code(given: str) -> None:
    """With a key, spans come to AgentOps once, and to whom else the app says; metrics and logs never do."""
    variables, to_agentops, to_otlp = SET_UP[given]
    with AgentOpsPlatform() as platform, OTLPReceiver() as backend:
        if TO_OTLP in variables:
            variables = {**variables, TO_OTLP: backend.endpoint}
        done = launch(sys.executable, "-c", A_SPAN, AGENTOPS_SERVICE_NAME="an-app", **platform.environment, **variables)
    assert done.returncode == 0
    assert [len(platform.spans), len(backend.spans)] == [to_agentops, to_otlp]
    assert {request.path for request in platform.requests} <= {"/v1/traces"}
    assert bool(platform.token_requests) is bool(to_agentops)
    if given == "nothing":
        assert platform.spans[0].resource["service.name"] == "an-app"


def test_settings_that_the_sdk_refuses() -> None:
    """Each is told of in a line, and the app is traced all the same."""
    variables = {
        "OTEL_BSP_SCHEDULE_DELAY": "0",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "200",
        "AGENTOPS_ENVIRONMENT": "staging",
        "AGENTOPS_MAX_WAIT_TIME": "soon",
        "AGENTOPS_AUTO_INIT": "false",
        "OTEL_SERVICE_NAME": "a-test",
    }
    with AgentOpsPlatform() as platform:
        done = launch(sys.executable, "-c", A_SPAN, **platform.environment, **variables)
    assert [line for line in done.stderr.splitlines() if "configurator" not in line] == [
        (
            "Invalid value for OTEL_BSP_SCHEDULE_DELAY: '0' (expected a number of milliseconds, 1 or more). "
            "The default is used."
        ),
        (
            "Invalid value for OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 200 (expected at most OTEL_BSP_MAX_QUEUE_SIZE, 100). "
            "Using 100."
        ),
        "Invalid value for AGENTOPS_MAX_WAIT_TIME: 'soon' (expected a number of milliseconds, 1 or more). Using 5000.",
    ]
    (span,) = platform.spans
    assert span.resource["deployment.environment.name"] == "staging"


# How an app that has a provider of its own comes by ours → what is run, and how it is started.
OWN_PROVIDERS: dict[str, tuple[str, bool]] = {
    "before init()": (
        "trace.set_tracer_provider(TracerProvider())\nfrom agentops_otel_litellm import init\ninit()",
        False,
    ),
    "after init()": (
        "from agentops_otel_litellm import init\ninit()\ntrace.set_tracer_provider(TracerProvider())",
        False,
    ),
    "after the launcher": ("trace.set_tracer_provider(TracerProvider())", True),
}


@pytest.mark.parametrize("when", OWN_PROVIDERS)
def test_an_app_that_has_a_provider_of_its_own(when: str) -> None:
    """Its spans are delivered once: by its own provider where that came first, and else by the one that was there."""
    code, launched = OWN_PROVIDERS[when]
    code = f"from opentelemetry import trace\nfrom opentelemetry.sdk.trace import TracerProvider\n{code}{A_SPAN}"
    command = [*([str(LAUNCHER)] if launched else []), sys.executable, "-c", code]
    with AgentOpsPlatform() as platform:
        given = environment(**platform.environment)
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert [without_suffix(span) for span in platform.spans] == ["a span"]


def test_an_app_that_sets_the_sdk_up_itself() -> None:
    """After it has instrumented LiteLLM, without the launcher: the first call is delivered, once."""
    code = """
import os
from agentops_otel_litellm import LiteLLMInstrumentor
LiteLLMInstrumentor().instrument()
import litellm
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
messages = [{"role": "user", "content": "Hi"}]
for number in range(2):
    litellm.completion("openai/gpt-4o", messages, api_base=os.environ["PROVIDER"], api_key="k")
"""
    with AgentOpsPlatform() as platform, OpenAIProvider() as openai:
        variables = environment(**platform.environment, PROVIDER=openai.base_url)
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
        )
    assert done.returncode == 0, done.stderr
    assert [without_suffix(span) for span in platform.spans] == ["chat gpt-4o"] * 2


def test_providers_that_are_set_or_given_later() -> None:
    """To instrument asks for no global provider: the app's own is still to come, whichever a variable names. Where
    `init()` has set one, and LiteLLM is given another, both deliver, each span once.
    """
    own = """
from agentops_otel_litellm import LiteLLMInstrumentor, init
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
provider = TracerProvider()
"""
    later = """
LiteLLMInstrumentor().instrument()
trace.set_tracer_provider(provider)
assert trace.get_tracer_provider() is provider
"""
    given = """
init()
LiteLLMInstrumentor().uninstrument()
LiteLLMInstrumentor().instrument(tracer_provider=provider)
trace.get_tracer("app").start_span("of the global one").end()
provider.get_tracer("app").start_span("of the given one").end()
"""
    with AgentOpsPlatform() as platform:
        variables = environment(**platform.environment, **OFF)
        for code, more in ((later, {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}), (given, {})):
            command = [sys.executable, "-c", own + code]
            done = subprocess.run(
                command, env={**variables, **more}, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
            )
            assert done.returncode == 0, done.stderr
    assert sorted(without_suffix(span) for span in platform.spans) == ["of the given one", "of the global one"]
