"""A custom provider that forwards calls."""

from __future__ import annotations

import litellm

from support.apps import MESSAGES


class ForwardingProvider(litellm.CustomLLM):
    """A custom provider of the application that calls OpenAI."""

    def __init__(self, connection: dict[str, object]) -> None:
        super().__init__()
        self.connection = connection

    def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
        response: litellm.ModelResponse = litellm.completion("openai/gpt-4o", MESSAGES, **self.connection)
        return response

    async def acompletion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
        response: litellm.ModelResponse = await litellm.acompletion("openai/gpt-4o", MESSAGES, **self.connection)
        return response
