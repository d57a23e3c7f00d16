"""Content of images, videos, speech and transcriptions. Media are recorded without their data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentops_otel_litellm.content_records import Content, Message, Part
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.parts import blob, media, text_parts
from agentops_otel_litellm.readers.values import elements, field, fields_of, text


def _user_message(*parts: Part) -> tuple[Message, ...] | None:
    return (Message(role="user", parts=parts),) if parts else None


def _speech_request(parameters: Parameters) -> Content:
    return Content(
        instructions=text_parts(parameters.get("instructions")) or None,
        input=_user_message(*text_parts(parameters.get("input"))),
    )


def _transcription_request(parameters: Parameters) -> Content:
    """The sound, and the prompt that may improve its transcription."""
    return Content(input=_user_message(blob("audio", None), *text_parts(parameters.get("prompt"))))


def _transcription_response(result: Any) -> tuple[Message, ...]:
    return (Message(role="assistant", parts=text_parts(field(result, "text"))),)


def _image_request(parameters: Parameters) -> Content:
    """The prompt, and the images that are to be edited."""
    return Content(
        input=_user_message(*text_parts(parameters.get("prompt")), *_uploaded_images(parameters.get("image")))
    )


def _image_response(result: Any) -> tuple[Message, ...]:
    """Each image is a message of its own, with the revised prompt."""
    return tuple(
        Message(role="assistant", parts=(*text_parts(image.get("revised_prompt")), *_image_parts(image)))
        for image in map(fields_of, elements(field(result, "data")))
    )


def _image_parts(image: Any) -> Iterator[Part]:
    if text(image.get("url")):
        yield media("image", image["url"])
    elif text(image.get("b64_json")):
        yield blob("image", image["b64_json"])


def _video_request(parameters: Parameters) -> Content:
    return Content(
        input=_user_message(*text_parts(parameters.get("prompt")), *_uploaded_images(parameters.get("input_reference")))
    )


def _uploaded_images(image: Any) -> Iterator[Part]:
    """The application's image files, which are not read. A list has several files; a tuple is one file with name and
    type.
    """
    for each in image if isinstance(image, list) else () if image is None else (image,):
        is_url = isinstance(each, str) and (each.startswith(("http://", "https://", "data:")))
        yield media("image", each) if is_url else blob("image", None)


SPEECH_CONTENT = ContentReaders(request=_speech_request)
TRANSCRIPTION_CONTENT = ContentReaders(request=_transcription_request, response=_transcription_response)
IMAGE_CONTENT = ContentReaders(request=_image_request, response=_image_response)
VIDEO_CONTENT = ContentReaders(request=_video_request)
"""The response has no content: the video is downloaded later, as bytes."""
