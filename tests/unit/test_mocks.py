"""Tests of an application may replace a response or a stream by a mock, and receive that mock."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock, MagicMock, patch

import litellm

from agentops_otel_litellm.readers.streams import is_stream, translated_chat

MESSAGES = [{"role": "user", "content": "Hello"}]


def test_mocked_response_is_returned_itself() -> None:
    mock = MagicMock()
    with patch("litellm.llms.openai.openai.OpenAIChatCompletion.completion", return_value=mock):
        result = litellm.completion(model="openai/gpt-4o", messages=MESSAGES, api_key="k")
    assert result is mock


def test_router_returns_the_mock_of_acompletion() -> None:
    params = {"model": "openai/gpt-4o", "api_key": "k"}
    router = litellm.Router(model_list=[{"model_name": "m", "litellm_params": params}])
    mock = MagicMock()
    with patch("litellm.acompletion", AsyncMock(return_value=mock)):
        result = asyncio.run(router.acompletion(model="m", messages=MESSAGES))
    assert result is mock


def test_text_stream_of_a_mocked_chat_stream_ends() -> None:
    with patch("litellm.main.completion", return_value=MagicMock()):
        stream = litellm.text_completion(model="anthropic/claude-3-haiku-20240307", prompt="x", stream=True)
    del stream  # the search for the chat stream among a mock's attributes ends


def test_a_mock_is_not_called_by_readers() -> None:
    """A coroutine that an asynchronous mock returns would have to be awaited."""
    stream = AsyncMock()
    assert translated_chat(stream) is None
    assert not is_stream(stream)
    assert stream.mock_calls == []
