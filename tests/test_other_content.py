"""What is said in other operations than chats, told where the user asks for it: texts, queries, documents, results."""

from __future__ import annotations

import base64
import json
from typing import Any

import litellm
import pytest
from opentelemetry.trace import SpanKind

import releases
from apps import Caller, SyncApp
from captured import Capture, answers, faults, said
from media import connection
from recorder import Recorder
from servers.openai_provider import OpenAIProvider
from servers.wire import Reply, WireProvider
from test_images import images
from test_moderation import judged, verdict
from test_retrieval import DOCUMENTS, FOUND, QUERY, RANKED

PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(300)).decode()
SCAN = f"data:image/png;base64,{PICTURE}"
NAMES = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.retrieval.query.text",
    "gen_ai.retrieval.documents",
    "llm.request.inputs",
    "llm.request.documents",
)
AS_TEXT = frozenset({"gen_ai.retrieval.query.text", "llm.request.inputs"})


def asks(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "parts": list(parts)}]


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def content(recorder: Recorder) -> dict[str, Any]:
    """All content on the one span."""
    attributes = recorder.attributes()
    return {
        name: attributes[name] if name in AS_TEXT else json.loads(str(attributes[name]))
        for name in NAMES
        if name in attributes
    }


def blob(size: int | None = None, *, modality: str = "image", **others: str) -> dict[str, Any]:
    return {"type": "blob", "modality": modality, **others, **({"size": size} if size else {})}


JUDGED = verdict(judged("violence"), judged())
PAGES = {
    "pages": [{"index": 0, "markdown": "# One"}, {"index": 1, "markdown": "Two"}],
    "model": "mistral-ocr-latest",
    "usage_info": {"pages_processed": 2},
}
EMBEDDED = Reply(
    body={
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
)
# Case → function, parameters, the end of the path it asks and what it gets there, and what is told of it.
CASES: dict[str, tuple[str, dict[str, Any], str, Reply, dict[str, Any]]] = {
    "embedded texts": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": ["one", "two sk-0123456789abcdefghij"]},
        "/embeddings",
        EMBEDDED,
        {"llm.request.inputs": ("one", "two [key]")},
    ),
    "an embedded text": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": "one"},
        "/embeddings",
        EMBEDDED,
        {"llm.request.inputs": ("one",)},
    ),
    "embedded tokens": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": [1, 2, 3]},
        "/embeddings",
        EMBEDDED,
        {},
    ),
    "embedded images": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": [SCAN, PICTURE.replace("A", "+", 1)]},
        "/embeddings",
        EMBEDDED,
        {
            "llm.request.inputs": (
                f"data:image/png;base64,… [{len(PICTURE)} characters left out]",
                f"… [{len(PICTURE)} characters left out]",
            )
        },
    ),
    "moderated texts": (
        "moderation",
        {"model": "openai/omni-moderation-latest", "input": ["I will.", "I won't."]},
        "/moderations",
        JUDGED,
        {"gen_ai.input.messages": asks(text("I will.")) + asks(text("I won't."))},
    ),
    "a moderated picture": (
        "moderation",
        {
            "model": "openai/omni-moderation-latest",
            "input": [{"type": "text", "text": "I will."}, {"type": "image_url", "image_url": {"url": SCAN}}],
        },
        "/moderations",
        JUDGED,
        {"gen_ai.input.messages": asks(text("I will."), blob(len(PICTURE), mime_type="image/png"))},
    ),
    "speech": (
        "speech",
        {"model": "openai/tts-1", "input": "Say it.", "voice": "alloy", "instructions": "Loudly."},
        "/audio/speech",
        Reply(body=b"ID3", headers={"content-type": "audio/mpeg"}),
        {"gen_ai.system_instructions": [text("Loudly.")], "gen_ai.input.messages": asks(text("Say it."))},
    ),
    "a transcription": (
        "transcription",
        {"model": "openai/whisper-1", "file": ("secret.wav", b"RIFF"), "prompt": "About cats."},
        "/audio/transcriptions",
        Reply(body={"text": "A cat."}),
        {
            "gen_ai.input.messages": asks(blob(modality="audio"), text("About cats.")),
            "gen_ai.output.messages": answers(text("A cat."), finish_reason=None),
        },
    ),
    "images": (
        "image_generation",
        {"model": "openai/gpt-image-1", "prompt": "A cat.", "n": 2},
        "/images/generations",
        images({"b64_json": PICTURE, "revised_prompt": "A grey cat."}, {"url": "https://example.com/cat.png"}),
        {
            "gen_ai.input.messages": asks(text("A cat.")),
            "gen_ai.output.messages": [
                *answers(text("A grey cat."), blob(len(PICTURE)), finish_reason=None),
                *answers(
                    {"type": "uri", "modality": "image", "uri": "https://example.com/cat.png"}, finish_reason=None
                ),
            ],
        },
    ),
    "an edited image": (
        "image_edit",
        {"model": "openai/gpt-image-1", "prompt": "No cat.", "image": [b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n"]},
        "/images/edits",
        images({"url": "https://example.com/cat.png"}),
        {
            "gen_ai.input.messages": asks(text("No cat."), blob(), blob()),
            "gen_ai.output.messages": answers(
                {"type": "uri", "modality": "image", "uri": "https://example.com/cat.png"}, finish_reason=None
            ),
        },
    ),
    "a ranking": (
        "rerank",
        {"model": "cohere/rerank-english-v3.0", "query": QUERY, "documents": [*DOCUMENTS, {"text": "Bern."}, {"a": 1}]},
        "/rerank",
        Reply(body={**RANKED, "results": [*RANKED["results"], {"index": 3, "relevance_score": 0.1}]}),
        {
            "gen_ai.retrieval.query.text": QUERY,
            "llm.request.documents": [
                *({"content": each} for each in DOCUMENTS),
                {"content": "Bern."},
                {"content": {"a": 1}},
            ],
            "gen_ai.retrieval.documents": [
                {"index": 1, "score": 0.9},
                {"index": 0, "score": 0.2},
                {"index": 3, "score": 0.1},
            ],
        },
    ),
    "a search": (
        "search",
        {"search_provider": "tavily", "query": ["Rome", "Oslo"]},
        "/search",
        Reply(
            body={"results": [{"title": "T", "url": "https://example.com", "content": "To a@example.com", "score": 1}]}
        ),
        {
            "gen_ai.retrieval.query.text": "Rome\nOslo",
            "gen_ai.retrieval.documents": [
                {
                    **({"score": 1.0} if releases.SEARCHES_HAVE_SCORES else {}),
                    "title": "T",
                    "uri": "https://example.com",
                    "content": "To [email]",
                }
            ],
        },
    ),
    "a search of a vector store": (
        "vector_stores.search",
        {"vector_store_id": "vs_1", "query": QUERY, "custom_llm_provider": "openai"},
        "/vs_1/search",
        Reply(body=FOUND),
        {
            "gen_ai.retrieval.query.text": QUERY,
            "gen_ai.retrieval.documents": [{"id": "f", "score": 0.9, "content": "t"}],
        },
    ),
    "a document that is read": (
        "ocr",
        {
            "model": "mistral/mistral-ocr-latest",
            "document": {"type": "document_url", "document_url": "https://example.com/a.pdf"},
        },
        "/ocr",
        Reply(body=PAGES),
        {
            "gen_ai.input.messages": asks({"type": "uri", "modality": "document", "uri": "https://example.com/a.pdf"}),
            "gen_ai.output.messages": answers(text("# One"), text("Two"), finish_reason=None),
        },
    ),
    "a video": (
        "video_generation",
        {"model": "openai/sora-2", "prompt": "A cat.", "input_reference": b"\x89PNG\r\n\x1a\n"},
        "/videos",
        Reply(body={"id": "video_1", "object": "video", "status": "queued", "created_at": 1, "model": "sora-2"}),
        {"gen_ai.input.messages": asks(text("A cat."), blob())},
    ),
}


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
        (str(len(PICTURE) - 1), blob(len(PICTURE), mime_type="image/png")),
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
    assert said(recorder)["gen_ai.input.messages"] == asks(part)


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
    ((part,),) = (message["parts"] for message in said(recorder)["gen_ai.input.messages"])
    assert "content" not in part


def test_the_schemas_of_parts_find_faults() -> None:
    """Of those whose type they know."""
    for part in ({"type": "text"}, {"type": "uri", "modality": "image"}, {"type": "tool_call", "id": "a"}):
        assert list(faults({"gen_ai.output.messages": [{"role": "assistant", "parts": [part]}]})) != []
    assert list(faults({"gen_ai.input.messages": asks(blob(12), {"type": "refusal", "content": "No."})})) == []


def test_a_batch_is_told_by_its_calls(provider: OpenAIProvider, captured: Recorder) -> None:
    """Each says its own; what is around them says nothing again."""
    asked = [[{"role": "user", "content": each}] for each in ("One?", "Two?")]
    connected: dict[str, Any] = SyncApp(provider).connection
    litellm.batch_completion("openai/gpt-4o", asked, **connected)
    said = [(span.kind, (span.attributes or {}).get("gen_ai.input.messages")) for span in captured.spans()]
    assert [each for kind, each in said if kind is SpanKind.INTERNAL] == [None]
    calls = [json.loads(str(each)) for kind, each in said if kind is SpanKind.CLIENT]
    assert sorted(calls, key=str) == [asks(text("One?")), asks(text("Two?"))]
