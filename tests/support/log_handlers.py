"""Logging handlers of an application."""

from __future__ import annotations

import litellm

from support.apps import MESSAGES


class ForwardingProvider(litellm.CustomLLM):
    """A provider of the app's own that asks another one."""

    def __init__(self, connection: dict[str, object]) -> None:
        super().__init__()
        self.connection = connection

    def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
        answer: litellm.ModelResponse = litellm.completion("openai/gpt-4o", MESSAGES, **self.connection)
        return answer

    async def acompletion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
        answer: litellm.ModelResponse = await litellm.acompletion("openai/gpt-4o", MESSAGES, **self.connection)
        return answer
