"""What calls cost: LiteLLM's own figure, of each provider and operation, and how LiteLLM got there."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timezone
from importlib.resources import files
from typing import Any, cast

import litellm
import pytest
from litellm import Router
from litellm.integrations.custom_logger import CustomLogger

from support import releases
from support.api_caller import ApiCaller, rest
from support.apps import MESSAGES, App
from support.providers import PROVIDERS, Provider, chat_parameters
from support.recorder import Attributes, Recorder
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider
from support.wire_formats import respond_everywhere, stream_everywhere

EXACT = 1e-12
SIDES = ("agentops.cost.input", "agentops.cost.output", "agentops.cost.tools")


class Logged(CustomLogger):
    """What LiteLLM's own callbacks are told that calls cost."""

    def __init__(self) -> None:
        super().__init__()
        self.costs: list[float | None] = []
        self.since = datetime.now()  # noqa: DTZ005 - as LiteLLM's

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ANN401, ARG002 - LiteLLM's
        if start_time >= self.since:  # what earlier tests did may be logged late
            self.costs.append(kwargs["standard_logging_object"]["response_cost"])

    async def async_log_success_event(  # LiteLLM calls one or the other
        self,
        kwargs: Any,  # noqa: ANN401 - LiteLLM's
        response_obj: Any,  # noqa: ANN401
        start_time: Any,  # noqa: ANN401
        end_time: Any,  # noqa: ANN401
    ) -> None:
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    async def settled(self) -> None:
        """Wait on the app's loop, where LiteLLM runs asynchronous callbacks, until the call is logged."""
        patience = time.monotonic() + 5
        while not self.costs and time.monotonic() < patience:  # noqa: ASYNC110 - LiteLLM tells no event of it
            await asyncio.sleep(0.01)

    def cost(self) -> float:
        """Of the one call there was, once LiteLLM has logged it; synchronous callbacks run on a thread of its own."""
        patience = time.monotonic() + 5
        while not self.costs and time.monotonic() < patience:
            time.sleep(0.01)
        (cost,) = set(self.costs)
        return cost or 0.0


@pytest.fixture
def logged(restored_callbacks: None, monkeypatch: pytest.MonkeyPatch) -> Logged:  # noqa: ARG001 - a fixture for its effect
    logged = Logged()
    monkeypatch.setattr(litellm, "callbacks", [logged])
    return logged


def costs(attributes: Attributes) -> dict[str, float]:
    """What a span says that its call cost, by attribute."""
    return {
        name: value
        for name, value in attributes.items()
        if name.startswith("agentops.cost.") and isinstance(value, float)
    }


def total(attributes: Attributes) -> float:
    """In each of its words; and where there are parts, they are that together and not more than what they are of."""
    told = costs(attributes)
    if not told:
        assert not [name for name in attributes if "cost" in name]
        return 0.0
    amounts = {told["agentops.cost.total"], attributes["gen_ai.usage.cost.amount"], attributes["llm.usage.cost"]}
    assert len(amounts) == 1
    if "agentops.cost.input" in told:
        assert math.fsum(told.get(name, 0.0) for name in SIDES) == pytest.approx(amounts.pop(), rel=0, abs=EXACT)
        cached = told.get("agentops.cost.cache_read", 0.0) + told.get("agentops.cost.cache_write", 0.0)
        assert cached <= told["agentops.cost.input"] + EXACT
        assert told.get("agentops.cost.reasoning", 0.0) <= told.get("agentops.cost.output", 0.0) + EXACT
    return told["agentops.cost.total"]


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=PROVIDERS.keys())
def test_a_chat_costs_what_litellm_says(
    app: App, wire: WireProvider, telemetry: Recorder, logged: Logged, row: Provider
) -> None:
    """Of each provider: in the response, to callbacks, and asked afterwards."""
    wire.reply(*row.wire.plain)

    async def scenario() -> litellm.ModelResponse:
        result = await app.invoke("completion", **chat_parameters(wire, row))
        if app.style == "async":
            await logged.settled()
        return cast("litellm.ModelResponse", result)

    result = app.run(scenario())
    told = total(telemetry.attributes())
    assert told == pytest.approx(result._hidden_params["response_cost"] or 0.0, rel=0, abs=EXACT)
    assert told == pytest.approx(logged.cost(), rel=0, abs=EXACT)
    if told:
        named_by_answer = row.litellm_name in {"azure", "groq"}  # a deployment, and a name with a slash
        model = None if named_by_answer else row.model
        afterwards = litellm.completion_cost(result, model, custom_llm_provider=row.litellm_name)
        assert told == pytest.approx(afterwards, rel=0, abs=EXACT)


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=PROVIDERS.keys())
def test_a_stream_costs_what_litellm_says(
    app: App, wire: WireProvider, telemetry: Recorder, logged: Logged, row: Provider
) -> None:
    """It is priced once, at its end; where its provider counted nothing, what LiteLLM guesses is no price."""
    wire.reply(*row.wire.stream)

    async def scenario() -> None:
        stream = await app.invoke("completion", **chat_parameters(wire, row), stream=True, **row.streaming)
        await app.rest(cast("litellm.CustomStreamWrapper", stream))
        if app.style == "async":
            await logged.settled()

    app.run(scenario())
    attributes = telemetry.attributes()
    told = total(attributes)
    if "gen_ai.usage.input_tokens" in attributes:
        assert told == pytest.approx(logged.cost(), rel=0, abs=EXACT)
    else:
        assert told == 0.0


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # LiteLLM's, of what it logs
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("function", "given"),
    [
        ("responses", {"model": "openai/gpt-4o", "input": "Say hello."}),
        ("messages", {"model": "anthropic/claude-sonnet-4-6", "messages": MESSAGES[1:], "max_tokens": 9}),
        ("messages", {"model": "openai/gpt-4o", "messages": MESSAGES[1:], "max_tokens": 9}),
        ("generate_content", {"model": "gemini/gemini-2.5-flash", "contents": [{"parts": [{"text": "Say hello."}]}]}),
    ],
    ids=["responses", "messages", "translated messages", "generate_content"],
)
def test_other_kinds_of_chats_cost_what_litellm_says(  # noqa: PLR0913 - fixtures
    wire: WireProvider,
    telemetry: Recorder,
    logged: Logged,
    function: str,
    given: dict[str, object],
    *,
    stream: bool,
) -> None:
    """To callbacks; and what it adds up of."""
    (stream_everywhere if stream else respond_everywhere)(wire)
    caller = ApiCaller(wire=wire, asynchronous=True)  # LiteLLM calls Anthropic asynchronously only
    if function == "generate_content" and stream:
        function = "generate_content_stream"
    elif stream:
        given = {**given, "stream": True}

    async def scenario() -> None:
        result = await caller.start(function, **given)
        if hasattr(type(result), "__anext__"):
            await rest(result)
        await logged.settled()

    asyncio.run(scenario())
    attributes = telemetry.attributes()
    assert total(attributes) == pytest.approx(logged.cost(), rel=0, abs=EXACT)
    assert total(attributes) > 0
    if releases.COSTS_HAVE_SIDES:
        assert attributes["agentops.cost.output"]


IMAGE = {"created": 1, "data": [{"b64_json": "aGk="}]}
RANKED = {"id": "1", "results": [{"index": 0, "relevance_score": 0.9}], "meta": {"billed_units": {"search_units": 2}}}
PIECES: dict[str, tuple[str, dict[str, object], str, Reply]] = {
    "characters": (
        "speech",
        {"model": "openai/tts-1", "input": "Say hello.", "voice": "alloy"},
        "/audio/speech",
        Reply(body=b"ID3 hello", headers={"content-type": "audio/mpeg"}),
    ),
    "seconds": (
        "transcription",
        {"model": "openai/whisper-1", "file": ("a.wav", b"RIFF"), "response_format": "verbose_json"},
        "/audio/transcriptions",
        Reply(body={"text": "Hello.", "duration": 3.5, "usage": {"type": "duration", "seconds": 4}}),
    ),
    "images": (
        "image_generation",
        {"model": "azure/dall-e-3", "prompt": "A cat.", "size": "1024x1024", "api_version": "2024-02-01"},
        "/images/generations",
        Reply(body=IMAGE),
    ),
    "search units": (
        "rerank",
        {"model": "cohere/rerank-english-v3.0", "query": "Rome", "documents": ["Rome"]},
        "/rerank",
        Reply(body=RANKED),
    ),
    "tokens": (
        "embedding",
        {"model": "openai/text-embedding-3-small", "input": "Say hello."},
        "/embeddings",
        Reply(
            body={
                "object": "list",
                "model": "text-embedding-3-small",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3},
            }
        ),
    ),
    "pages": (
        "ocr",
        {"model": "mistral/mistral-ocr-latest", "document": {"type": "document_url", "document_url": "https://a.b/c"}},
        "/ocr",
        Reply(
            body={
                "pages": [{"index": 0, "markdown": "Hello."}],
                "model": "mistral-ocr-latest",
                "usage_info": {"pages_processed": 2},
            }
        ),
    ),
}


@pytest.mark.parametrize("kind", PIECES)
def test_what_is_sold_otherwise_costs_what_litellm_says(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, kind: str
) -> None:
    """By the character, second, image, search or page: in the response. There are no kinds of tokens to tell apart."""
    function, given, path, reply = PIECES[kind]
    wire.reply(path, reply)
    result = api.call(function, **given, **({"api_base": f"{wire.url}/v1/rerank"} if function == "rerank" else {}))
    attributes = telemetry.attributes()
    price = result._hidden_params["response_cost"]
    if f"{'async' if api.asynchronous else 'sync'}-{kind}" in releases.PRICED_AFTER_RETURN:
        assert (price, attributes.get("gen_ai.usage.cost.amount")) == (None, None)
        return
    assert total(attributes) == pytest.approx(price, rel=0, abs=EXACT)
    assert total(attributes) > 0
    assert ("agentops.cost.input" in attributes) is (kind == "tokens" and releases.COSTS_HAVE_SIDES)


def test_discounts_and_margins_are_in_every_part(
    app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A percentage is of each part."""
    app.ask()
    full = costs(telemetry.attributes())
    telemetry.forget()
    monkeypatch.setattr(litellm, "cost_discount_config", {"openai": 0.1}, raising=False)
    monkeypatch.setattr(litellm, "cost_margin_config", {"global": 0.5}, raising=False)
    result = app.ask()
    reduced = costs(telemetry.attributes())
    assert total(telemetry.attributes()) == result._hidden_params["response_cost"]
    assert reduced == {name: pytest.approx(cost * 0.9 * 1.5, rel=0, abs=EXACT) for name, cost in full.items()}
    assert len(reduced) == 5


def test_a_margin_by_the_call_is_in_no_part(app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An amount that is charged for a call is in the total, and then the parts would not add up to that."""
    monkeypatch.setattr(litellm, "cost_margin_config", {"openai": {"fixed_amount": 0.5}}, raising=False)
    result = app.ask()
    attributes = telemetry.attributes()
    assert costs(attributes) == {"agentops.cost.total": result._hidden_params["response_cost"]}
    assert total(attributes) > 0.5


@pytest.fixture
def own_prices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the test tells LiteLLM of prices is forgotten after it."""
    with monkeypatch.context() as prices:
        for module, name in ((litellm, "model_cost"), (litellm.utils, "_runtime_registered_model_cost")):
            prices.setattr(module, name, deepcopy(getattr(module, name, {})), raising=False)
        yield
    getattr(litellm.utils, "_invalidate_model_cost_lowercase_map", lambda: None)()


@pytest.fixture
def registered(own_prices: None) -> str:  # noqa: ARG001
    """A model that the app has told LiteLLM the prices of."""
    price = {"input_cost_per_token": 0.25, "output_cost_per_token": 0.5, "litellm_provider": "openai", "mode": "chat"}
    litellm.register_model({"openai/mine": price})
    return "openai/mine"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_prices_the_app_registered(app: App, telemetry: Recorder, registered: str, *, stream: bool) -> None:
    """Are LiteLLM's prices; they are from no price map of its own."""
    if stream:
        app.read(model=registered, stream_options={"include_usage": True})
    else:
        app.ask(model=registered)
    attributes = telemetry.attributes()
    assert total(attributes) == pytest.approx(11 * 0.25 + 7 * 0.5)
    assert attributes["agentops.cost.source"] == "litellm"
    assert "agentops.cost.price_map" not in attributes


@pytest.mark.usefixtures("restored_callbacks", "own_prices")
def test_prices_of_a_deployment(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Those that the Router's deployment has, too."""
    deployment = {
        "model_name": "fast",
        # Of this model LiteLLM has no price in mind yet, which older releases would keep to.
        "litellm_params": {"model": "openai/gpt-4.1-nano", "api_base": provider.base_url, "api_key": "sk-test"},
        "model_info": {"id": "fast-1", "input_cost_per_token": 0.25, "output_cost_per_token": 0.5},
    }
    result = Router(model_list=[deployment], num_retries=0).completion("fast", cast("Any", MESSAGES))
    attributes = telemetry.attributes()
    assert total(attributes) == cast("Any", result)._hidden_params["response_cost"]
    assert total(attributes) >= 7 * 0.5
    assert "agentops.cost.price_map" not in attributes


def test_the_price_of_a_tier(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """What is served first costs more."""
    ordinary = app.ask(model="openai/gpt-5-mini")._hidden_params["response_cost"]
    telemetry.forget()
    provider.script(Script(service_tier="priority"))
    result = app.ask(model="openai/gpt-5-mini", service_tier="priority")
    assert total(telemetry.attributes()) == result._hidden_params["response_cost"]
    assert total(telemetry.attributes()) > ordinary


@pytest.mark.skipif(not releases.PRICE_MAPS_HAVE_SOURCES, reason="LiteLLM does not say")
def test_a_price_map_that_was_fetched_has_its_day(
    app: App, wire: WireProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the price is one of those that came with LiteLLM is told, or the day on which they were fetched."""
    from litellm.litellm_core_utils import get_model_cost_map as maps

    app.ask()
    attributes = telemetry.attributes()
    assert attributes["agentops.cost.price_map"] == "bundled"
    assert "agentops.cost.price_map_date" not in attributes
    telemetry.forget()
    before = dict(vars(maps._cost_map_source_info))
    own = json.loads(files("litellm").joinpath("model_prices_and_context_window_backup.json").read_bytes())
    wire.reply("/prices.json", Reply(body=own))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "")

    def today() -> str:
        return datetime.now(timezone.utc).date().isoformat()

    day = today()
    try:
        monkeypatch.setattr(litellm, "model_cost", maps.get_model_cost_map(f"{wire.url}/prices.json"))
        app.ask()
    finally:
        vars(maps._cost_map_source_info).update(before)
    attributes = telemetry.attributes()
    assert attributes["agentops.cost.price_map"] == "remote"
    assert (
        day <= cast("str", attributes["agentops.cost.price_map_date"]) <= datetime.now(timezone.utc).date().isoformat()
    )
