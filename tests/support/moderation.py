"""Responses of moderation APIs."""

from __future__ import annotations

from support.servers.wire import Reply

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def moderation_result(*flagged: str) -> dict[str, object]:
    """OpenAI's result for one input."""
    return {
        "flagged": bool(flagged),
        "categories": {name: name in flagged for name in CATEGORIES},
        "category_scores": {name: 0.9 if name in flagged else 0.1 for name in CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }


def moderation_reply(*results: dict[str, object]) -> Reply:
    return Reply(body={"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": list(results)})
