"""Canaries in everything an app hands to LiteLLM, or a provider sends back: none of them leaves."""

from __future__ import annotations

from contextlib import suppress

import litellm
import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agentops_otel_litellm import LiteLLMInstrumentor
from support.apps import App
from support.instrumented import RECORDER
from support.recorder import Recorder
from support.secret_calls import CALL_PARAMETERS
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.otlp_receiver import OTLPReceiver

ANSWER = Script(
    content=("canary-", "answer"),
    tool_calls=(("call-canary", "canary_tool_name", ('{"canary": ', "2}")),),
)
ECHO = "Incorrect API key provided: {authorization}, in: {prompt}. canary-body"
ERRORS = {
    "auth": Script(status=401, error_message=ECHO),
    "limit": Script(status=429, error_message=ECHO, headers={"x-secret": "canary-response-header"}),
    "context": Script(status=400, error_code="context_length_exceeded", error_message=ECHO),
    "server": Script(status=500, error_message=ECHO),
}


def secrets() -> dict[str, object]:
    """Where an app puts keys and names, besides the content."""
    return {
        "api_key": "sk-canary-key",
        "organization": "canary-organization",
        "extra_headers": {"x-secret": "canary-header"},
        "metadata": {"note": "canary-metadata", "model_info": {"key": "canary-model-info"}},
    }


def ask(app: App, operation: str, *, stream: bool, **parameters: object) -> None:
    given: dict[str, object] = {**CALL_PARAMETERS[operation], **secrets(), **parameters}
    if stream:
        app.read(operation, **given)
    else:
        app.ask(operation, **given)


CALLS = [("completion", False), ("completion", True), ("text_completion", False), ("embedding", False)]


@pytest.mark.parametrize(("operation", "stream"), CALLS)
def test_a_call_that_goes_well_tells_no_secret(
    app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str, *, stream: bool
) -> None:
    """Prompts, answers, tools, keys, headers, metadata, names and queries are in no signal."""
    provider.script(ANSWER)
    ask(app, operation, stream=stream)
    (exchange,) = provider.ledger
    assert "canary" in str(exchange.body)  # it did reach the provider
    assert exchange.headers["x-secret"] == "canary-header"
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


@pytest.mark.parametrize("script", ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize(("operation", "stream"), CALLS)
def test_a_provider_that_quotes_secrets_is_not_quoted(  # noqa: PLR0913 - fixtures and cases
    app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str, script: Script, *, stream: bool
) -> None:
    """An error text that repeats key and prompt reaches the app, and nobody else."""
    provider.script(script)
    with pytest.raises(litellm.exceptions.openai.APIError) as raised:
        ask(app, operation, stream=stream, num_retries=0)
    assert "canary" in str(raised.value)
    assert len(telemetry.spans()) == len(telemetry.logs()) == 1
    assert "canary" not in telemetry.everything()


def test_a_stream_that_is_cut_tells_no_secret(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """What had come of a stream is not told with its error."""
    provider.script(Script(content=("canary", "-answer", "more"), cut_after=3))
    with pytest.raises(litellm.exceptions.openai.APIError):
        ask(app, "completion", stream=True)
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


def test_the_keys_of_fallbacks_are_not_told(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """`fallbacks=[{"model": …, "api_key": …}]` is a parameter that carries keys."""
    provider.scripts([ERRORS["server"]])
    fallback = {"model": "openai/gpt-4o-mini", "api_key": "sk-canary-fallback", "api_base": provider.base_url}
    ask(app, "completion", stream=False, fallbacks=[fallback])
    assert provider.ledger[-1].headers["authorization"] == "Bearer sk-canary-fallback"
    assert "canary" not in telemetry.everything()


@pytest.mark.parametrize("base", ["{url}/v1?key=canary", "http://canary:canary@{host}/v1", "{url}/canary/v1#canary"])
def test_of_a_url_only_host_and_port_are_told(
    app: App, provider: OpenAIProvider, telemetry: Recorder, base: str
) -> None:
    """Passwords, paths and queries of `api_base` are where keys are put too."""
    url = base.format(url=provider.url, host=f"{provider.address}:{provider.port}")
    with suppress(litellm.exceptions.openai.APIError):  # the provider does not know all of them
        app.ask("completion", api_base=url)
    attributes = telemetry.attributes()
    assert (attributes["server.address"], attributes["server.port"]) == (provider.address, provider.port)
    assert "canary" not in telemetry.everything()


def test_nothing_secret_crosses_the_wire(app: App, provider: OpenAIProvider) -> None:
    """The bytes that real exporters send to a real receiver hold every signal and no canary."""
    with OTLPReceiver() as receiver:
        tracer_provider = TracerProvider(shutdown_on_exit=False)
        tracer_provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.url}/v1/traces")))
        logger_provider = LoggerProvider(shutdown_on_exit=False)
        logger_provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{receiver.url}/v1/logs")))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{receiver.url}/v1/metrics"))
        meter_provider = MeterProvider([reader], shutdown_on_exit=False)
        LiteLLMInstrumentor().uninstrument()
        LiteLLMInstrumentor().instrument(
            tracer_provider=tracer_provider, meter_provider=meter_provider, logger_provider=logger_provider
        )
        try:
            provider.scripts([ANSWER, ANSWER, ERRORS["auth"]])
            ask(app, "completion", stream=False)
            ask(app, "completion", stream=True)
            with pytest.raises(litellm.AuthenticationError):
                ask(app, "completion", stream=False)
        finally:
            LiteLLMInstrumentor().uninstrument()
            LiteLLMInstrumentor().instrument(**RECORDER.providers)
            for each in (tracer_provider, logger_provider, meter_provider):
                each.shutdown()
        assert len(receiver.spans) == 3
        assert len(receiver.logs) == 1
        assert {point.name for point in receiver.metrics} >= {"gen_ai.client.operation.duration"}
        sent = b"".join(request.body for request in receiver.requests)
    assert b"gpt-4o" in sent
    assert b"canary" not in sent
    assert b"Authorization" not in sent


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("openai/https://user:sk-canary@host/m?key=sk-canary#sk-canary", "https://host/m"),
        ("huggingface/https://x.endpoints.example/path?token=sk-canary", "https://x.endpoints.example/path"),
        ("openai/gpt-4o?api_key=sk-canary", "gpt-4o"),
        ("openai/user:sk-canary@host/m", "host/m"),
        ("openai/https:/user:sk-canary@host/m", "https:/host/m"),
        ("openai/sk-canary0123456789", "[key]"),
        ("openai/ft:gpt-4o:org:sk-canary0123456789:id", "ft:gpt-4o:org:[key]"),
        ("openai/gpt-4o api_key=sk-canary0123456789", "gpt-4o api_key=[key]"),
        ("openai/https://host/sk-canary0123456789/m", "https://host/[key]"),
    ],
)
def test_a_model_that_has_a_key_loses_it(app: App, telemetry: Recorder, model: str, shown: str) -> None:
    """A model may be a URL with a user, a query or a fragment. Span names, attributes, events and metrics are without
    the key.
    """
    app.ask("completion", model=model)
    assert telemetry.span().name == f"chat {shown}"
    assert telemetry.attributes()["gen_ai.request.model"] == shown
    points, _ = telemetry.measured()
    assert {point.attributes["gen_ai.request.model"] for point in points} == {shown}
    assert "canary" not in telemetry.everything()
    assert "canary" not in repr(points)


@pytest.mark.parametrize(
    "base",
    [
        "sk-canary0123456789",
        "canary0123456789abcdef",
        "https://sk-canary0123456789.example.invalid/v1",
        "http://127.0.0.1:1\\@sk-canary0123456789/x",
        "user:sk-canary0123456789@127.0.0.1:1",
        "http://sk-canary0123456789@127.0.0.1:1/sk-canary0123456789",
    ],
)
def test_a_key_in_place_of_the_address_is_not_recorded(app: App, telemetry: Recorder, base: str) -> None:
    with suppress(Exception):
        app.ask("completion", api_base=base, timeout=2)
    assert telemetry.attributes()["gen_ai.request.model"] == "gpt-4o"
    points, _ = telemetry.measured()
    assert points
    assert "canary" not in telemetry.everything()
    assert "canary" not in repr(points)
