"""Content of embeddings and moderations, whose models receive texts and return none."""

from __future__ import annotations

from agentops_otel_litellm.content_records import Content, Message
from agentops_otel_litellm.readers.content.chat import content_part
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.parts import text_parts
from agentops_otel_litellm.readers.values import elements, field, is_collection, text


def _embedding_request(parameters: Parameters) -> Content:
    """The input texts. Inputs that are tokens are omitted. (Texts that are images are recognised later.)"""
    value = parameters.get("input")
    inputs = elements(value) if is_collection(value) else (value,)
    return Content(texts=tuple(known for each in inputs if (known := text(each)) is not None) or None)


def _moderation_request(parameters: Parameters) -> Content:
    """Each input is a message. An input with images is a list of parts, which are one message."""
    value = parameters.get("input")
    inputs = elements(value) if is_collection(value) else (value,)
    if inputs and all(field(each, "type") is not None for each in inputs):
        return Content(input=(Message(role="user", parts=tuple(map(content_part, inputs))),))
    return Content(input=tuple(Message(role="user", parts=text_parts(each)) for each in inputs if text(each)) or None)


EMBEDDING_CONTENT = ContentReaders(request=_embedding_request)
MODERATION_CONTENT = ContentReaders(request=_moderation_request)
