"""Texts that are given to a model which says nothing: embeddings, and judgements of moderation."""

from __future__ import annotations

from agentops_otel_litellm.call.content import Content, Message
from agentops_otel_litellm.readers.content.chat import content_part
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.parts import text_parts
from agentops_otel_litellm.readers.values import elements, field, is_collection, text


def _embedding_asked(parameters: Parameters) -> Content:
    """Tokens, which some give instead, are no texts. (Images, which some take in the place of one, are found later.)"""
    given = parameters.get("input")
    inputs = elements(given) if is_collection(given) else (given,)
    return Content(texts=tuple(known for each in inputs if (known := text(each)) is not None) or None)


def _moderation_asked(parameters: Parameters) -> Content:
    """Each input is a message; the parts of one that has pictures in it are one."""
    given = parameters.get("input")
    inputs = elements(given) if is_collection(given) else (given,)
    if inputs and all(field(each, "type") is not None for each in inputs):
        return Content(input=(Message(role="user", parts=tuple(map(content_part, inputs))),))
    return Content(input=tuple(Message(role="user", parts=text_parts(each)) for each in inputs if text(each)) or None)


EMBEDDING_CONTENT = ContentReaders(asked=_embedding_asked)
MODERATION_CONTENT = ContentReaders(asked=_moderation_asked)
