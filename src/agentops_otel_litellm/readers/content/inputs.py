"""Texts that are given to a model which says nothing: embeddings, and judgements of moderation."""

from __future__ import annotations

import re
from typing import Any

from agentops_otel_litellm.call.content import Content, Message
from agentops_otel_litellm.readers.content.chat import content_part
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.parts import text_parts
from agentops_otel_litellm.readers.values import field, text

_BASE64 = re.compile(r"(?=[A-Za-z0-9]*[+/])[A-Za-z0-9+/]{256,}={0,2}")


def input_text(value: Any) -> str | None:
    """A text; some providers take images in the place of one, of which only the kind and the size are told."""
    known = text(value)
    if known is None:
        return None
    head, comma, _ = known.partition(",") if known.startswith("data:") else ("", "", "")
    if comma or _BASE64.fullmatch(known):
        return f"{head[:64]}{comma}… [{len(known) - len(head) - len(comma)} characters left out]"
    return known


def _embedding_asked(parameters: Parameters) -> Content:
    """Tokens, which some give instead, are no texts."""
    given = parameters.get("input")
    inputs = given if isinstance(given, list | tuple) else (given,)
    return Content(texts=tuple(known for each in inputs if (known := input_text(each)) is not None) or None)


def _moderation_asked(parameters: Parameters) -> Content:
    """Each input is a message; the parts of one that has pictures in it are one."""
    given = parameters.get("input")
    inputs = given if isinstance(given, list | tuple) else (given,)
    if inputs and all(field(each, "type") is not None for each in inputs):
        return Content(input=(Message(role="user", parts=tuple(map(content_part, inputs))),))
    return Content(input=tuple(Message(role="user", parts=text_parts(each)) for each in inputs if text(each)))


EMBEDDING_CONTENT = ContentReaders(asked=_embedding_asked)
MODERATION_CONTENT = ContentReaders(asked=_moderation_asked)
