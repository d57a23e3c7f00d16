"""The accumulators of streams, which read counts and content of each chunk, or only counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest

from agentops_otel_litellm import readers
from agentops_otel_litellm.readers import chat, streams
from agentops_otel_litellm.readers.parts import Draft
from support.logged_warnings import LoggedWarnings

TEXTS = ("Hel", "lo")


def sse(*events: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


def chat_chunks() -> list[object]:
    return [{"id": "c", "choices": [{"index": 0, "delta": {"content": each}}]} for each in TEXTS]


def text_chunks() -> list[object]:
    return [{"id": "c", "choices": [{"index": 0, "text": each}]} for each in TEXTS]


def responses_chunks() -> list[object]:
    return [{"type": "response.output_text.delta", "output_index": 0, "delta": each} for each in TEXTS]


def messages_chunks() -> list[object]:
    """Two events in one piece of bytes."""
    deltas = [{"type": "content_block_delta", "index": 0, "delta": {"text": each}} for each in TEXTS]
    return [sse(*deltas)]


def google_chunks() -> list[object]:
    return [sse({"candidates": [{"content": {"role": "model", "parts": [{"text": each}]}}]}) for each in TEXTS]


STREAMS = {
    "chat": chat_chunks(),
    "text": text_chunks(),
    "responses": responses_chunks(),
    "messages": messages_chunks(),
    "generate_content_stream": google_chunks(),
}
EVENT_FORMATS = ("responses", "messages", "generate_content_stream")


def accumulate(api_format: str, *, captures_content: bool = True) -> streams.Chunks:
    accumulator = readers.API_FORMATS[api_format].chunks(None, captures_content=captures_content)
    for at, chunk in enumerate(STREAMS[api_format], start=1):
        accumulator.add(chunk, float(at))
    return accumulator


def content_of(accumulator: streams.Chunks) -> Sequence[str | None]:
    return [part.content for message in accumulator.messages() or () for part in message.parts]


def raise_error(*_args: object, **_kwargs: object) -> None:
    raise RuntimeError("broken")


@pytest.mark.parametrize("api_format", STREAMS)
def test_counts_and_content(api_format: str) -> None:
    accumulator = accumulate(api_format)
    assert content_of(accumulator) == ["Hello"]
    assert (accumulator.response().content_length, accumulator.first_token) == (5, 1.0)


@pytest.mark.parametrize("api_format", STREAMS)
def test_counts_without_content(api_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no content is captured, none is read, and the counts are the same."""
    monkeypatch.setattr(Draft, "add_fragment", raise_error)
    accumulator = accumulate(api_format, captures_content=False)
    assert accumulator.messages() is None
    assert (accumulator.response().content_length, accumulator.first_token) == (5, 1.0)


@pytest.mark.parametrize("api_format", STREAMS)
def test_a_failure_in_the_content_loses_no_count(
    api_format: str, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    monkeypatch.setattr(Draft, "add_fragment", raise_error)
    accumulator = accumulate(api_format)
    assert (accumulator.response().content_length, accumulator.first_token) == (5, 1.0)
    assert ["content of a chunk" in line for line in logged.take()] == [True]


@pytest.mark.parametrize("api_format", EVENT_FORMATS)
def test_a_failure_in_the_counts_loses_no_content(
    api_format: str, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    monkeypatch.setattr(readers.API_FORMATS[api_format].chunks, "_count", raise_error)
    assert content_of(accumulate(api_format)) == ["Hello"]
    assert ["reading a chunk" in line.lower() for line in logged.take()] == [True]


@pytest.mark.parametrize("api_format", ["chat", "text"])
def test_a_failure_in_the_counts_of_a_chat_loses_no_content(api_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller of `add` logs the failure."""
    monkeypatch.setattr(chat.ChatChunks, "_add_other_output", raise_error)
    monkeypatch.setattr("agentops_otel_litellm.readers.text_and_embeddings.characters", raise_error)
    accumulator = readers.API_FORMATS[api_format].chunks(None, captures_content=True)
    for chunk in STREAMS[api_format]:
        with suppress(RuntimeError):
            accumulator.add(chunk, 1.0)
    assert content_of(accumulator) == ["Hello"]
    assert accumulator.response().content_length == 0


def test_events_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = streams._messages

    def counted(lines: str) -> Sequence[Mapping[str, object]]:
        parsed.append(lines)
        return parse(lines)

    monkeypatch.setattr(streams, "_messages", counted)
    assert content_of(accumulate("generate_content_stream")) == ["Hello"]
    assert len(parsed) == len(STREAMS["generate_content_stream"])


@pytest.mark.parametrize("api_format", ["default", "interaction", "passthrough"])
def test_streams_without_content(api_format: str) -> None:
    """There are no messages, rather than an empty list of messages, if the API format's content is not read."""
    accumulator = readers.API_FORMATS[api_format].chunks(None, captures_content=True)
    accumulator.add({"delta": {"text": "Hello"}}, 1.0)
    assert accumulator.messages() is None
