"""A value that no exporter can encode loses itself, and not the batch that it is in."""

from __future__ import annotations

import json

import litellm
import pytest
from litellm import CustomLLM
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.attribute_values import MAX_CONTENT_DEPTH, MAX_DEPTH, clean_attributes
from support.apps import App
from support.captured import Capture, answers, details, plain
from support.recorder import Recorder
from support.servers.openai_provider import Script

HALF = "\ud83d"
"""Half of a character: JSON can escape it, UTF-8 cannot encode it."""
MESSAGES = [{"role": "user", "content": "Say hello."}]


def nested(levels: int) -> object:
    return {"a": nested(levels - 1)} if levels else 1


def exported(telemetry: Recorder) -> tuple[list[str], int, int]:
    """The names of spans, and how many log records and metrics there are, as a receiver reads them."""
    spans = ExportTraceServiceRequest.FromString(encode_spans(telemetry.spans()).SerializeToString())
    logs = ExportLogsServiceRequest.FromString(encode_logs(telemetry.logs()).SerializeToString())
    collected = telemetry.collect()
    assert collected is not None
    metrics = ExportMetricsServiceRequest.FromString(encode_metrics(collected).SerializeToString())
    return (
        [span.name for of in spans.resource_spans for scope in of.scope_spans for span in scope.spans],
        sum(len(scope.log_records) for of in logs.resource_logs for scope in of.scope_logs),
        sum(len(scope.metrics) for of in metrics.resource_metrics for scope in of.scope_metrics),
    )


class Broken(CustomLLM):
    """Answers with half a character in the model's name, or fails with one in the message."""

    def completion(self, *_args: object, **kwargs: object) -> litellm.ModelResponse:
        if kwargs["model"] == f"fails{HALF}":
            raise RuntimeError(f"No model fails{HALF}")
        return litellm.ModelResponse(model=f"grey{HALF}", choices=[{"message": {"content": "hi"}}])


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "broken", "custom_handler": Broken()}])
    monkeypatch.setattr(litellm, "provider_list", [*litellm.provider_list, "broken"])
    monkeypatch.setattr(litellm, "_custom_providers", [*litellm._custom_providers, "broken"])


@pytest.mark.usefixtures("broken")
def test_lone_surrogate_in_request_and_response_is_replaced(capture: Capture) -> None:
    telemetry = capture("SPAN_AND_EVENT")
    litellm.completion(model=f"broken/grey{HALF}", messages=MESSAGES, stop=[f"stop{HALF}"], user=f"ada{HALF}")
    attributes = telemetry.attributes()
    assert telemetry.span().name == "chat grey?"
    assert attributes["gen_ai.request.model"] == "grey?"
    assert attributes["gen_ai.response.model"] == "grey?"
    assert attributes["gen_ai.request.stop_sequences"] == ("stop?",)
    names, logs, metrics = exported(telemetry)
    assert (names, logs) == (["chat grey?"], 1)
    assert metrics > 0


@pytest.mark.usefixtures("broken")
def test_lone_surrogate_in_a_failure_is_replaced(telemetry: Recorder) -> None:
    with pytest.raises(Exception, match="No model fails"):
        litellm.completion(model=f"broken/fails{HALF}", messages=MESSAGES)
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "APIConnectionError (broken)"
    assert exported(telemetry)[:2] == (["chat fails?"], 1)


@pytest.mark.usefixtures("broken")
def test_lone_surrogate_in_a_metric_dimension_is_replaced(telemetry: Recorder) -> None:
    litellm.completion(model=f"broken/grey{HALF}", messages=MESSAGES)
    models = {point.attributes.get("gen_ai.request.model") for point in telemetry.points()}
    assert models == {"grey?"}


@pytest.mark.parametrize("name", ["llm.stop", f"litellm.metadata.{HALF}"])
@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (f"a{HALF}b", "a?b"),
        ("👍", "👍"),
        ((f"{HALF}", "b"), ["?", "b"]),
        ({f"{HALF}": [f"{HALF}", 1]}, {"?": ["?", 1]}),
        (2**63 - 1, 2**63 - 1),
        (nested(MAX_DEPTH), nested(MAX_DEPTH)),
        (nested(MAX_DEPTH + 1), json.dumps(nested(MAX_DEPTH + 1), separators=(",", ":"))),
        ({"n": 2**64}, '{"n":18446744073709551616}'),
        ({1: "a"}, '{"1":"a"}'),
        ([float("inf")], [float("inf")]),
    ],
    ids=str,
)
def test_values_are_encodable(name: str, value: object, cleaned: object) -> None:
    assert clean_attributes({name: value}) == {name.replace(HALF, "?"): cleaned}


def test_integer_beyond_64_bits_is_left_out() -> None:
    assert clean_attributes({"llm.request.seed": 2**63, "llm.request.top_k": 5}) == {"llm.request.top_k": 5}


@pytest.mark.parametrize("levels", [MAX_CONTENT_DEPTH, MAX_CONTENT_DEPTH + 1, 29, 200])
def test_deep_tool_arguments_do_not_lose_the_batch(app: App, capture: Capture, levels: int) -> None:
    telemetry = capture("SPAN_AND_EVENT")
    text = json.dumps(nested(levels))
    app.provider.script(Script(content=(), tool_calls=(("call_1", "look", (text,)),)))
    app.ask()
    arguments = nested(levels) if levels <= MAX_CONTENT_DEPTH else text
    call = {"type": "tool_call", "id": "call_1", "name": "look", "arguments": arguments}
    (event,) = details(telemetry)
    assert event["gen_ai.output.messages"] == answers(call, finish_reason="tool_call")
    assert exported(telemetry)[1] == 1


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ('{"n": NaN}', '{"n": NaN}'),
        ('{"n": 18446744073709551616}', {"n": "18446744073709551616"}),
        ('{"1": {"2": null}}', {"1": {"2": None}}),
    ],
)
def test_tool_arguments_that_are_not_json(app: App, capture: Capture, sent: str, recorded: object) -> None:
    telemetry = capture("EVENT_ONLY")
    app.provider.script(Script(content=(), tool_calls=(("call_1", "look", (sent,)),)))
    app.ask()
    (event,) = details(telemetry)
    (message,) = event["gen_ai.output.messages"]
    assert message["parts"][0]["arguments"] == recorded
    assert exported(telemetry)[1] == 1


def test_deep_tool_definition_is_json_text(app: App, capture: Capture) -> None:
    telemetry = capture("EVENT_ONLY")
    schema = {"type": "object", "properties": nested(MAX_CONTENT_DEPTH)}
    app.ask(tools=[{"type": "function", "function": {"name": "look", "parameters": schema}}])
    (event,) = details(telemetry)
    (tool,) = plain(event["gen_ai.tool.definitions"])
    assert json.loads(tool["parameters"]) == schema
    assert exported(telemetry)[1] == 1
