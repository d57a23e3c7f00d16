"""Images, sound and video: the app that asks for them, and what its spans must say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import litellm
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import CALL_ID
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.wire import Reply, WireProvider

BOTH_STYLES = pytest.mark.parametrize("style", ["sync", "async"])
CANARY = "canary-5d1f"
"""In whatever the app sends and gets back; in no telemetry."""

# LiteLLM's provider → the conventions' name.
PROVIDERS = {"azure": "azure.ai.openai", "gemini": "gcp.gemini"}

ERROR_REPLIES: dict[str, tuple[Reply, Attributes]] = {
    "refused": (
        Reply(status=401, body={"error": {"message": f"Incorrect API key: {CANARY}", "type": "invalid_api_key"}}),
        {"llm.error.status_code": 401, "llm.error.category": "auth"},
    ),
    "limited": (
        Reply(
            status=429,
            body={"error": {"message": f"Slow down: {CANARY}", "type": "rate_limit_exceeded"}},
            headers={"retry-after-ms": "1"},  # OpenAI's client tries again, whatever LiteLLM was told
        ),
        {"llm.error.status_code": 429, "llm.error.category": "rate_limit"},
    ),
}
"""Replies that are errors, and what of them must be told."""


def connection(wire: WireProvider, *, version: str = "/v1") -> dict[str, object]:
    """How the app reaches the test's provider."""
    return {
        "api_base": f"{wire.url}{version}",
        "api_key": "sk-test",
        "max_retries": 0,
        "litellm_call_id": CALL_ID,
    }


def invoke(style: str, function: str, /, **parameters: object) -> Any:  # noqa: ANN401 - it is LiteLLM's to say
    """Call LiteLLM's function, or its asynchronous twin."""
    if style == "sync":
        return getattr(litellm, function)(**parameters)

    async def asynchronously() -> object:
        return await getattr(litellm, f"a{function}")(**parameters)

    return asyncio.run(asynchronously())


def call_type(style: str, function: str) -> str:
    return function if style == "sync" else f"a{function}"


def identity(operation: str, of: str, model: str | None, wire: WireProvider) -> Attributes:
    """Whom LiteLLM's function `of` asked for `model`, in full."""
    provider, _, name = (model or "openai/").partition("/")
    attributes: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDERS.get(provider, provider),
        "llm.vendor": "litellm",
        "llm.provider": provider,
        "litellm.provider": provider,
        "litellm.call_id": CALL_ID,
        "litellm.call_type": of,
        "server.address": wire.address,
        "server.port": wire.port,
    }
    return attributes | ({"gen_ai.request.model": name, "llm.request.model": model} if model else {})


EACH_ERROR_REPLY = pytest.mark.parametrize("refusal", ERROR_REPLIES.values(), ids=ERROR_REPLIES.keys())


def assert_error_is_recorded(
    invoked: Callable[[], object], refusal: tuple[Reply, Attributes], path: str, wire: WireProvider, telemetry: Recorder
) -> Attributes:
    """What is called ends with the provider's error: the one span says of which kind, and quotes nobody."""
    reply, told = refusal
    wire.reply(path, reply)
    with pytest.raises(Exception, match=CANARY):
        invoked()
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.ERROR)
    assert error_attributes(attributes) == told
    assert CANARY not in telemetry.everything()
    assert [event.name for event in span.events] == ["litellm.attempt"] * len(wire.ledger)
    return attributes


def error_attributes(attributes: Attributes) -> Attributes:
    """What is said of the failure's kind."""
    return {name: attributes.get(name) for name in ("llm.error.status_code", "llm.error.category")}
