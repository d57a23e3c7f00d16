"""Requests that the loopback servers have counted."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from support.servers.wire import Reply

USAGE_FIELDS = frozenset({"usage", "usageMetadata", "prompt_eval_count", "eval_count", "x_groq", "meta"})
"""Where providers count."""


def without_usage(reply: Reply) -> Reply:
    """The same reply, of a provider that does not count."""
    if reply.pieces is None:
        return replace(reply, body=_without(reply.body))
    kept = [re.sub(rb"\{.*\}", _rewritten, piece) for piece in reply.pieces if not _is_usage_piece(piece)]
    return replace(reply, pieces=kept)


def _is_usage_piece(piece: bytes) -> bool:
    """Bedrock's, in AWS's framing, has a piece for itself; likewise OpenAI's last."""
    return b'"latencyMs"' in piece or b'"choices": [], "usage"' in piece


def _rewritten(found: re.Match[bytes]) -> bytes:
    try:
        return json.dumps(_without(json.loads(found[0]))).encode()
    except ValueError:
        return found[0]


def _without(sent: object) -> object:
    if isinstance(sent, dict):
        return {name: _without(value) for name, value in sent.items() if name not in USAGE_FIELDS}
    return [_without(each) for each in sent] if isinstance(sent, list) else sent
