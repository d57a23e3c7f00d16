"""A conversation with tool calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import litellm
import litellm.vector_stores
import openinference.semconv.trace as conventions

from support.servers.openai_provider import OpenAIProvider
from support.servers.wire import Reply, WireProvider


def conversation(length: int) -> Iterator[dict[str, Any]]:
    """A conversation of an agent, in which every message of the model calls two tools."""
    yield {"role": "system", "content": "Be brief."}
    for number in range(length // 4):
        calls = [
            {"id": f"call_{number}_{each}", "type": "function", "function": {"name": each, "arguments": "{}"}}
            for each in ("look", "listen")
        ]
        yield {"role": "user", "content": [{"type": "text", "text": f"{number}"}, {"type": "text", "text": "?"}]}
        yield {"role": "assistant", "content": None, "tool_calls": calls}
        yield from ({"role": "tool", "tool_call_id": call["id"], "content": f"{number}"} for call in calls)


TOOLS = [{"type": "function", "function": {"name": f"tool_{number}", "parameters": {}}} for number in range(40)]


CALLS = (("call_a", "look", ("{}",)), ("call_b", "listen", ("{}",)))


NAMES = {
    value
    for name, group in vars(conventions).items()
    if name.endswith("Attributes")
    for value in vars(group).values()
    if isinstance(value, str) and not value.startswith("\n")
}


def is_openinference_name(name: str) -> bool:
    """Whether each segment between the numbers of a name is a name of OpenInference, or a sequence of them."""
    return all(_is_in_conventions(piece) for piece in re.split(r"\.\d+\.", name))


def _is_in_conventions(piece: str) -> bool:
    return piece in NAMES or any(
        piece.startswith(f"{name}.") and _is_in_conventions(piece.removeprefix(f"{name}.")) for name in NAMES
    )


def indices(attributes: dict[str, object], prefix: str) -> list[int]:
    """The numbers of messages, in the order of their attributes."""
    found = (re.match(rf"{prefix}\.(\d+)\.", name) for name in attributes)
    return list(dict.fromkeys(int(each[1]) for each in found if each))


TEXTS = [f"text {number}" for number in range(500)]


def rerank(_: OpenAIProvider, wire: WireProvider) -> None:
    results = [{"index": 499 - number, "relevance_score": 1 / (number + 1)} for number in range(500)]
    wire.reply("/rerank", Reply(body={"id": "rerank-1", "results": results}))
    litellm.rerank("cohere/rerank-english-v3.0", "Which?", TEXTS, api_base=f"{wire.url}/v1/rerank", api_key="sk-test")
