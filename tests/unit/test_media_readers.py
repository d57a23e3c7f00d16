"""The readers of media, jobs and other formats, with generated values."""

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
MODERATION_RESULT = ("flagged", "categories")
USAGE = (
    *("input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "completion_tokens", "seconds"),
    *("input_tokens_details", "input_token_details", "output_tokens_details", "output_token_details"),
)
DETAILS = ("cached_tokens", "text_tokens", "image_tokens", "audio_tokens")


@NO_DEADLINE
@given(parameters=objects_with(*PARAMETERS))
def test_anything_for_parameters(parameters: dict[str, object]) -> None:
    """Any values for parameters."""
    for api_format in API_FORMATS:
        check_reader(lambda: {"request": api_format.request(parameters)}, parameters)  # noqa: B023 - called at once
        check_reader(lambda: {"target": api_format.target(parameters, None)}, parameters)  # noqa: B023


@NO_DEADLINE
@given(
    response=objects_with(*RESPONSE),
    moderation_result=objects_with(*MODERATION_RESULT),
    usage=objects_with(*USAGE),
    details=objects_with(*DETAILS),
)
def test_anything_for_a_response(
    response: dict[str, object],
    moderation_result: dict[str, object],
    usage: dict[str, object],
    details: dict[str, object],
) -> None:
    """Any values for the fields of a response."""
    full_usage = {**usage, "input_tokens": 5, "input_token_details": details, "output_tokens_details": details}
    messages = [{"type": "response.done", "response": {"usage": full_usage}}, {"type": "session.created"}, response]
    for result in (
        response,
        {**response, "results": [moderation_result, moderation_result], "usage": full_usage},
        SimpleNamespace(**response),
        SimpleNamespace(**{**response, "messages": messages}),
    ):
        for api_format in API_FORMATS:
            check_reader(lambda: {"response": api_format.response(result)}, result)  # noqa: B023
            check_reader(lambda: {"usage": api_format.usage(result)}, result)  # noqa: B023
            check_reader(lambda: {"cost": api_format.cost(result)}, result)  # noqa: B023


@NO_DEADLINE
@given(value=JSON)
def test_keywords_and_identifiers_have_no_space(value: object) -> None:
    """A value is accepted as a whole or not at all."""
    for read in (keyword, identifier):
        result = read(value)
        assert result is None or (result == value and result.split() == [result])


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
def test_keywords_and_identifiers(value: object, as_word: str | None, as_identifier: str | None) -> None:
    """Choices are short and plain; ids are longer, and may be of base64."""
    assert (keyword(value), identifier(value)) == (as_word, as_identifier)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("4", 4.0), ("4.5", 4.5), (8, 8.0), ("nan", None), ("soon", None), (True, None), (None, None)],
)
def test_quantities(value: object, expected: float | None) -> None:
    """OpenAI writes some numbers as strings."""
    assert quantity(value) == expected


@pytest.mark.parametrize(("value", "expected"), [("abc", 3), ("", 0), (b"abc", None), (["abc"], None), (None, None)])
def test_lengths(value: object, expected: int | None) -> None:
    """Only text has a length."""
    assert length(value) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
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
def test_usage(usage: object, expected: Usage | None) -> None:
    """With either names of fields. Zeros that LiteLLM fills in are unknown."""
    assert read_media_usage({"usage": usage}) == expected


@pytest.mark.parametrize("api_format", API_FORMATS)
def test_empty_parameters_and_responses(api_format: readers.ApiFormat) -> None:
    """Only the type of output is known, from the operation."""
    kinds = {readers.API_FORMATS["image"]: "image", readers.API_FORMATS["speech"]: "speech"}
    assert api_format.request({}) == Request(output_type=kinds.get(api_format))
    assert api_format.response(None) == Response()
    assert (api_format.usage(None), api_format.cost(None)) == (None, None)
