"""A conversation with tool calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def conversation(length: int) -> Iterator[dict[str, Any]]:
    """An agent's, in which every message of the model's calls two tools."""
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
