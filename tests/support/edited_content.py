"""Content as it is recorded after editing."""

from __future__ import annotations

from agentops_otel_litellm.records import Content


def input_texts(content: Content | None) -> list[str | None]:
    assert content is not None
    return [part.content for message in content.input or () for part in message.parts]
