"""Prices that somebody has stated: the provider in its usage, LiteLLM's proxy in a header, the application as 0."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, cast

import litellm
import pytest
from litellm import Router

from support.apps import MESSAGES
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.wire import Reply, WireProvider, events

# LiteLLM serialises the usage of a stream's chunk, in which the cost is a number.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")

USAGE = {"prompt_tokens": 21, "completion_tokens": 13, "total_tokens": 34}
FREE = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
COST = 0.00123


@pytest.fixture(autouse=True)
def own_prices(restored_callbacks: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001
    """LiteLLM forgets the prices of a test after it."""
    with monkeypatch.context() as prices:
        for module, name in ((litellm, "model_cost"), (litellm.utils, "_runtime_registered_model_cost")):
            prices.setattr(module, name, deepcopy(getattr(module, name, {})), raising=False)
        yield
    getattr(litellm.utils, "_invalidate_model_cost_lowercase_map", lambda: None)()


def serve_chat(wire: WireProvider, usage: Mapping[str, object], *, stream: bool) -> None:
    base = {"id": "chat-1", "created": 1, "model": "m"}
    if stream:
        chunk = {**base, "object": "chat.completion.chunk"}
        content = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hi"}}]}
        end = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        pieces = events(content, end, {**chunk, "choices": [], "usage": usage}, "[DONE]")
        wire.reply("/chat/completions", Reply(pieces=pieces))
        return
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = {**base, "object": "chat.completion", "choices": [message], "usage": usage}
    wire.reply("/chat/completions", Reply(body=body))


async def chat(call: Any, *, stream: bool, **parameters: object) -> None:  # noqa: ANN401 - LiteLLM's or the Router's
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    result = await call(messages=MESSAGES, **parameters, **options)
    if stream:
        assert [each async for each in result]


def cost_of(attributes: Attributes) -> tuple[object, object, object]:
    """The cost, its source, and the source in OpenTelemetry's words."""
    names = ("agentops.cost.total", "agentops.cost.source", "gen_ai.usage.cost.source")
    cost, source, known_by = (attributes.get(name) for name in names)
    return cost, source, known_by


KINDS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@KINDS
@pytest.mark.parametrize(
    "model",
    ["openrouter/openai/gpt-4o", "openrouter/x/unknown", "openai/gpt-4o-mini", "openai/unknown", "hosted_vllm/unknown"],
)
def test_a_cost_in_the_usage(wire: WireProvider, telemetry: Recorder, model: str, *, stream: bool) -> None:
    """Also of a model for which LiteLLM has a price. There are no parts, because the provider states none."""
    serve_chat(wire, {**USAGE, "cost": COST}, stream=stream)
    asyncio.run(chat(litellm.acompletion, stream=stream, model=model, api_base=wire.url, api_key="sk-test"))
    attributes = telemetry.attributes()
    assert cost_of(attributes) == (COST, "provider", "provider")
    assert "agentops.cost.input" not in attributes


@KINDS
def test_a_cost_of_several_parts(wire: WireProvider, telemetry: Recorder, *, stream: bool) -> None:
    """Perplexity states the total and its parts."""
    usage = {**USAGE, "cost": {"input_tokens_cost": 0.001, "request_cost": 0.005, "total_cost": 0.006}}
    serve_chat(wire, usage, stream=stream)
    parameters = {"model": "perplexity/sonar", "api_base": wire.url, "api_key": "sk-test"}
    asyncio.run(chat(litellm.acompletion, stream=stream, **parameters))
    assert cost_of(telemetry.attributes()) == (0.006, "provider", "provider")


@KINDS
@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"cost": 0}, (0.0, "provider", "provider")),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": 0.5}}, (None, None, None)),
        ({"cost": -1}, (None, None, None)),
        ({"cost": "free"}, (None, None, None)),
        ({"cost": None}, (None, None, None)),
    ],
    ids=["zero", "paid to somebody else", "negative", "a word", "null"],
)
def test_what_states_no_cost(
    wire: WireProvider, telemetry: Recorder, stated: dict[str, object], expected: object, *, stream: bool
) -> None:
    """A zero is a cost, unless the user pays the upstream provider."""
    serve_chat(wire, {**USAGE, **stated}, stream=stream)
    asyncio.run(chat(litellm.acompletion, stream=stream, model="openai/unknown", api_base=wire.url, api_key="sk-test"))
    assert cost_of(telemetry.attributes()) == expected


@pytest.mark.parametrize(("header", "expected"), [("0.25", (0.25, "gateway", "provider")), ("0.0", (None, None, None))])
def test_a_cost_in_a_header_of_the_proxy(
    wire: WireProvider, telemetry: Recorder, header: str, expected: object
) -> None:
    """The proxy sends 0 if it has no price for the model."""
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = {"id": "c", "created": 1, "object": "chat.completion", "model": "m", "choices": [message], "usage": USAGE}
    wire.reply("/chat/completions", Reply(body=body, headers={"x-litellm-response-cost": header}))
    parameters = {"model": "litellm_proxy/unknown", "api_base": wire.url, "api_key": "sk-test"}
    asyncio.run(chat(litellm.acompletion, stream=False, **parameters))
    assert cost_of(telemetry.attributes()) == expected


@KINDS
def test_a_price_of_the_call_has_priority(wire: WireProvider, telemetry: Recorder, *, stream: bool) -> None:
    serve_chat(wire, {**USAGE, "cost": COST}, stream=stream)
    prices = {"input_cost_per_token": 0.25, "output_cost_per_token": 0.5}
    parameters = {"model": "openai/unknown", "api_base": wire.url, "api_key": "sk-test", **prices}
    asyncio.run(chat(litellm.acompletion, stream=stream, **parameters))
    assert cost_of(telemetry.attributes()) == (21 * 0.25 + 13 * 0.5, "litellm", "local")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [({"cost": COST}, (COST, "provider", "provider")), ({}, (21 * 2.5e-6 + 13 * 1e-5, "litellm", "local"))],
    ids=["stated", "not stated"],
)
def test_a_cost_in_a_stream_of_responses(
    wire: WireProvider, telemetry: Recorder, stated: dict[str, object], expected: object
) -> None:
    """LiteLLM adds its own cost to the usage if the provider states none."""
    usage = {"input_tokens": 21, "output_tokens": 13, "total_tokens": 34, **stated}
    response = {"id": "r", "object": "response", "created_at": 1, "model": "gpt-4o", "status": "completed"}
    response |= {"output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": usage}
    done = {"type": "response.completed", "response": response, "sequence_number": 1}
    wire.reply("/responses", Reply(pieces=events(done, "[DONE]")))

    async def scenario() -> None:
        call = cast("Any", litellm.aresponses)
        stream = await call(model="openai/gpt-4o", input="a", stream=True, api_base=wire.url, api_key="sk-test")
        assert [each async for each in stream]

    asyncio.run(scenario())
    assert cost_of(telemetry.attributes()) == expected


# --- a price of 0 ---------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "hosted_vllm/llama"])
def test_the_application_states_0_with_a_call(
    wire: WireProvider, telemetry: Recorder, model: str, *, stream: bool
) -> None:
    serve_chat(wire, USAGE, stream=stream)
    parameters = {"model": model, "api_base": wire.url, "api_key": "sk-test", **FREE}
    asyncio.run(chat(litellm.acompletion, stream=stream, **parameters))
    assert cost_of(telemetry.attributes()) == (0.0, "litellm", "local")


@KINDS
def test_the_application_registers_0(wire: WireProvider, telemetry: Recorder, *, stream: bool) -> None:
    serve_chat(wire, USAGE, stream=stream)
    litellm.register_model({"openai/free": {**FREE, "litellm_provider": "openai", "mode": "chat"}})
    asyncio.run(chat(litellm.acompletion, stream=stream, model="openai/free", api_base=wire.url, api_key="sk-test"))
    assert cost_of(telemetry.attributes()) == (0.0, "litellm", "local")


@KINDS
def test_litellms_price_map_states_0(wire: WireProvider, telemetry: Recorder, *, stream: bool) -> None:
    serve_chat(wire, USAGE, stream=stream)
    litellm.model_cost["openai/free-in-map"] = {**FREE, "litellm_provider": "openai", "mode": "chat"}
    parameters = {"model": "openai/free-in-map", "api_base": wire.url, "api_key": "sk-test"}
    asyncio.run(chat(litellm.acompletion, stream=stream, **parameters))
    assert cost_of(telemetry.attributes()) == (0.0, "litellm", "local")


def test_a_price_of_the_output_is_missing(wire: WireProvider, telemetry: Recorder) -> None:
    """Then LiteLLM calculates 0 as well, but nobody has stated that the output is free."""
    serve_chat(wire, USAGE, stream=False)
    litellm.register_model({"openai/half": {"input_cost_per_token": 0.0, "litellm_provider": "openai", "mode": "chat"}})
    asyncio.run(chat(litellm.acompletion, stream=False, model="openai/half", api_base=wire.url, api_key="sk-test"))
    assert cost_of(telemetry.attributes()) == (None, None, None)


@KINDS
@pytest.mark.parametrize("place", ["litellm_params", "model_info"])
def test_a_deployment_states_0(wire: WireProvider, telemetry: Recorder, place: str, *, stream: bool) -> None:
    """The route and its trace cost 0, too. A deployment without a price has no cost, although LiteLLM calculates 0."""
    serve_chat(wire, USAGE, stream=stream)

    def deployment(name: str) -> dict[str, Any]:
        target = {"model": f"openai/{name}", "api_base": wire.url, "api_key": "sk-test"}
        return {"model_name": name, "litellm_params": target, "model_info": {"id": f"{name}-1"}}

    free, unknown = deployment("own"), deployment("nobody-knows")
    free[place].update(FREE)
    router = Router(model_list=[free, unknown], num_retries=0)
    found = {}
    for name in ("own", "nobody-knows"):
        asyncio.run(chat(router.acompletion, stream=stream, model=name))
        call, route = sorted(map(attributes_of, telemetry.spans()), key=lambda each: "agentops.trace.cost" in each)
        call = call if "gen_ai.operation.name" in call else route
        totals = [attributes_of(span).get("agentops.trace.cost") for span in telemetry.spans()]
        found[name] = (cost_of(call), [each for each in totals if each is not None])
        telemetry.forget()
    assert found == {"own": ((0.0, "litellm", "local"), [0.0]), "nobody-knows": ((None, None, None), [])}


def test_a_batch_of_free_and_paid_calls(wire: WireProvider, telemetry: Recorder) -> None:
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = {"created": 1, "object": "chat.completion", "choices": [message], "usage": USAGE}
    for number in range(2):
        wire.reply_once("/chat/completions", Reply(body={**body, "id": f"chat-{number}", "model": "m"}))
    litellm.register_model({"openai/free": {**FREE, "litellm_provider": "openai", "mode": "chat"}})
    models = ["openai/gpt-4o-mini", "openai/free"]
    results = litellm.batch_completion_models_all_responses(
        models=models, messages=MESSAGES, api_base=wire.url, api_key="sk-test"
    )
    assert len(results) == 2
    totals = [total for span in telemetry.spans() if (total := attributes_of(span).get("agentops.trace.cost"))]
    assert totals == pytest.approx([21 * 1.5e-7 + 13 * 6e-7])
