"""The app under test, written once: a scenario is a coroutine that a sync and an async app can both play."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Protocol, TypeVar

import litellm

from servers.openai_provider import OpenAIProvider

Result = TypeVar("Result")

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
INPUTS: dict[str, dict[str, object]] = {
    "completion": {"model": "openai/gpt-4o", "messages": MESSAGES},
    "text_completion": {"model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "Say hello."},
    "embedding": {"model": "openai/text-embedding-3-small", "input": ["one", "two"]},
}
"""What each operation is called with where the test does not say."""
CALL_ID = "the-call"


class App(Protocol):
    """Calls LiteLLM's functions in one of the two styles, against the test's provider."""

    provider: OpenAIProvider
    style: str

    def run(self, scenario: Coroutine[object, object, Result]) -> Result:
        """Play a scenario to its end."""

    async def call(self, operation: str, *args: object, **parameters: object) -> litellm.ModelResponse:
        """What LiteLLM's function returns, with the arguments given and nothing else."""

    def chunks(self, stream: litellm.CustomStreamWrapper) -> AsyncIterator[litellm.ModelResponseStream]:
        """The chunks that remain of a stream."""


class SyncApp:
    style = "sync"

    def __init__(self, provider: OpenAIProvider) -> None:
        self.provider = provider

    def run(self, scenario: Coroutine[object, object, Result]) -> Result:
        """A scenario of synchronous calls never waits, so one step takes it to its end."""
        try:
            scenario.send(None)
        except StopIteration as end:
            result: Result = end.value
            return result
        raise AssertionError("a synchronous scenario waited")

    async def call(self, operation: str, *args: object, **parameters: object) -> litellm.ModelResponse:
        return getattr(litellm, operation)(*args, **parameters)

    async def chunks(self, stream: litellm.CustomStreamWrapper) -> AsyncIterator[litellm.ModelResponseStream]:
        for chunk in stream:
            yield chunk


class AsyncApp:
    style = "async"

    def __init__(self, provider: OpenAIProvider) -> None:
        self.provider = provider

    def run(self, scenario: Coroutine[object, object, Result]) -> Result:
        return asyncio.run(scenario)

    async def call(self, operation: str, *args: object, **parameters: object) -> litellm.ModelResponse:
        return await getattr(litellm, f"a{operation}")(*args, **parameters)

    async def chunks(self, stream: litellm.CustomStreamWrapper) -> AsyncIterator[litellm.ModelResponseStream]:
        async for chunk in stream:
            yield chunk
