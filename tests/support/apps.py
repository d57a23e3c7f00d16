"""The application under test: a scenario is a coroutine that a synchronous and an asynchronous app can both run."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import TypeVar, cast

import litellm

from support.servers.openai_provider import OpenAIProvider

Result = TypeVar("Result")

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
INPUTS: dict[str, dict[str, object]] = {
    "completion": {"model": "openai/gpt-4o", "messages": MESSAGES},
    "text_completion": {"model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "Say hello."},
    "embedding": {"model": "openai/text-embedding-3-small", "input": ["one", "two"]},
}
"""Operation → default parameters."""
CALL_ID = "the-call"


class App(ABC):
    """An application that calls LiteLLM's functions in one style, with the test's provider."""

    style: str

    def __init__(self, provider: OpenAIProvider) -> None:
        self.provider = provider
        self.connection: dict[str, object] = {
            "api_base": provider.base_url,
            "api_key": "sk-test",
            "max_retries": 0,
            "litellm_call_id": CALL_ID,
        }

    @abstractmethod
    def run(self, scenario: Coroutine[object, object, Result]) -> Result:
        """Run a scenario to its end."""

    @abstractmethod
    async def invoke(self, function: str, *args: object, **parameters: object) -> object:
        """Call LiteLLM's function of that name, or its asynchronous counterpart, with only these arguments."""

    @abstractmethod
    async def next(self, stream: litellm.CustomStreamWrapper) -> litellm.ModelResponseStream | None:
        """The next chunk of a stream; `None` at its end."""

    @abstractmethod
    async def rest(self, stream: litellm.CustomStreamWrapper) -> list[litellm.ModelResponseStream]:
        """The remaining chunks of a stream."""

    def name(self, function: str) -> str:
        """The function's name in this style."""
        return function

    async def call(self, operation: str = "completion", *args: object, **parameters: object) -> litellm.ModelResponse:
        """Call an operation. The type is that of a chat; other results have the attributes that tests use."""
        return cast("litellm.ModelResponse", await self._operate(operation, *args, **parameters))

    async def stream(self, operation: str = "completion", **parameters: object) -> litellm.CustomStreamWrapper:
        return cast("litellm.CustomStreamWrapper", await self._operate(operation, stream=True, **parameters))

    async def _operate(self, operation: str, *args: object, **parameters: object) -> object:
        inputs = {} if args else INPUTS[operation]
        return await self.invoke(operation, *args, **{**inputs, **self.connection, **parameters})

    def ask(self, operation: str = "completion", *args: object, **parameters: object) -> litellm.ModelResponse:
        """Run an app with one call."""
        return self.run(self.call(operation, *args, **parameters))

    def read(self, operation: str = "completion", **parameters: object) -> list[litellm.ModelResponseStream]:
        """Run an app that reads one stream to its end."""

        async def scenario() -> list[litellm.ModelResponseStream]:
            return await self.rest(await self.stream(operation, **parameters))

        return self.run(scenario())


class SyncApp(App):
    style = "sync"

    def run(self, scenario: Coroutine[object, object, Result]) -> Result:
        """A scenario of synchronous calls never waits, so one step runs it to its end."""
        try:
            scenario.send(None)
        except StopIteration as end:
            result: Result = end.value
            return result
        raise AssertionError("a synchronous scenario waited")

    async def invoke(self, function: str, *args: object, **parameters: object) -> object:
        return getattr(litellm, function)(*args, **parameters)

    async def next(self, stream: litellm.CustomStreamWrapper) -> litellm.ModelResponseStream | None:
        return next(stream, None)

    async def rest(self, stream: litellm.CustomStreamWrapper) -> list[litellm.ModelResponseStream]:
        return list(stream)


class AsyncApp(App):
    style = "async"

    def run(self, scenario: Coroutine[object, object, Result]) -> Result:
        return asyncio.run(scenario)

    async def invoke(self, function: str, *args: object, **parameters: object) -> object:
        return await getattr(litellm, self.name(function))(*args, **parameters)

    async def next(self, stream: litellm.CustomStreamWrapper) -> litellm.ModelResponseStream | None:
        return await anext(stream, None)

    async def rest(self, stream: litellm.CustomStreamWrapper) -> list[litellm.ModelResponseStream]:
        return [chunk async for chunk in stream]

    def name(self, function: str) -> str:
        return f"a{function}"


class Caller(ABC):
    """Calls a function of any of LiteLLM's modules in one of two styles."""

    prefix = ""

    @abstractmethod
    def name(self, function: str) -> str:
        """The function's name in this style."""

    @abstractmethod
    def call(self, module: object, function: str, *args: object, **parameters: object) -> object:
        """Call the function and return its result."""


class SyncCaller(Caller):
    def name(self, function: str) -> str:
        return function

    def call(self, module: object, function: str, *args: object, **parameters: object) -> object:
        return getattr(module, function)(*args, **parameters)


class AsyncCaller(Caller):
    prefix = "async_"

    def name(self, function: str) -> str:
        return "a_add_message" if function == "add_message" else f"a{function}"

    def call(self, module: object, function: str, *args: object, **parameters: object) -> object:
        async def scenario() -> object:
            return await getattr(module, self.name(function))(*args, **parameters)

        return asyncio.run(scenario())
