"""What is to be shown or spoken, and what was heard: images, videos and sound, of which the texts are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentops_otel_litellm.call.content import Content, Message, Part
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.parts import blob, media, text_parts
from agentops_otel_litellm.readers.values import elements, field, members, text


def _asked(*parts: Part) -> tuple[Message, ...] | None:
    return (Message(role="user", parts=parts),) if parts else None


def _speech_asked(parameters: Parameters) -> Content:
    return Content(
        instructions=text_parts(parameters.get("instructions")) or None,
        input=_asked(*text_parts(parameters.get("input"))),
    )


def _transcription_asked(parameters: Parameters) -> Content:
    """The sound, and what may help to understand it."""
    return Content(input=_asked(blob("audio", None), *text_parts(parameters.get("prompt"))))


def _transcription_answered(result: Any) -> tuple[Message, ...]:
    return (Message(role="assistant", parts=text_parts(field(result, "text"))),)


def _image_asked(parameters: Parameters) -> Content:
    """The prompt, and the images that are to be changed."""
    return Content(input=_asked(*text_parts(parameters.get("prompt")), *_sent(parameters.get("image"))))


def _image_answered(result: Any) -> tuple[Message, ...]:
    """Each image is an answer of its own, with what the model made of the prompt."""
    return tuple(
        Message(role="assistant", parts=(*text_parts(image.get("revised_prompt")), *_made(image)))
        for image in map(members, elements(field(result, "data")))
    )


def _made(image: Any) -> Iterator[Part]:
    if text(image.get("url")):
        yield media("image", image["url"])
    elif text(image.get("b64_json")):
        yield blob("image", image["b64_json"])


def _video_asked(parameters: Parameters) -> Content:
    return Content(input=_asked(*text_parts(parameters.get("prompt")), *_sent(parameters.get("input_reference"))))


def _sent(image: Any) -> Iterator[Part]:
    """Files of the app's, which are not read: only a list is several, a tuple is a file with its name and type."""
    for each in image if isinstance(image, list) else () if image is None else (image,):
        is_url = isinstance(each, str) and (each.startswith(("http://", "https://", "data:")))
        yield media("image", each) if is_url else blob("image", None)


SPEECH_CONTENT = ContentReaders(asked=_speech_asked)
TRANSCRIPTION_CONTENT = ContentReaders(asked=_transcription_asked, answered=_transcription_answered)
IMAGE_CONTENT = ContentReaders(asked=_image_asked, answered=_image_answered)
VIDEO_CONTENT = ContentReaders(asked=_video_asked)
"""A video comes later, and as bytes."""
