"""Videos asked for, waited for and fetched: what their spans say."""

from __future__ import annotations

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from support.expected import cost_attributes
from support.media import BOTH_STYLES, CANARY, ERROR_REPLIES, connection, error_attributes, identity, invoke
from support.recorder import Attributes, Recorder
from support.servers.openai_resources import VIDEO
from support.servers.wire import Reply, WireProvider

videos = pytest.importorskip("litellm.types.videos.main", reason="this LiteLLM has no videos")
RESULTS = tuple(vars(videos)[name] for name in ("VideoObject", "CharacterObject") if name in vars(videos))
PROMPT = f"A {CANARY} in flight."
FILM = b"ftypmp42" + CANARY.encode() * 30
CHARACTER = {"id": "char_1", "object": "character", "created_at": 1_700_000_000, "name": CANARY}

STATE: Attributes = {
    "gen_ai.response.model": "sora-2-2025-10-06",
    "llm.response.model": "sora-2-2025-10-06",
    "llm.job.status": "queued",
    "llm.response.progress": 30,
    "llm.response.media_duration": 4.0,
    "llm.response.resolution": "720x1280",
}
ASKED_FOR: Attributes = {"llm.request.resource_id": "video_123"}
PROMPTED: Attributes = {"llm.request.content_length": len(PROMPT)}
Parameters = dict[str, object]

# Function → what it is called with, what that sends and gets, and what is told beyond whom was asked.
OPERATIONS: dict[str, tuple[Parameters, str, object, Attributes]] = {
    "video_generation": (
        {"model": "openai/sora-2", "prompt": PROMPT, "seconds": "8", "size": "1280x720", "input_reference": FILM},
        "/videos",
        VIDEO,
        {**PROMPTED, "llm.request.media_duration": 8.0, "llm.request.resolution": "1280x720", **STATE},
    ),
    "video_status": ({"video_id": "video_123"}, "/videos/video_123", VIDEO, {**ASKED_FOR, **STATE}),
    "video_content": (
        {"video_id": "video_123"},
        "/videos/video_123/content",
        FILM,
        {**ASKED_FOR, "llm.response.size": len(FILM)},
    ),
    "video_remix": (
        {"video_id": "video_123", "prompt": PROMPT},
        "/videos/video_123/remix",
        VIDEO,
        {**ASKED_FOR, **PROMPTED, **STATE},
    ),
    "video_list": (
        {"limit": 2, "custom_llm_provider": "openai"},
        "/videos",
        {"object": "list", "data": [VIDEO, VIDEO]},
        {"llm.request.page_size": 2, "llm.response.results_count": 2},
    ),
    "video_edit": (
        {"video_id": "video_123", "prompt": PROMPT},
        "/videos/edits",
        VIDEO,
        {**ASKED_FOR, **PROMPTED, **STATE},
    ),
    "video_extension": (
        {"video_id": "video_123", "prompt": PROMPT, "seconds": "4"},
        "/videos/extensions",
        VIDEO,
        {**ASKED_FOR, **PROMPTED, "llm.request.media_duration": 4.0, **STATE},
    ),
    "video_create_character": (
        {"name": CANARY, "video": FILM},
        "/videos/characters",
        CHARACTER,
        {"llm.request.file_size": len(FILM)},
    ),
    "video_get_character": (
        {"character_id": "char_1"},
        "/videos/characters/char_1",
        CHARACTER,
        {"llm.request.resource_id": "char_1"},
    ),
}
UNNAMED = {"litellm.call_type"}
"""LiteLLM calls the operations something else here and there."""


def ids_and_price(result: object) -> Attributes:
    """What the app got to know a thing by, and LiteLLM's price of it."""
    if not isinstance(result, RESULTS):
        return {}
    cost = result._hidden_params.get("response_cost")
    assert cost is None or isinstance(cost, float)
    return {"gen_ai.response.id": result.id, "llm.response.id": result.id, **(cost_attributes(cost) if cost else {})}


@pytest.mark.parametrize("operation", OPERATIONS)
@BOTH_STYLES
def test_a_video_operation_is_described_in_full(
    style: str, operation: str, wire: WireProvider, telemetry: Recorder
) -> None:
    """It says what was asked, how far the video is and how long it lasts; of prompts and films only the size."""
    parameters, path, body, told = OPERATIONS[operation]
    wire.reply(path, Reply(body=body))
    result = invoke(style, operation, **parameters, **connection(wire))
    if isinstance(body, bytes):
        assert result == body
    (exchange,) = wire.ledger
    assert exchange.path.endswith(path)
    (span,) = telemetry.spans()
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    expected = {
        **identity(operation, operation, "openai/sora-2" if "model" in parameters else None, wire),
        **told,
        **ids_and_price(result),
    }
    attributes = telemetry.attributes()
    assert {name: value for name, value in attributes.items() if name not in UNNAMED} == {
        name: value for name, value in expected.items() if name not in UNNAMED
    }
    assert CANARY not in telemetry.everything()


@BOTH_STYLES
def test_a_generated_video_has_a_price(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Videos are sold by the second: LiteLLM's price is told although nobody counted tokens."""
    parameters, path, body, _ = OPERATIONS["video_generation"]
    wire.reply(path, Reply(body=body))
    result = invoke(style, "video_generation", **parameters, **connection(wire))
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == result._hidden_params["response_cost"] > 0


@pytest.mark.parametrize("refusal", ERROR_REPLIES.values(), ids=ERROR_REPLIES.keys())
@pytest.mark.parametrize("operation", ["video_generation", "video_status", "video_content"])
@BOTH_STYLES
def test_a_refusal_is_told_once(
    style: str, operation: str, refusal: tuple[Reply, Attributes], wire: WireProvider, telemetry: Recorder
) -> None:
    """An error of the provider's ends the one span with its kind, and quotes nobody."""
    reply, told = refusal
    parameters, path, _, _ = OPERATIONS[operation]
    wire.reply(path, reply)
    with pytest.raises(Exception, match=CANARY):
        invoke(style, operation, **parameters, **connection(wire))
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert error_attributes(telemetry.attributes()) == told
    assert CANARY not in telemetry.everything()


@pytest.mark.parametrize("video_id", [f"a {CANARY}", f"https://localhost/{CANARY}"])
def test_what_is_no_id_is_not_told(video_id: str, wire: WireProvider, telemetry: Recorder) -> None:
    """A text or a URL in the place of an id stays where it is."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever LiteLLM or the provider says of it
        invoke("sync", "video_status", video_id=video_id, **connection(wire))
    assert "llm.request.resource_id" not in telemetry.attributes()
    assert CANARY not in telemetry.everything()
