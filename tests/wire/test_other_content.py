"""What is said in other operations than chats, told where the user asks for it: texts, queries, documents, results."""

from __future__ import annotations

import json
from typing import Any

import litellm
import pytest
from opentelemetry.trace import SpanKind

from support.apps import Caller, SyncApp
from support.captured import Capture, captured_content, schema_errors
from support.content_cases import CASES, NAMES, PICTURE, SCAN, blob_part, content, text_part, user_messages
from support.media import connection
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider
from support.servers.wire import Reply, WireProvider


def play(caller: Caller, wire: WireProvider, case: str) -> dict[str, Any]:
    """Have it done; what is to be told of it."""
    function, parameters, path, reply, expected = CASES[case]
    module, _, name = function.rpartition(".")
    if not hasattr(litellm, module or name):
        pytest.skip(f"this LiteLLM has no {function}")
    wire.reply(path, reply)
    known = {**connection(wire), **({"api_base": f"{wire.url}/v1/rerank"} if name == "rerank" else {})}
    caller.call(getattr(litellm, module) if module else litellm, name, **{**known, **parameters})
    return expected


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_is_told(caller: Caller, wire: WireProvider, captured: Recorder, case: str) -> None:
    """Messages, where somebody says something; else under names for texts, queries and documents."""
    assert play(caller, wire, case) == content(captured)
    assert PICTURE not in captured.everything()


@pytest.mark.parametrize("caller", ["sync"], indirect=True)
@pytest.mark.parametrize("case", CASES)
def test_nothing_of_it_is_told_otherwise(caller: Caller, wire: WireProvider, telemetry: Recorder, case: str) -> None:
    """By default there is none of it."""
    expected = play(caller, wire, case)
    assert content(telemetry) == {}
    everything = telemetry.everything()
    assert [each for each in _texts(expected) if each in everything] == []


def _texts(value: object) -> list[str]:
    """What is told of it that is long enough to be looked for."""
    if isinstance(value, dict):
        return [each for name in value if name in {"content", *NAMES} for each in _texts(value[name])]
    if isinstance(value, list | tuple):
        return [each for item in value for each in _texts(item)]
    if isinstance(value, str):
        return [value] if len(value) > 5 else []
    return []


REFUSED = Reply(status=400, body={"error": {"message": "no", "type": "x"}})
MESSAGES = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": SCAN}}]}]


@pytest.mark.parametrize(
    ("limit", "part"),
    [
        ("", {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PICTURE}),
        (str(len(PICTURE)), {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PICTURE}),
        (str(len(PICTURE) - 1), blob_part(len(PICTURE), mime_type="image/png")),
    ],
    ids=["of its own", "just enough", "too little"],
)
@pytest.mark.parametrize("mode", ["SPAN_ONLY", "SPAN_AND_EVENT"])
def test_media_are_told_where_they_are_asked_for(  # noqa: PLR0913, PLR0917 - fixtures and cases
    caller: Caller, wire: WireProvider, capture: Capture, mode: str, limit: str, part: dict[str, Any]
) -> None:
    """As base64, whole or not at all; other limits do not count it."""
    recorder = capture(
        mode,
        AGENTOPS_CAPTURE_MEDIA="true",
        AGENTOPS_CONTENT_MEDIA_LIMIT=limit,
        AGENTOPS_CONTENT_PART_LIMIT="20",
        AGENTOPS_CONTENT_CALL_LIMIT="60",
    )
    wire.reply("/chat/completions", REFUSED)
    with pytest.raises(litellm.BadRequestError):
        caller.call(litellm, "completion", model="openai/gpt-4o", messages=MESSAGES, **connection(wire))
    assert captured_content(recorder)["gen_ai.input.messages"] == user_messages(part)


@pytest.mark.parametrize("data", ["data:text/plain,sk-a-secret", "data:image/png;base64,not base64!", "data:x;base64,"])
@pytest.mark.parametrize("caller", ["sync"], indirect=True)
def test_what_is_no_base64_is_not_told_as_media(
    caller: Caller, wire: WireProvider, capture: Capture, data: str
) -> None:
    """It may be a text, which nobody has redacted."""
    recorder = capture("SPAN_ONLY", AGENTOPS_CAPTURE_MEDIA="true")
    wire.reply("/chat/completions", REFUSED)
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data}}]}]
    with pytest.raises(litellm.BadRequestError):
        caller.call(litellm, "completion", model="openai/gpt-4o", messages=messages, **connection(wire))
    ((part,),) = (message["parts"] for message in captured_content(recorder)["gen_ai.input.messages"])
    assert "content" not in part


def test_the_schemas_of_parts_find_faults() -> None:
    """Of those whose type they know."""
    for part in ({"type": "text"}, {"type": "uri", "modality": "image"}, {"type": "tool_call", "id": "a"}):
        assert list(schema_errors({"gen_ai.output.messages": [{"role": "assistant", "parts": [part]}]})) != []
    assert (
        list(
            schema_errors(
                {"gen_ai.input.messages": user_messages(blob_part(12), {"type": "refusal", "content": "No."})}
            )
        )
        == []
    )


def test_a_batch_is_told_by_its_calls(provider: OpenAIProvider, captured: Recorder) -> None:
    """Each says its own; what is around them says nothing again."""
    asked = [[{"role": "user", "content": each}] for each in ("One?", "Two?")]
    connected: dict[str, Any] = SyncApp(provider).connection
    litellm.batch_completion("openai/gpt-4o", asked, **connected)
    captured_content = [(span.kind, (span.attributes or {}).get("gen_ai.input.messages")) for span in captured.spans()]
    assert [each for kind, each in captured_content if kind is SpanKind.INTERNAL] == [None]
    calls = [json.loads(str(each)) for kind, each in captured_content if kind is SpanKind.CLIENT]
    assert sorted(calls, key=str) == [user_messages(text_part("One?")), user_messages(text_part("Two?"))]
