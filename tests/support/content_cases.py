"""Operations other than chats, with content."""

from __future__ import annotations

import base64
import json
from typing import Any

from support import releases
from support.captured import assistant_messages
from support.images import image_reply
from support.moderation import moderation_reply, moderation_result
from support.recorder import Recorder
from support.retrieval_cases import DOCUMENTS, QUERY, RERANK_RESPONSE, SEARCH_RESPONSE
from support.servers.wire import Reply

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


def user_messages(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "parts": list(parts)}]


def text_part(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def content(recorder: Recorder) -> dict[str, Any]:
    """All content on the one span."""
    attributes = recorder.attributes()
    return {
        name: attributes[name] if name in AS_TEXT else json.loads(str(attributes[name]))
        for name in NAMES
        if name in attributes
    }


def blob_part(size: int | None = None, *, modality: str = "image", **others: str) -> dict[str, Any]:
    return {"type": "blob", "modality": modality, **others, **({"size": size} if size else {})}


MODERATION_REPLY = moderation_reply(moderation_result("violence"), moderation_result())


OCR_RESPONSE = {
    "pages": [{"index": 0, "markdown": "# One"}, {"index": 1, "markdown": "Two"}],
    "model": "mistral-ocr-latest",
    "usage_info": {"pages_processed": 2},
}


EMBEDDING_REPLY = Reply(
    body={
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
)


# Case → function, parameters, end of the path and reply, and expected content attributes.
CASES: dict[str, tuple[str, dict[str, Any], str, Reply, dict[str, Any]]] = {
    "embedded texts": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": ["one", "two sk-0123456789abcdefghij"]},
        "/embeddings",
        EMBEDDING_REPLY,
        {"llm.request.inputs": ("one", "two [key]")},
    ),
    "an embedded text": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": "one"},
        "/embeddings",
        EMBEDDING_REPLY,
        {"llm.request.inputs": ("one",)},
    ),
    "embedded tokens": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": [1, 2, 3]},
        "/embeddings",
        EMBEDDING_REPLY,
        {},
    ),
    "embedded images": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": [SCAN, PICTURE.replace("A", "+", 1)]},
        "/embeddings",
        EMBEDDING_REPLY,
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
        MODERATION_REPLY,
        {"gen_ai.input.messages": user_messages(text_part("I will.")) + user_messages(text_part("I won't."))},
    ),
    "a moderated picture": (
        "moderation",
        {
            "model": "openai/omni-moderation-latest",
            "input": [{"type": "text", "text": "I will."}, {"type": "image_url", "image_url": {"url": SCAN}}],
        },
        "/moderations",
        MODERATION_REPLY,
        {"gen_ai.input.messages": user_messages(text_part("I will."), blob_part(len(PICTURE), mime_type="image/png"))},
    ),
    "speech": (
        "speech",
        {"model": "openai/tts-1", "input": "Say it.", "voice": "alloy", "instructions": "Loudly."},
        "/audio/speech",
        Reply(body=b"ID3", headers={"content-type": "audio/mpeg"}),
        {
            "gen_ai.system_instructions": [text_part("Loudly.")],
            "gen_ai.input.messages": user_messages(text_part("Say it.")),
        },
    ),
    "a transcription": (
        "transcription",
        {"model": "openai/whisper-1", "file": ("secret.wav", b"RIFF"), "prompt": "About cats."},
        "/audio/transcriptions",
        Reply(body={"text": "A cat."}),
        {
            "gen_ai.input.messages": user_messages(blob_part(modality="audio"), text_part("About cats.")),
            "gen_ai.output.messages": assistant_messages(text_part("A cat."), finish_reason=None),
        },
    ),
    "images": (
        "image_generation",
        {"model": "openai/gpt-image-1", "prompt": "A cat.", "n": 2},
        "/images/generations",
        image_reply({"b64_json": PICTURE, "revised_prompt": "A grey cat."}, {"url": "https://example.com/cat.png"}),
        {
            "gen_ai.input.messages": user_messages(text_part("A cat.")),
            "gen_ai.output.messages": [
                *assistant_messages(text_part("A grey cat."), blob_part(len(PICTURE)), finish_reason=None),
                *assistant_messages(
                    {"type": "uri", "modality": "image", "uri": "https://example.com/cat.png"}, finish_reason=None
                ),
            ],
        },
    ),
    "an edited image": (
        "image_edit",
        {"model": "openai/gpt-image-1", "prompt": "No cat.", "image": [b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n"]},
        "/images/edits",
        image_reply({"url": "https://example.com/cat.png"}),
        {
            "gen_ai.input.messages": user_messages(text_part("No cat."), blob_part(), blob_part()),
            "gen_ai.output.messages": assistant_messages(
                {"type": "uri", "modality": "image", "uri": "https://example.com/cat.png"}, finish_reason=None
            ),
        },
    ),
    "a ranking": (
        "rerank",
        {"model": "cohere/rerank-english-v3.0", "query": QUERY, "documents": [*DOCUMENTS, {"text": "Bern."}, {"a": 1}]},
        "/rerank",
        Reply(body={**RERANK_RESPONSE, "results": [*RERANK_RESPONSE["results"], {"index": 3, "relevance_score": 0.1}]}),
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
        Reply(body=SEARCH_RESPONSE),
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
        Reply(body=OCR_RESPONSE),
        {
            "gen_ai.input.messages": user_messages(
                {"type": "uri", "modality": "document", "uri": "https://example.com/a.pdf"}
            ),
            "gen_ai.output.messages": assistant_messages(text_part("# One"), text_part("Two"), finish_reason=None),
        },
    ),
    "a video": (
        "video_generation",
        {"model": "openai/sora-2", "prompt": "A cat.", "input_reference": b"\x89PNG\r\n\x1a\n"},
        "/videos",
        Reply(body={"id": "video_1", "object": "video", "status": "queued", "created_at": 1, "model": "sora-2"}),
        {"gen_ai.input.messages": user_messages(text_part("A cat."), blob_part())},
    ),
}
