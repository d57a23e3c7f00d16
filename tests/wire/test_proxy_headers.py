"""What a LiteLLM proxy states in the headers of its responses, and the provider's request id."""

from __future__ import annotations

import litellm
import pytest

from support.api_caller import ApiCaller
from support.apps import App
from support.recorder import Attributes, Recorder
from support.servers.openai_provider import Script
from support.servers.wire import Reply

HEADERS = {
    "x-request-id": "req-1",
    "x-litellm-call-id": "0b9c6f1e-57e1-4d5b-9d5c-2f2a3a4b5c6d",
    "x-litellm-model-id": "deployment-7",
    "x-litellm-model-group": "fast",
    "x-litellm-model-api-base": "https://eu.example.com/v1?key=sk-canary",
    "x-litellm-key-spend": "4.25",
    "x-litellm-key-max-budget": "10.0",
    "x-litellm-attempted-retries": "1",
    "x-litellm-attempted-fallbacks": "0",
}
STATED: Attributes = {
    "litellm.proxy.call_id": "0b9c6f1e-57e1-4d5b-9d5c-2f2a3a4b5c6d",
    "litellm.proxy.model_id": "deployment-7",
    "litellm.proxy.model_group": "fast",
    "litellm.proxy.provider_address": "eu.example.com",
    "litellm.proxy.key_spend": 4.25,
    "litellm.proxy.key_max_budget": 10.0,
    "litellm.proxy.key_remaining_budget": 5.75,
    "litellm.proxy.attempted_retries": 1,
    "litellm.proxy.attempted_fallbacks": 0,
}
PROXY = {"model": "litellm_proxy/fast"}


def stated(telemetry: Recorder) -> Attributes:
    """The attributes of the only span that headers state."""
    names = ("litellm.proxy.", "llm.response.request_id", "llm.error.request_id")
    return {name: value for name, value in telemetry.attributes().items() if name.startswith(names)}


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_headers_of_a_response(app: App, telemetry: Recorder, operation: str) -> None:
    app.provider.script(Script(headers=HEADERS))
    app.ask(operation, **PROXY)
    assert stated(telemetry) == {"llm.response.request_id": "req-1", **STATED}
    assert "canary" not in telemetry.everything()


def test_headers_of_a_stream(app: App, telemetry: Recorder) -> None:
    app.provider.script(Script(headers=HEADERS))
    app.read(**PROXY)
    assert stated(telemetry) == {"llm.response.request_id": "req-1", **STATED}


def test_headers_of_an_error(app: App, telemetry: Recorder) -> None:
    app.provider.script(Script(headers=HEADERS, status=429))
    with pytest.raises(litellm.RateLimitError):
        app.ask(**PROXY)
    assert stated(telemetry) == {"llm.error.request_id": "req-1", **STATED}


def test_a_response_of_the_responses_api(api: ApiCaller, telemetry: Recorder) -> None:
    body = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": []}
    api.wire.reply("/responses", Reply(body=body, headers=HEADERS))
    api.call("responses", **PROXY, input="Hi.")
    assert stated(telemetry) == {"llm.response.request_id": "req-1", **STATED}


def test_a_provider_states_only_its_request_id(app: App, telemetry: Recorder) -> None:
    app.provider.script(Script(headers={"x-request-id": "req-2"}))
    app.ask()
    assert stated(telemetry) == {"llm.response.request_id": "req-2"}


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        ("x-litellm-key-spend", "a lot", "litellm.proxy.key_spend"),
        ("x-litellm-key-max-budget", "None", "litellm.proxy.key_max_budget"),
        ("x-litellm-attempted-retries", "-1", "litellm.proxy.attempted_retries"),
        ("x-litellm-attempted-retries", "inf", "litellm.proxy.attempted_retries"),
        ("x-litellm-model-api-base", "sk-canary0123456789", "litellm.proxy.provider_address"),
        ("x-litellm-model-id", "sk/canary 0123456789", "litellm.proxy.model_id"),
    ],
)
def test_an_unusable_value_is_left_out(app: App, telemetry: Recorder, name: str, value: str, attribute: str) -> None:
    app.provider.script(Script(headers={**HEADERS, name: value}))
    app.ask(**PROXY)
    missing = {attribute, "litellm.proxy.key_remaining_budget"} if "key" in attribute else {attribute}
    assert stated(telemetry) == {
        "llm.response.request_id": "req-1",
        **{name: known for name, known in STATED.items() if name not in missing},
    }
    assert "canary" not in telemetry.everything()
