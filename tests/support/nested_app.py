"""An app that calls models in every way, traced by us and by one of the instrumentations of a provider's client.

    python nested_app.py <instrumentation> <first|last> <the provider's URL>

It writes a JSON object: scenario → its spans, in the order in which they ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
logging.disable(logging.CRITICAL)

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

NAME, ORDER, URL = sys.argv[1:]
MODULES = {
    "openllmetry": ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
    "openai-v2": ("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),
    "openai-v2-latest": ("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),
    "genai-openai": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    "agentops": ("agentops.instrumentation.providers.openai.instrumentor", "OpenaiInstrumentor"),
    "openllmetry-anthropic": ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
    "genai-anthropic": ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
    "agentops-anthropic": ("agentops.instrumentation.providers.anthropic.instrumentor", "AnthropicInstrumentor"),
    "http": ("opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor"),
    "aiohttp": ("opentelemetry.instrumentation.aiohttp_client", "AioHttpClientInstrumentor"),
    "ours": ("agentops_otel_litellm", "LiteLLMInstrumentor"),
}
if NAME == "openai-v2-latest":
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
trace.set_tracer_provider(PROVIDER)


def instrument(name: str) -> None:
    module, instrumentor = MODULES[name]
    getattr(importlib.import_module(module), instrumentor)().instrument(tracer_provider=PROVIDER)


for name in ("http", "aiohttp", *(("ours", NAME) if ORDER == "first" else (NAME, "ours"))):
    instrument(name)

import litellm
import openai
from litellm.integrations.custom_logger import CustomLogger

litellm.suppress_debug_info = True
MESSAGES: list[Any] = [{"role": "user", "content": "Say hello."}]
ANTHROPIC = NAME.endswith("anthropic")
MODEL = "claude-haiku-4-5" if ANTHROPIC else "gpt-4o-mini"
CALL: dict[str, Any] = {
    "model": f"anthropic/{MODEL}" if ANTHROPIC else "openai/gpt-4o",
    "messages": MESSAGES,
    "api_base": URL,
    "api_key": "sk-test",
}
STREAM: dict[str, Any] = {**CALL, "stream": True}
EMBEDDING: dict[str, Any] = {**CALL, "model": "openai/text-embedding-3-small", "input": ["one"]}
del EMBEDDING["messages"]
TEXT: dict[str, Any] = {**CALL, "model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "Say hello."}
del TEXT["messages"]


def client(*, asynchronous: bool = False) -> Any:  # noqa: ANN401 - two clients of two kinds
    """The resource of the provider's own client that sends messages."""
    if ANTHROPIC:
        anthropic: Any = importlib.import_module("anthropic")
        kind: Any = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        return kind(base_url=URL, api_key="sk-test").messages
    kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    return kind(base_url=URL, api_key="sk-test").chat.completions


DIRECT_CALL: dict[str, Any] = {"model": MODEL, "messages": MESSAGES, "max_tokens": 9}


def direct(*, raw: bool = False) -> None:
    """A call of the provider's client without LiteLLM."""
    messages = client()
    (messages.with_raw_response if raw else messages).create(**DIRECT_CALL)


async def direct_async() -> None:
    await client(asynchronous=True).create(**DIRECT_CALL)


class NestedCallLogger(CustomLogger):
    """A callback that calls the provider's client when LiteLLM logs the callback's own call."""

    def __init__(self) -> None:
        super().__init__()
        self.called = threading.Event()
        self.call: dict[str, Any] = {**CALL, "litellm_call_id": f"judged-{id(self)}"}

    def log_success_event(self, kwargs: dict[str, Any], *_args: object, **_others: object) -> None:
        if kwargs["litellm_call_id"] == self.call["litellm_call_id"]:
            direct(raw=True)
            self.called.set()

    log_failure_event = log_success_event

    async def async_log_success_event(self, kwargs: dict[str, Any], *_args: object, **_others: object) -> None:
        self.log_success_event(kwargs)

    async_log_failure_event = async_log_success_event


def call_with_logger(**parameters: Any) -> None:  # noqa: ANN401 - any parameters
    judge = NestedCallLogger()
    litellm.callbacks = [judge]
    with contextlib.suppress(openai.APIError):
        litellm.completion(**judge.call | parameters)
    judge.called.wait(10)


async def call_with_logger_async(**parameters: Any) -> None:  # noqa: ANN401 - any parameters
    judge = NestedCallLogger()
    litellm.callbacks = [judge]
    with contextlib.suppress(openai.APIError):
        await litellm.acompletion(**judge.call | parameters)
    await asyncio.to_thread(judge.called.wait, 10)


async def read_async() -> None:
    async for _chunk in await litellm.acompletion(**STREAM):
        pass


def run(scenario: Coroutine[object, object, object]) -> None:
    """Run a scenario, and wait for LiteLLM's logging worker, which is a task of the loop."""

    async def whole() -> None:
        await scenario
        await asyncio.sleep(0.05)

    asyncio.run(whole())


UNREACHABLE: dict[str, Any] = {"api_base": f"{URL}/nowhere", "max_retries": 0}
SCENARIOS: dict[str, Callable[[], object]] = {
    "chat": lambda: litellm.completion(**CALL),
    "chat, async": lambda: run(litellm.acompletion(**CALL)),
    "direct": direct,
    "direct, raw": lambda: direct(raw=True),
    "direct, async": lambda: run(direct_async()),
    "callback": call_with_logger,
    "callback, async": lambda: run(call_with_logger_async()),
    "callback of a failure": lambda: call_with_logger(**UNREACHABLE),
    "callback of a failure, async": lambda: run(call_with_logger_async(**UNREACHABLE)),
}
OPENAI_SCENARIOS: dict[str, Callable[[], object]] = {
    "stream": lambda: list(litellm.completion(**STREAM)),
    "stream, async": lambda: run(read_async()),
    "embedding": lambda: litellm.embedding(**EMBEDDING),
    "embedding, async": lambda: run(litellm.aembedding(**EMBEDDING)),
    "text": lambda: litellm.text_completion(**TEXT),
}
if not ANTHROPIC:
    SCENARIOS |= OPENAI_SCENARIOS


def span_parents(spans: list[ReadableSpan]) -> list[dict[str, object]]:
    """Name, scope and parent of each span."""
    names = {span.context.span_id: span.name for span in spans if span.context}
    return [
        {
            "name": span.name,
            "by": span.instrumentation_scope.name if span.instrumentation_scope else None,
            "above": names.get(span.parent.span_id, "?") if span.parent else None,
        }
        for span in spans
    ]


results: dict[str, object] = {}
for what, do in SCENARIOS.items():
    litellm.callbacks = []
    for callbacks in (litellm.success_callback, litellm.failure_callback, litellm.input_callback):
        callbacks.clear()
    litellm._async_success_callback.clear()
    litellm._async_failure_callback.clear()
    do()
    results[what] = span_parents(list(EXPORTER.get_finished_spans()))
    EXPORTER.clear()
sys.stdout.write(json.dumps(results))
