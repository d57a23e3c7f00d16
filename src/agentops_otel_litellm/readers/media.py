"""Images, speech, transcriptions and videos.

Sizes, durations and counts are read; media are recorded without their data. Responses are LiteLLM's `ImageResponse`,
`HttpxBinaryResponseContent`, `TranscriptionResponse` and `VideoObject`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BufferedRandom, BufferedReader, BytesIO, FileIO
from stat import S_ISREG
from typing import Any

from agentops_otel_litellm.call import Cost, Request, Response, Usage
from agentops_otel_litellm.providers import provider_named
from agentops_otel_litellm.readers.api_format import (
    ApiFormat,
    ContentReaders,
    default_request,
    default_response,
    no_usage,
    read_cost,
    read_unit_cost,
)
from agentops_otel_litellm.readers.parts import blob, media, text_parts
from agentops_otel_litellm.readers.usage_and_cost import COUNTS, DETAILS
from agentops_otel_litellm.readers.values import (
    Parameters,
    count,
    elements,
    field,
    fields_of,
    identifier,
    integer,
    keyword,
    length,
    number,
    quantity,
    read_fields,
    read_items,
    rows_for,
    text,
)
from agentops_otel_litellm.records import Content, Message, Part


def file_size(file: Any) -> int | None:
    """The size in bytes of an uploaded file: bytes, a buffer, an open file, or a tuple of a name and one of these.

    `None` for a path or a spooled file (`SpooledTemporaryFile`). This runs on the application's thread, so it must not
    access the disk, and a spooled file is written to the disk when its descriptor is read.
    """
    content = file[1] if isinstance(file, tuple) and len(file) > 1 else file
    if isinstance(content, bytes | bytearray):
        return len(content)
    if isinstance(content, BytesIO):
        return content.getbuffer().nbytes
    if isinstance(content, BufferedReader | BufferedRandom | FileIO):
        with suppress(OSError, ValueError):  # closed, or without a descriptor
            status = os.fstat(content.fileno())
            return status.st_size if S_ISREG(status.st_mode) else None
    return None


def read_media_usage(result: Any) -> Usage | None:
    """Read the usage of an image or of audio: seconds of audio, or else tokens.

    LiteLLM sets 0 for every count that the provider did not send, so counts of 0 are omitted.
    """
    usage = fields_of(field(result, "usage"))
    seconds = number(usage.get("seconds"))
    if seconds:
        return Usage(audio_seconds=seconds)
    counts = {name: count for name, count in read_fields(usage, COUNTS).items() if count}
    if not counts:
        return None
    for name, rows in DETAILS:
        parts = read_fields(fields_of(usage.get(name)), rows)
        if any(parts.values()):
            counts.update(parts)
    return Usage(**counts)


# --- images ---------------------------------------------------------------------------------------------------


_IMAGE = rows_for(
    Request,
    {
        "prompt": ("content_length", length),
        "n": ("choice_count", integer),
        "size": ("resolution", keyword),
        "quality": ("quality", keyword),
        "style": ("style", keyword),
        "output_format": ("output_format", keyword),
        "response_format": ("response_format", keyword),
    },
)


def image_request(parameters: Parameters) -> Request:
    return replace(
        default_request(parameters),
        images_count=_images_count(parameters.get("image")),
        output_type="image",
        **read_fields(parameters, _IMAGE),
    )


def _images_count(image: Any) -> int | None:
    """The number of images to edit; `None` if there are none. A list has several images; a tuple is a single file, with
    its name and type.
    """
    return len(image) if isinstance(image, list) else None if image is None else 1


def image_response(result: Any) -> Response:
    """Read the number of images. Their size and quality are not read, because LiteLLM may have guessed them."""
    return replace(default_response(result), images_count=count(field(result, "data")))


def _image_content(parameters: Parameters) -> Content:
    """Read the prompt, and the images to edit."""
    return Content(
        input=_user_message(*text_parts(parameters.get("prompt")), *_uploaded_images(parameters.get("image")))
    )


def _image_messages(result: Any) -> tuple[Message, ...]:
    """Read the images. Each becomes a message, which also has the revised prompt."""
    return read_items(Message, _image_message, elements(field(result, "data")))


def _image_message(value: Any) -> Message:
    image = fields_of(value)
    return Message(role="assistant", parts=(*text_parts(image.get("revised_prompt")), *_image_parts(image)))


def _image_parts(image: Any) -> Iterator[Part]:
    """Yield the part of one image, with its URL or its base64, if it has either."""
    if text(image.get("url")):
        yield media("image", image["url"])
    elif text(image.get("b64_json")):
        yield blob("image", image["b64_json"])


IMAGE = ApiFormat(
    request=image_request,
    response=image_response,
    usage=read_media_usage,
    cost=read_unit_cost,
    content=ContentReaders(request=_image_content, response=_image_messages),
)


# --- speech ---------------------------------------------------------------------------------------------------


_SPEECH = rows_for(
    Request,
    {
        "input": ("content_length", length),
        "voice": ("voice", keyword),
        "response_format": ("response_format", keyword),
        "speed": ("speed", number),
    },
)


def speech_request(parameters: Parameters) -> Request:
    return replace(default_request(parameters), output_type="speech", **read_fields(parameters, _SPEECH))


def speech_response(result: Any) -> Response:
    """Read the size of the audio, if the HTTP client has received all of it."""
    content = field(field(result, "response"), "_content")
    return replace(default_response(result), size=len(content) if isinstance(content, bytes) else None)


def speech_cost(result: Any) -> Cost | None:
    """Read the cost that LiteLLM calculated. `per_unit` is set if it is calculated from the number of characters.
    Otherwise LiteLLM has calculated it from an estimate of the tokens.
    """
    cost, hidden = read_cost(result), getattr(result, "_hidden_params", None)
    name, prices = text(field(hidden, "litellm_model_name")), getattr(sys.modules.get("litellm"), "model_cost", {})
    if cost is None or name is None:
        return cost
    price = prices.get(name) or prices.get(name.partition("/")[2])
    return replace(cost, per_unit=field(price, "input_cost_per_character") is not None)


def _speech_content(parameters: Parameters) -> Content:
    return Content(
        instructions=text_parts(parameters.get("instructions")) or None,
        input=_user_message(*text_parts(parameters.get("input"))),
    )


SPEECH = ApiFormat(
    request=speech_request,
    response=speech_response,
    usage=no_usage,
    cost=speech_cost,
    content=ContentReaders(request=_speech_content),
)


# --- transcriptions -------------------------------------------------------------------------------------------


_TRANSCRIPTION = rows_for(
    Request,
    {
        "file": ("file_size", file_size),
        "prompt": ("content_length", length),
        "language": ("language", keyword),
        "response_format": ("response_format", keyword),
        "temperature": ("temperature", number),
    },
)
_TRANSCRIPT = rows_for(
    Response,
    {
        "text": ("content_length", length),
        "duration": ("media_duration", number),
        "words": ("words_count", count),
        "segments": ("segments_count", count),
    },
)


def transcription_request(parameters: Parameters) -> Request:
    return replace(default_request(parameters), **read_fields(parameters, _TRANSCRIPTION))


def transcription_response(result: Any) -> Response:
    """Read a transcript. The language is read only for providers whose transcripts LiteLLM returns unchanged. For the
    others, LiteLLM always sets the language to English.
    """
    transcript, hidden = fields_of(result), getattr(result, "_hidden_params", None)
    provider = provider_named(keyword(field(hidden, "custom_llm_provider")) or "")
    return replace(
        default_response(result),
        language=keyword(transcript.get("language")) if provider.returns_transcripts_unchanged else None,
        **read_fields(transcript, _TRANSCRIPT),
    )


def _transcription_content(parameters: Parameters) -> Content:
    """Read the prompt that the application adds to the audio. The audio is recorded without its data."""
    return Content(input=_user_message(blob("audio", None), *text_parts(parameters.get("prompt"))))


def _transcription_messages(result: Any) -> tuple[Message, ...]:
    return (Message(role="assistant", parts=text_parts(field(result, "text"))),)


TRANSCRIPTION = ApiFormat(
    request=transcription_request,
    response=transcription_response,
    usage=read_media_usage,
    cost=read_unit_cost,
    content=ContentReaders(request=_transcription_content, response=_transcription_messages),
)


# --- videos ---------------------------------------------------------------------------------------------------


_VIDEO = rows_for(
    Request,
    {
        "prompt": ("content_length", length),
        "seconds": ("media_duration", quantity),
        "size": ("resolution", keyword),
        "video_id": ("resource_id", identifier),
        "character_id": ("resource_id", identifier),
        "video": ("file_size", file_size),
        "limit": ("page_size", integer),
    },
)
_VIDEO_RESULT = rows_for(
    Response,
    {
        "data": ("results_count", count),
        "seconds": ("media_duration", quantity),
        "size": ("resolution", keyword),
        "status": ("job_status", keyword),
        "progress": ("progress", integer),
    },
)


def video_request(parameters: Parameters) -> Request:
    return replace(default_request(parameters), **read_fields(parameters, _VIDEO))


def video_response(result: Any) -> Response:
    """Read the state of a video, the length of a list of videos, or the size of a downloaded video."""
    if isinstance(result, bytes):
        return Response(size=len(result))
    return replace(default_response(result), **read_fields(fields_of(result), _VIDEO_RESULT))


def _video_content(parameters: Parameters) -> Content:
    return Content(
        input=_user_message(*text_parts(parameters.get("prompt")), *_uploaded_images(parameters.get("input_reference")))
    )


VIDEO = ApiFormat(
    request=video_request,
    response=video_response,
    usage=no_usage,
    cost=read_unit_cost,
    content=ContentReaders(request=_video_content),
)
"""The response has no message content: the application downloads the video later, as bytes."""


# --- content of several media ---------------------------------------------------------------------------------


def _user_message(*parts: Part) -> tuple[Message, ...] | None:
    """A single message of the user with these parts; `None` if there are no parts."""
    return (Message(role="user", parts=parts),) if parts else None


def _uploaded_images(image: Any) -> Iterator[Part]:
    """Yield a part for each image of the application: with its URL, or without data if it is a file, which is not read.

    A list has several images; a tuple is a single file, with its name and type.
    """
    for each in image if isinstance(image, list) else () if image is None else (image,):
        is_url = isinstance(each, str) and (each.startswith(("http://", "https://", "data:")))
        yield media("image", each) if is_url else blob("image", None)
