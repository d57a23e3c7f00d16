"""Calls for images, audio and video, and expected attributes of their spans."""

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
"""In requests and responses, but never in telemetry."""

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
            headers={"retry-after-ms": "1"},  # OpenAI's client retries although LiteLLM passes max_retries=0
        ),
        {"llm.error.status_code": 429, "llm.error.category": "rate_limit"},
    ),
}
"""Name → error response, and expected attributes of the error."""


def connection(wire: WireProvider, *, version: str = "/v1") -> dict[str, object]:
    """The parameters for calls to the test's provider."""
    return {
        "api_base": f"{wire.url}{version}",
        "api_key": "sk-test",
        "max_retries": 0,
        "litellm_call_id": CALL_ID,
    }


def invoke(style: str, function: str, /, **parameters: object) -> Any:  # noqa: ANN401 - any result of LiteLLM's
    """Call LiteLLM's function, or its asynchronous counterpart."""
    if style == "sync":
        return getattr(litellm, function)(**parameters)

    async def asynchronously() -> object:
        return await getattr(litellm, f"a{function}")(**parameters)

    return asyncio.run(asynchronously())


def call_type(style: str, function: str) -> str:
    return function if style == "sync" else f"a{function}"


def identity(operation: str, function: str, model: str | None, wire: WireProvider) -> Attributes:
    """Attributes of the operation and the target of a call of LiteLLM's `function`."""
    provider, _, name = (model or "openai/").partition("/")
    attributes: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDERS.get(provider, provider),
        "llm.vendor": "litellm",
        "llm.provider": provider,
        "litellm.provider": provider,
        "litellm.call_id": CALL_ID,
        "litellm.call_type": function,
        "server.address": wire.address,
        "server.port": wire.port,
    }
    return attributes | ({"gen_ai.request.model": name, "llm.request.model": model} if model else {})


EACH_ERROR_REPLY = pytest.mark.parametrize("refusal", ERROR_REPLIES.values(), ids=ERROR_REPLIES.keys())


def assert_error_is_recorded(
    call: Callable[[], object], error: tuple[Reply, Attributes], path: str, wire: WireProvider, telemetry: Recorder
) -> Attributes:
    """The call ends with the provider's error, which the one span records without the provider's text."""
    reply, expected = error
    wire.reply(path, reply)
    with pytest.raises(Exception, match=CANARY):
        call()
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.ERROR)
    assert error_attributes(attributes) == expected
    assert CANARY not in telemetry.everything()
    assert [event.name for event in span.events] == ["litellm.attempt"] * len(wire.ledger)
    return attributes


def error_attributes(attributes: Attributes) -> Attributes:
    """The attributes for status and category of an error."""
    return {name: attributes.get(name) for name in ("llm.error.status_code", "llm.error.category")}
