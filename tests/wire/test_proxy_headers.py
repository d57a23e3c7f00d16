"""What a LiteLLM proxy states in the headers of its responses, and the provider's request id."""

from __future__ import annotations

from collections.abc import Iterator

import litellm
import pytest

from support.api_caller import ApiCaller
from support.apps import App
from support.instrumented import Reinstrument
from support.recorder import Attributes, Recorder
from support.servers.openai_provider import Script
from support.servers.wire import Reply

HEADERS = {
    "x-request-id": "req-1",
    "x-litellm-call-id": "0b9c6f1e-57e1-4d5b-9d5c-2f2a3a4b5c6d",
    "x-litellm-model-id": "deployment-7",
    "x-litellm-model-group": "fast",
    "x-litellm-model-api-base": "https://eu.example.com/v1?key=sk-canary",
    "x-litellm-response-cost": "0.0123",
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
    "litellm.proxy.response_cost": 0.0123,
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
        ("x-litellm-response-cost", "0.0", "litellm.proxy.response_cost"),
        ("x-litellm-response-cost", "None", "litellm.proxy.response_cost"),
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


# --- which span counts a call -------------------------------------------------------------------------------


@pytest.fixture
def counting_proxy(monkeypatch: pytest.MonkeyPatch, instrumented_with: Reinstrument) -> Iterator[Recorder]:
    """What an application with AGENTOPS_PROXY_COUNTS records."""
    with monkeypatch.context() as environment:
        environment.setenv("AGENTOPS_PROXY_COUNTS", "true")
        environment.setenv("AGENTOPS_SEMCONV", "gen_ai,llm,openinference,agentops")
        with instrumented_with(Recorder()) as recorder:
            environment.undo()
            yield recorder


def counts(recorder: Recorder) -> list[str]:
    """The attributes and metrics with tokens or a cost."""
    points, totals = recorder.measured()
    names = [name for span in recorder.spans() for name in span.attributes or ()]
    names += [each.name for each in (*points, *totals)]
    return [
        name for name in names if ".usage" in name or ".cost" in name or "token_count" in name or "llm.cost" in name
    ]


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_the_proxy_counts(app: App, counting_proxy: Recorder, operation: str) -> None:
    """Neither tokens nor a cost are recorded, in any convention or metric. What the proxy has charged is known."""
    app.provider.script(Script(headers=HEADERS))
    app.ask(operation, **PROXY)
    assert stated(counting_proxy) == {"llm.response.request_id": "req-1", **STATED}
    assert counts(counting_proxy) == []


@pytest.mark.parametrize("headers", [HEADERS, {}])
def test_the_proxy_counts_streams(app: App, counting_proxy: Recorder, headers: dict[str, str]) -> None:
    """A call to a proxy is recognised by its provider, too."""
    app.provider.script(Script(headers=headers))
    app.read(**PROXY, stream_options={"include_usage": True})
    assert counts(counting_proxy) == []
    assert counting_proxy.attributes()["llm.response.stream_outcome"] == "completed"


def test_the_proxy_counts_calls_of_other_providers(app: App, counting_proxy: Recorder) -> None:
    """The provider is `openai`, and the server is a proxy: it has answered with its headers."""
    app.provider.script(Script(headers=HEADERS))
    app.ask()
    assert counts(counting_proxy) == []


def test_calls_without_a_proxy_are_counted(app: App, counting_proxy: Recorder) -> None:
    app.ask()
    assert {"gen_ai.usage.input_tokens", "agentops.cost.total", "gen_ai.client.token.usage"} <= {
        *counts(counting_proxy)
    }


def test_by_default_the_application_counts(app: App, telemetry: Recorder) -> None:
    """The proxy may be somebody else's, whose spans are not in the same backend."""
    app.provider.script(Script(headers=HEADERS))
    app.ask(**PROXY)
    assert telemetry.attributes()["agentops.cost.total"] == 0.0123
    assert telemetry.attributes()["agentops.cost.source"] == "gateway"
    assert {"gen_ai.usage.input_tokens", "gen_ai.client.token.usage"} <= {*counts(telemetry)}
