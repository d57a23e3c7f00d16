"""Replies without usage."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from support.servers.wire import Reply

USAGE_FIELDS = frozenset({"usage", "usageMetadata", "prompt_eval_count", "eval_count", "x_groq", "meta"})
"""Fields with usage in providers' responses."""


def without_usage(reply: Reply) -> Reply:
    """The reply without usage."""
    if reply.pieces is None:
        return replace(reply, body=_without(reply.body))
    kept = [re.sub(rb"\{.*\}", _rewritten, piece) for piece in reply.pieces if not _is_usage_piece(piece)]
    return replace(reply, pieces=kept)


def _is_usage_piece(piece: bytes) -> bool:
    """Whether a piece has only usage, as one of Bedrock's and the last one of OpenAI's."""
    return b'"latencyMs"' in piece or b'"choices": [], "usage"' in piece


def _rewritten(found: re.Match[bytes]) -> bytes:
    try:
        return json.dumps(_without(json.loads(found[0]))).encode()
    except ValueError:
        return found[0]


def _without(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without(value) for name, value in value.items() if name not in USAGE_FIELDS}
    return [_without(each) for each in value] if isinstance(value, list) else value
