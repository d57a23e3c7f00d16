"""Captured message content on spans and in events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from opentelemetry._logs import SeverityNumber

from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry
from support.conventions import SCHEMAS
from support.recorder import Recorder
from support.vocabularies import GENERAL

CONTENT = {
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.definitions",
}

Capture = Callable[..., Recorder]
"""A function that enables content capture with a mode and other variables."""


def capturing_telemetry(recorder: Recorder, mode: str, **environment: str) -> Telemetry:
    """Telemetry with content capture, in all vocabularies."""
    settings = Settings.from_environment({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode, **environment})
    return Telemetry(GENERAL, settings=settings, **recorder.providers)


def captured_content(recorder: Recorder) -> dict[str, Any]:
    """The captured content on the one span."""
    attributes = recorder.attributes()
    return {name: json.loads(str(attributes[name])) for name in CONTENT if name in attributes}


def event_attributes(recorder: Recorder) -> list[dict[str, Any]]:
    """The attributes of the events, each of which belongs to the one span."""
    records = [log.log_record for log in recorder.logs()]
    assert {(record.event_name, record.severity_number) for record in records} <= {
        ("gen_ai.client.inference.operation.details", SeverityNumber.DEBUG)
    }
    span = recorder.span().context
    assert {(record.trace_id, record.span_id) for record in records} <= {(span.trace_id, span.span_id)}
    return [with_lists(dict(record.attributes or {})) for record in records]


def with_lists(attributes: object) -> Any:  # noqa: ANN401 - JSON is anything
    """The value with lists in place of the SDK's tuples."""
    return json.loads(json.dumps(attributes))


def assistant_messages(*parts: dict[str, Any], finish_reason: str | None = "stop") -> list[dict[str, Any]]:
    """The output messages of one choice."""
    finish = {} if finish_reason is None else {"finish_reason": finish_reason}
    return [{"role": "assistant", "parts": list(parts), **finish}]


_MESSAGES = "gen_ai.output.messages"
MESSAGES = frozenset({"gen_ai.input.messages", _MESSAGES})


def _definitions(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    definitions: Mapping[str, Any] = schema["$defs"]
    return definitions


PART_VALIDATORS: Mapping[str, Draft202012Validator] = {
    definition["properties"]["type"]["const"]: Draft202012Validator(
        {**definition, "$defs": _definitions(SCHEMAS[_MESSAGES])}
    )
    for name, definition in _definitions(SCHEMAS[_MESSAGES]).items()
    if name.endswith("Part") and "const" in definition["properties"]["type"]
}
"""Type of a message part → its schema. The conventions' schemas of messages accept parts of any other type, and so any
value, as a part.
"""


def schema_errors(attributes: Mapping[str, Any]) -> Iterator[str]:
    """Violations of the schemas in the parts of structured messages."""
    for name in MESSAGES & attributes.keys():
        for part in (part for message in attributes[name] for part in message["parts"]):
            omitted = part["type"] == "blob" and "content" not in part  # only its type and size are recorded
            if part["type"] in PART_VALIDATORS and not omitted:
                yield from (f"{name}: {error.message}" for error in PART_VALIDATORS[part["type"]].iter_errors(part))


def captured_messages(recorder: Recorder) -> Iterator[dict[str, Any]]:
    """The structured messages of each span and event."""
    for span in recorder.spans():
        known = dict(span.attributes or {})
        yield {name: json.loads(str(known[name])) for name in MESSAGES & known.keys()}
    for log in recorder.logs():
        yield with_lists({name: each for name, each in (log.log_record.attributes or {}).items() if name in MESSAGES})
