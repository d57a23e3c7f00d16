"""An application that calls models in many ways, under one span of its own, and has no code for tracing.

If the package agentops is installed, its functions are decorated with it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
from functools import partial
from typing import Any

import litellm
from opentelemetry.trace import get_tracer

URL = os.environ["PROVIDER"]
CHAT: dict[str, Any] = {"model": "openai/gpt-4o", "api_base": URL, "api_key": "sk-test", "max_retries": 0}
HELLO: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
LOOK: list[Any] = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def decorated(part: Any) -> Any:  # noqa: ANN401 - any function
    return part


if importlib.util.find_spec("agentops") is not None:
    agentops: Any = importlib.import_module("agentops")
    tracer: Any = importlib.import_module("agentops.sdk.core").tracer
    # Their settings have no endpoint for metrics, so without this metrics would leave the machine.
    tracer.initialize = partial(tracer.initialize, metrics_endpoint=f"{os.environ['AGENTOPS_API_ENDPOINT']}/v1/metrics")
    agentops.init(auto_start_session=False)
    decorated = agentops.operation


class Parrot(litellm.CustomLLM):
    def completion(self, *_args: object, **kwargs: object) -> litellm.ModelResponse:
        response = kwargs["model_response"]
        assert isinstance(response, litellm.ModelResponse)
        response.choices = [litellm.Choices(message=litellm.Message(content="Squawk!"), finish_reason="stop")]
        response.model = "grey"
        response.usage = litellm.Usage(prompt_tokens=5, completion_tokens=2, total_tokens=7)  # type: ignore[attr-defined]  # LiteLLM sets it so
        return response


def chat() -> None:
    litellm.completion(messages=HELLO, **CHAT)


def stream() -> None:
    list(litellm.completion(messages=HELLO, stream=True, stream_options={"include_usage": True}, **CHAT))


def tools() -> None:
    response: Any = litellm.completion(messages=HELLO, tools=LOOK, **CHAT)
    message = response.choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "A cat."}
    litellm.completion(messages=[*HELLO, message, result], tools=LOOK, **CHAT)


def embeddings() -> None:
    litellm.embedding(input=["one", "two"], **CHAT | {"model": "openai/text-embedding-3-small"})


def fallback() -> None:
    litellm.completion(messages=HELLO, fallbacks=["openai/gpt-4.1"], **CHAT)


def error() -> None:
    try:
        litellm.completion(messages=HELLO, **CHAT)
    except litellm.BadRequestError:
        return
    raise AssertionError("the call did not fail")


def custom() -> None:
    litellm.completion("parrot/grey", HELLO)


def batch() -> None:
    litellm.batch_completion(messages=[HELLO, HELLO], **CHAT)


def asynchronous() -> None:
    asyncio.run(litellm.acompletion(messages=HELLO, **CHAT))


litellm.custom_provider_map = [{"provider": "parrot", "custom_handler": Parrot()}]
with get_tracer("app").start_as_current_span("answer"):
    for part in (chat, stream, tools, embeddings, fallback, error, custom, batch, asynchronous):
        decorated(part)()
