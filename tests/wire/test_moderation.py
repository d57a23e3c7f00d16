"""Inputs judged: what their spans say."""

from __future__ import annotations

import litellm
import pytest
from litellm.types.llms.openai import OpenAIModerationResponse
from opentelemetry.trace import SpanKind, StatusCode

from support.media import BOTH_STYLES, CANARY, ERROR_REPLIES, connection, error_attributes, identity, invoke
from support.moderation import moderation_reply, moderation_result
from support.recorder import Attributes, Recorder
from support.servers.wire import Reply, WireProvider

TEXT = f"I will harm the {CANARY}."
MODEL = "openai/omni-moderation-latest"


def whole(style: str, model: str | None, wire: WireProvider) -> Attributes:
    """What is always known. The synchronous function makes no logging object, and so has no call id, and it leaves
    the model to the client as it is written.
    """
    attributes = {
        **identity("moderation", "amoderation", model, wire),
        "gen_ai.response.id": "modr-1",
        "gen_ai.response.model": "omni-moderation-2024-09-26",
        "llm.response.id": "modr-1",
        "llm.response.model": "omni-moderation-2024-09-26",
    }
    if style == "sync":
        del attributes["litellm.call_type"]
    return attributes


@BOTH_STYLES
def test_a_moderation_is_described_in_full(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """It says how many inputs were judged, whether any was flagged, and what for."""
    wire.reply(
        "/moderations",
        moderation_reply(
            moderation_result("violence", "self-harm/intent"),
            moderation_result(),
            moderation_result("violence", "hate"),
        ),
    )
    result = invoke(style, "moderation", model=MODEL, input=[TEXT, "Hello", "Die"], **connection(wire))
    assert type(result) is OpenAIModerationResponse
    assert [each.flagged for each in result.results] == [True, False, True]
    assert len(wire.ledger) == 1
    (span,) = telemetry.spans()
    assert (span.name, span.kind) == ("moderation omni-moderation-latest", SpanKind.CLIENT)
    assert telemetry.attributes() == {
        **whole(style, MODEL, wire),
        "llm.request.inputs_count": 3,
        "llm.request.content_length": len(TEXT + "Hello" + "Die"),
        "llm.request.modalities": ("text",),
        "llm.response.results_count": 3,
        "llm.response.flagged": True,
        "llm.response.flagged_categories": ("hate", "self_harm_intent", "violence"),
    }


@BOTH_STYLES
def test_a_harmless_input_is_not_flagged(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Where nothing was flagged that is told, and there are no categories."""
    wire.reply("/moderations", moderation_reply(moderation_result()))
    invoke(style, "moderation", model=MODEL, input="Hello", **connection(wire))
    assert telemetry.attributes() == {
        **whole(style, MODEL, wire),
        "llm.request.inputs_count": 1,
        "llm.request.content_length": len("Hello"),
        "llm.request.modalities": ("text",),
        "llm.response.results_count": 1,
        "llm.response.flagged": False,
    }


@BOTH_STYLES
def test_a_text_with_a_picture_is_one_input(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Parts are kinds of content of one input."""
    picture = {"type": "image_url", "image_url": {"url": f"https://localhost/{CANARY}.png"}}
    wire.reply("/moderations", moderation_reply(moderation_result("sexual")))
    invoke(style, "moderation", model=MODEL, input=[{"type": "text", "text": TEXT}, picture], **connection(wire))
    attributes = telemetry.attributes()
    assert {name: value for name, value in attributes.items() if name.startswith("llm.request.")} == {
        "llm.request.model": MODEL,
        "llm.request.inputs_count": 1,
        "llm.request.content_length": len(TEXT),
        "llm.request.modalities": ("image", "text"),
    }
    assert CANARY not in telemetry.everything()


@BOTH_STYLES
def test_a_moderation_by_whichever_model(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Where the app names no model, the one asked for is unknown, and the provider is OpenAI all the same."""
    wire.reply("/moderations", moderation_reply(moderation_result()))
    invoke(style, "moderation", input="Hello", **connection(wire))
    attributes = telemetry.attributes()
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.response.model"] == "omni-moderation-2024-09-26"
    assert "gen_ai.request.model" not in attributes


@pytest.mark.parametrize("refusal", ERROR_REPLIES.values(), ids=ERROR_REPLIES.keys())
@BOTH_STYLES
def test_a_refusal_is_told_once(
    style: str, refusal: tuple[Reply, Attributes], wire: WireProvider, telemetry: Recorder
) -> None:
    """An error of the provider's ends the one span with its kind, and quotes nobody."""
    reply, told = refusal
    wire.reply("/moderations", reply)
    with pytest.raises(litellm.exceptions.openai.APIStatusError, match=CANARY):
        invoke(style, "moderation", model=MODEL, input=TEXT, **connection(wire))
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert error_attributes(attributes) == told
    assert "llm.response.flagged" not in attributes
    assert CANARY not in telemetry.everything()


@BOTH_STYLES
def test_inputs_stay_where_they_are(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """No input is in the one span, the metrics or the events."""
    wire.reply("/moderations", moderation_reply(moderation_result("violence")))
    invoke(style, "moderation", model=MODEL, input=[TEXT], metadata={"note": CANARY}, **connection(wire))
    assert len(telemetry.spans()) == 1
    assert CANARY not in telemetry.everything()
