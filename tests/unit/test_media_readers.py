"""The readers of what is neither chats nor texts nor embeddings, given anything at all."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Request, Response, Usage
from agentops_otel_litellm.readers.media import read_media_usage
from agentops_otel_litellm.readers.values import identifier, keyword, length, quantity
from support.reader_cases import JSON, NO_DEADLINE, check_reader, objects_with

API_FORMATS = (
    readers.API_FORMATS["image"],
    readers.API_FORMATS["speech"],
    readers.API_FORMATS["transcription"],
    readers.API_FORMATS["moderation"],
    readers.API_FORMATS["video"],
    readers.API_FORMATS["realtime"],
    readers.API_FORMATS["admission"],
    readers.API_FORMATS["connection"],
    readers.API_FORMATS["responses_socket"],
    readers.API_FORMATS["sandbox"],
    readers.API_FORMATS["code"],
    readers.API_FORMATS["token_count"],
    readers.API_FORMATS["decisions"],
    readers.API_FORMATS["agent"],
    readers.API_FORMATS["deleted_interaction"],
    readers.API_FORMATS["job"],
    readers.API_FORMATS["ingestion"],
    readers.API_FORMATS["stored_content"],
)
PARAMETERS = (
    *("model", "prompt", "input", "image", "file", "stream", "n", "size", "quality", "style", "output_format"),
    *("response_format", "voice", "speed", "language", "temperature", "seconds", "video_id"),
    *("session", "transcription_session", "provider", "container", "code", "messages", "system", "tools", "state"),
    *("questions", "images", "assets", "audio", "videos", "name", "ingest_options", "file_data", "file_id", "files"),
)
RESPONSE = (
    *("id", "model", "data", "text", "duration", "language", "words", "segments", "results", "usage", "status"),
    *("progress", "seconds", "size", "response", "_content", "_hidden_params", "messages", "backend_ws", "logging_obj"),
    *("error", "stdout", "stderr", "answers", "total_tokens", "tokenizer_type", "model_used", "headers", "status_code"),
    *("agents", "agent_versions", "next_page_token", "success", "deleted", "content", "type", "has_more"),
)
JUDGEMENT = ("flagged", "categories")
COUNTED = (
    *("input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "completion_tokens", "seconds"),
    *("input_tokens_details", "input_token_details", "output_tokens_details", "output_token_details"),
)
DETAILS = ("cached_tokens", "text_tokens", "image_tokens", "audio_tokens")


@NO_DEADLINE
@given(parameters=objects_with(*PARAMETERS))
def test_anything_for_parameters(parameters: dict[str, object]) -> None:
    """Whatever the app passes."""
    for shape in API_FORMATS:
        check_reader(lambda: {"request": shape.request(parameters)}, parameters)  # noqa: B023 - called at once
        check_reader(lambda: {"target": shape.target(parameters, None)}, parameters)  # noqa: B023


@NO_DEADLINE
@given(
    response=objects_with(*RESPONSE),
    judgement=objects_with(*JUDGEMENT),
    usage=objects_with(*COUNTED),
    details=objects_with(*DETAILS),
)
def test_anything_for_a_response(
    response: dict[str, object], judgement: dict[str, object], usage: dict[str, object], details: dict[str, object]
) -> None:
    """Whatever LiteLLM makes of what the provider sent."""
    counted = {**usage, "input_tokens": 5, "input_token_details": details, "output_tokens_details": details}
    messages = [{"type": "response.done", "response": {"usage": counted}}, {"type": "session.created"}, response]
    for result in (
        response,
        {**response, "results": [judgement, judgement], "usage": counted},
        SimpleNamespace(**response),
        SimpleNamespace(**{**response, "messages": messages}),
    ):
        for shape in API_FORMATS:
            check_reader(lambda: {"response": shape.response(result)}, result)  # noqa: B023
            check_reader(lambda: {"usage": shape.usage(result)}, result)  # noqa: B023
            check_reader(lambda: {"cost": shape.cost(result)}, result)  # noqa: B023


@NO_DEADLINE
@given(value=JSON)
def test_only_a_word_is_a_word(value: object) -> None:
    """What is told of a choice or an id is the whole of it, and has no space in it."""
    for take in (keyword, identifier):
        taken = take(value)
        assert taken is None or (taken == value and taken.split() == [taken])


@pytest.mark.parametrize(
    ("value", "as_word", "as_identifier"),
    [
        ("1024x1024", "1024x1024", "1024x1024"),
        ("pt-BR", "pt-BR", "pt-BR"),
        ("video_bGl0ZWxsbTo=", None, "video_bGl0ZWxsbTo="),
        ("projects/a/operations/1", None, None),
        ("https://localhost/a", None, None),
        ("two words", None, None),
        ("w" * 65, None, "w" * 65),
        ("w" * 257, None, None),
        ("naïve", None, None),
        ("line\n", None, None),
        ("", None, None),
        (5, None, None),
        (None, None, None),
    ],
)
def test_words_and_identifiers(value: object, as_word: str | None, as_identifier: str | None) -> None:
    """Choices are short and plain; ids are longer, and may be of base64."""
    assert (keyword(value), identifier(value)) == (as_word, as_identifier)


@pytest.mark.parametrize(
    ("value", "read"), [("4", 4.0), ("4.5", 4.5), (8, 8.0), ("nan", None), ("soon", None), (True, None), (None, None)]
)
def test_quantities(value: object, read: float | None) -> None:
    """A number, as which OpenAI writes it."""
    assert quantity(value) == read


@pytest.mark.parametrize(("value", "read"), [("abc", 3), ("", 0), (b"abc", None), (["abc"], None), (None, None)])
def test_lengths(value: object, read: int | None) -> None:
    """Characters of text only."""
    assert length(value) == read


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (None, None),
        ({}, None),
        ({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, None),
        ({"input_tokens": 5, "output_tokens": 0}, Usage(input=5)),
        ({"prompt_tokens": 0, "input_tokens": 5}, Usage(input=5)),
        ({"input_tokens": 5, "prompt_tokens": 0}, Usage(input=5)),
        (
            {"input_tokens": 5, "input_tokens_details": {"text_tokens": 5, "image_tokens": 0}},
            Usage(input=5, input_text=5, input_image=0),
        ),
        ({"input_tokens": 5, "input_tokens_details": {"text_tokens": 0, "image_tokens": 0}}, Usage(input=5)),
        ({"output_tokens": 7, "output_token_details": {"audio_tokens": 7}}, Usage(output=7, output_audio=7)),
        ({"type": "duration", "seconds": 2.5}, Usage(audio_seconds=2.5)),
        ({"type": "duration", "seconds": 0}, None),
    ],
)
def test_usage(usage: object, read: Usage | None) -> None:
    """What was counted, in either wording; zeros that stand for nothing are unknown."""
    assert read_media_usage({"usage": usage}) == read


@pytest.mark.parametrize("shape", API_FORMATS)
def test_nothing(shape: readers.ApiFormat) -> None:
    """Of nothing only the kind of operation is known."""
    kinds = {readers.API_FORMATS["image"]: "image", readers.API_FORMATS["speech"]: "speech"}
    assert shape.request({}) == Request(output_type=kinds.get(shape))
    assert shape.response(None) == Response()
    assert (shape.usage(None), shape.cost(None)) == (None, None)
