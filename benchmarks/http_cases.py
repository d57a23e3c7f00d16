"""The cases of `http_calls.py`: how LiteLLM is called. Needs no LiteLLM, so that the parent process can list them."""

from __future__ import annotations

import random
from typing import NamedTuple

from subjects import SUBJECTS

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The environment variable that enables the recording of message content."""
WORDS = ("the", "order", "arrived", "late,", "and", "a", "refund", "of", "12", "euros", "is", "due", "this", "week")


def prose(characters: int) -> str:
    """A text of so many characters, always the same."""
    return " ".join(random.Random(0).choices(WORDS, k=characters))[:characters]  # noqa: S311 - no secret


class Case(NamedTuple):
    """How LiteLLM is called, and which subjects are measured."""

    name: str
    model: str = "openai/gpt-4o-mini"
    is_async: bool = True
    is_streamed: bool = False
    """The cost is reported for a chunk, with the share of a chunk in opening and ending the stream."""
    requests_usage: bool = False
    is_routed: bool = False
    """Call `litellm.Router`."""
    records_content: bool = False
    """Record message content. The prompt has 1,000 characters."""
    is_sampled: bool = True
    subjects: tuple[str, ...] = SUBJECTS


ANTHROPIC = "anthropic/claude-sonnet-4-5"
CASES = (
    Case("async call, OpenAI"),
    Case("sync call, OpenAI", is_async=False),
    Case("async call, Anthropic", ANTHROPIC),
    Case("sync call, Anthropic", ANTHROPIC, is_async=False),
    Case("chunk of an async stream with usage, OpenAI", is_streamed=True, requests_usage=True),
    Case("chunk of an async stream without usage, OpenAI", is_streamed=True),
    Case("chunk of a sync stream with usage, OpenAI", is_async=False, is_streamed=True, requests_usage=True),
    Case("chunk of an async stream, Anthropic", ANTHROPIC, is_streamed=True, requests_usage=True),
    Case("async call of a Router", is_routed=True),
    Case("async call with recorded content of 1,000 characters", records_content=True, subjects=("ours",)),
    Case("async call that is not sampled", is_sampled=False),
)
