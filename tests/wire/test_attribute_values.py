"""A value that no exporter can encode loses itself, and not the batch that it is in."""

from __future__ import annotations

import json

import pytest

from agentops_otel_litellm.records import MAX_CONTENT_DEPTH
from support.apps import App
from support.captured import Capture, assistant_messages, event_attributes, with_lists
from support.nested_values import export_counts, nested_dict
from support.servers.openai_provider import Script


@pytest.mark.parametrize("levels", [MAX_CONTENT_DEPTH, MAX_CONTENT_DEPTH + 1, 29, 200])
def test_deep_tool_arguments_do_not_lose_the_batch(app: App, capture: Capture, levels: int) -> None:
    telemetry = capture("SPAN_AND_EVENT")
    text = json.dumps(nested_dict(levels))
    app.provider.script(Script(content=(), tool_calls=(("call_1", "look", (text,)),)))
    app.ask()
    arguments = nested_dict(levels) if levels <= MAX_CONTENT_DEPTH else text
    call = {"type": "tool_call", "id": "call_1", "name": "look", "arguments": arguments}
    (event,) = event_attributes(telemetry)
    assert event["gen_ai.output.messages"] == assistant_messages(call, finish_reason="tool_call")
    assert export_counts(telemetry)[1] == 1


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
    (event,) = event_attributes(telemetry)
    (message,) = event["gen_ai.output.messages"]
    assert message["parts"][0]["arguments"] == recorded
    assert export_counts(telemetry)[1] == 1


def test_deep_tool_definition_is_json_text(app: App, capture: Capture) -> None:
    telemetry = capture("EVENT_ONLY")
    schema = {"type": "object", "properties": nested_dict(MAX_CONTENT_DEPTH)}
    app.ask(tools=[{"type": "function", "function": {"name": "look", "parameters": schema}}])
    (event,) = event_attributes(telemetry)
    (tool,) = with_lists(event["gen_ai.tool.definitions"])
    assert json.loads(tool["parameters"]) == schema
    assert export_counts(telemetry)[1] == 1
