"""LiteLLM's cache: what is answered from it was neither asked of a provider nor paid for once more."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind

from support import releases
from support.apps import MESSAGES, App, AsyncApp, SyncApp
from support.caches import (
    cache,  # noqa: F401 - a fixture
    disk,
    local,
    read_twice,
    wait_for_cache_writes,
)
from support.expected import (
    CHAT_REQUEST,
    EMBEDDING_REQUEST,
    STREAMED,
    TEXT_REQUEST,
    cost_attributes,
    identity,
    response_attributes,
    without_timings,
)
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider, events

HIT: Attributes = {"llm.cache.hit": True, **cost_attributes(0.0)}


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis of our own."""
    pytest.importorskip("redis")
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("there is no redis-server here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    directory = tmp_path_factory.mktemp("redis")
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except ConnectionRefusedError:
                assert running.poll() is None
                time.sleep(0.01)
        yield port
        running.terminate()


def redis(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"type": "redis", "host": "127.0.0.1", "port": str(request.getfixturevalue("redis_port"))}


in_every_cache = pytest.mark.parametrize("cache", [local, disk, redis], indirect=True, ids=lambda where: where.__name__)
pytestmark = pytest.mark.usefixtures("cache")


def twice(app: App, operation: str, **parameters: object) -> litellm.ModelResponse:
    """An app that asks the same thing twice: what it got the second time."""

    async def scenario() -> litellm.ModelResponse:
        await app.call(operation, **parameters)
        await wait_for_cache_writes()
        return await app.call(operation, **parameters)

    return app.run(scenario())


def sums(telemetry: Recorder) -> Counter[str]:
    """The values of each metric: how many there are of durations, else their sum."""
    values: Counter[str] = Counter()
    for point in telemetry.points():
        hit = " of hits" if point.attributes.get("llm.cache.hit") else ""
        amount = point.count if point.unit == "s" else int(point.sum)
        if point.unit != "USD":
            values[f"{point.name.removeprefix('gen_ai.client.')}{hit}"] += amount
    return values


def model_of(operation: str) -> str:
    return {
        "completion": "openai/gpt-4o",
        "text_completion": "text-completion-openai/gpt-3.5-turbo-instruct",
        "embedding": "openai/text-embedding-3-small",
    }[operation]


def described(operation: str, app: App) -> Attributes:
    """What the span of a call says before anything has come."""
    provider, function, model = app.provider, app.name(operation), model_of(operation)
    if operation == "completion":
        return {**identity("chat", function, model, provider), **CHAT_REQUEST}
    if operation == "text_completion":
        identified = identity("text_completion", function, model, provider, litellm_provider="text-completion-openai")
        return {**identified, **TEXT_REQUEST}
    return {**identity("embeddings", function, model, provider), **EMBEDDING_REQUEST}


@in_every_cache
@pytest.mark.parametrize("operation", ["completion", "text_completion"])
def test_a_hit_says_what_was_saved(app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str) -> None:
    """Its tokens and their price are those that the provider had counted the first time, and are not counted again."""
    cost = twice(app, operation)._hidden_params["response_cost"]
    (exchange,) = provider.ledger
    first, hit = telemetry.spans()
    paid = attributes_of(first)["gen_ai.usage.cost.amount"]
    assert cost in {paid, 0.0}
    assert attributes_of(hit) == {
        **described(operation, app),
        **response_attributes(exchange),
        **({"llm.response.tool_calls_count": 0} if operation == "completion" else {}),
        **HIT,
        "llm.cache.saved_prompt_tokens": 11,
        "llm.cache.saved_completion_tokens": 7,
        **({"llm.cache.saved_cost": paid} if cost or releases.CACHE_HITS_COST_NOTHING else {}),
    }
    assert (hit.name, hit.kind, hit.parent, hit.events) == (first.name, SpanKind.CLIENT, None, ())
    assert sums(telemetry) == {"operation.duration": 1, "operation.duration of hits": 1, "token.usage": 11 + 7}


@in_every_cache
def test_a_hit_of_embeddings_is_one(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM keeps a synchronous answer whole, and of an asynchronous one each vector with its share of the tokens.

    A share is not the provider's count, but what LiteLLM prices.
    """
    cost = twice(app, "embedding")._hidden_params.get("response_cost")
    (exchange,) = provider.ledger
    assert exchange.usage is not None
    first, hit = telemetry.spans()
    paid = attributes_of(first)["gen_ai.usage.cost.amount"]
    assert cost in {paid, 0.0, None}
    saved: Attributes = {
        "llm.cache.saved_prompt_tokens": exchange.usage["prompt_tokens"],
        "llm.cache.saved_cost": paid,
    }
    # The shares are whole numbers, so their sum can be smaller than the count.
    saved_of_vectors: Attributes = {}
    if releases.CACHES_KEEP_COUNTS:
        saved_of_vectors = {"llm.cache.saved_cost": pytest.approx(paid, rel=0.1)}
    assert attributes_of(hit) == {
        **described("embedding", app),
        "gen_ai.response.model": "text-embedding-3-small-2024-08-06",
        "llm.response.model": "text-embedding-3-small-2024-08-06",
        "gen_ai.embeddings.dimension.count": 8,
        **HIT,
        **(saved if app.style == "sync" else saved_of_vectors),
    }
    assert hit.events == ()
    assert sums(telemetry) == {"operation.duration": 1, "operation.duration of hits": 1, "token.usage": 11}


@in_every_cache
@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": True}}], ids=["plain", "with usage"])
@pytest.mark.parametrize("operation", ["completion", "text_completion"])
def test_a_replayed_stream_is_a_hit(
    app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str, asked: dict[str, object]
) -> None:
    """It comes to its end as any stream does. What it saved is unknown: LiteLLM may have guessed the tokens."""
    chunks = read_twice(app, operation, **asked)
    (exchange,) = provider.ledger
    _, hit = telemetry.spans()
    names = {"gen_ai.response.model", "llm.response.model"}
    assert without_timings(attributes_of(hit)) == {
        **described(operation, app),
        **STREAMED,
        **{name: value for name, value in response_attributes(exchange).items() if name not in names},
        **({"llm.response.tool_calls_count": 0} if operation == "completion" else {}),
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
        **HIT,
    }
    assert hit.events == ()
    counted = {"token.usage": 11 + 7} if asked else {}
    assert {name: value for name, value in sums(telemetry).items() if "chunk" not in name} == {
        "operation.duration": 1,
        "operation.duration of hits": 1,
        **counted,
    }


@pytest.mark.parametrize("operation", ["completion", "text_completion"])
def test_the_app_gets_what_it_gets_without_us(app: App, provider: OpenAIProvider, operation: str) -> None:
    """A replayed stream is of the class that LiteLLM makes it, and has the same chunks."""

    async def replayed() -> tuple[type, list[str]]:
        stream = await app.stream(operation)
        return stream.__class__, [type(chunk).__name__ for chunk in await app.rest(stream)]

    async def scenario() -> None:
        await app.rest(await app.stream(operation))
        await wait_for_cache_writes()
        traced = await replayed()
        with suppress_instrumentation():
            assert await replayed() == traced

    app.run(scenario())
    assert len(provider.ledger) == 1


async def close(app: App) -> None:
    stream = await app.stream()
    await app.next(stream)
    await stream.aclose()


async def leave(app: App) -> None:
    await app.next(await app.stream())


@pytest.mark.parametrize(("ending", "outcome"), [(close, "closed"), (leave, "abandoned")])
def test_a_replayed_stream_that_was_not_read_to_its_end(
    provider: OpenAIProvider, telemetry: Recorder, ending: Callable[[App], object], outcome: str
) -> None:
    """It is a hit as well, and cost nothing."""
    app = AsyncApp(provider)

    async def scenario() -> None:
        await app.rest(await app.stream())
        await wait_for_cache_writes()
        await ending(app)  # type: ignore[misc]  # a coroutine function

    app.run(scenario())
    hit = attributes_of(telemetry.spans()[1])
    assert (hit["llm.response.stream_outcome"], hit["llm.cache.hit"]) == (outcome, True)
    assert hit["gen_ai.usage.cost.amount"] == 0.0
    assert len(provider.ledger) == 1


@in_every_cache
def test_embeddings_that_are_cached_in_part(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Of two inputs one was known: what was used is what the provider counted for the other; the sum is LiteLLM's."""
    app = AsyncApp(provider)

    async def scenario() -> litellm.ModelResponse:
        await app.call("embedding", input=["one"])
        await wait_for_cache_writes()
        return await app.call("embedding")

    joined = app.run(scenario())
    alone, rest = provider.ledger
    assert (alone.body["input"], rest.body["input"]) == (["one"], ["two"])
    assert (len(joined.data), joined.usage.prompt_tokens) == (2, 22)  # type: ignore[attr-defined]  # of embeddings
    _, partial = telemetry.spans()
    assert attributes_of(partial) == {
        **described("embedding", app),
        "gen_ai.response.model": "text-embedding-3-small-2024-08-06",
        "llm.response.model": "text-embedding-3-small-2024-08-06",
        "gen_ai.embeddings.dimension.count": 8,
        "llm.cache.partial_hit": True,
        "gen_ai.usage.input_tokens": 11,
        "llm.usage.prompt_tokens": 11,
        "llm.usage.total_tokens": 11,
        **{name: value for name, value in attributes_of(telemetry.spans()[0]).items() if "cost" in name},
    }
    assert [event.name for event in partial.events] == ["litellm.attempt"]
    assert sums(telemetry) == {"operation.duration": 2, "token.usage": 11 + 11}


def test_a_call_that_will_have_no_cached_answer_gets_none(
    app: App, provider: OpenAIProvider, telemetry: Recorder
) -> None:
    """`no-cache` is a call like any other."""
    twice(app, "completion", cache={"no-cache": True})
    assert len(provider.ledger) == 2
    for span in telemetry.spans():
        attributes = attributes_of(span)
        assert [name for name in attributes if name.startswith("llm.cache")] == []
        assert attributes["gen_ai.usage.input_tokens"] == 11


@pytest.mark.parametrize("caching", [True, False])
def test_a_call_can_turn_the_cache_on_and_off(
    app: App, provider: OpenAIProvider, telemetry: Recorder, *, caching: bool
) -> None:
    """Whether a call was a hit is what its span says of it."""
    twice(app, "completion", caching=caching)
    _, second = telemetry.spans()
    requests = len(provider.ledger)
    assert requests == (1 if caching else 2) or app.style == "sync"  # which may take no notice of it
    assert attributes_of(second).get("llm.cache.hit") == (True if requests == 1 else None)
    assert ("gen_ai.usage.input_tokens" in attributes_of(second)) == (requests == 2)


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}])
def test_what_is_not_known_of_the_first_answer_was_not_saved(
    app: App, provider: OpenAIProvider, telemetry: Recorder, usage: dict[str, object] | None
) -> None:
    """Without a price nothing is said of money, and without a count nothing of tokens; but a hit is free."""
    provider.script(Script(model="unmapped", usage=usage))
    twice(app, "completion", model="openai/unmapped")
    (_, hit) = telemetry.spans()
    attributes = attributes_of(hit)
    saved = {name: value for name, value in attributes.items() if name.startswith("llm.cache.saved")}
    assert saved == ({"llm.cache.saved_prompt_tokens": 11, "llm.cache.saved_completion_tokens": 7} if usage else {})
    assert attributes["gen_ai.usage.cost.amount"] == 0.0
    assert len(provider.ledger) == 1


def test_a_hit_of_a_model_that_the_app_wrote_without_its_provider(
    app: App, provider: OpenAIProvider, telemetry: Recorder
) -> None:
    """The model of a hit is called as that of any other call."""
    twice(app, "completion", model="gpt-4o")
    assert [attributes_of(span)["gen_ai.request.model"] for span in telemetry.spans()] == ["gpt-4o", "gpt-4o"]
    assert [attributes_of(span)["gen_ai.provider.name"] for span in telemetry.spans()] == ["openai", "openai"]
    assert len(provider.ledger) == 1


def routed(app: App) -> litellm.Router:
    parameters = {"model": "openai/gpt-4o", "api_base": app.provider.base_url, "api_key": "sk", "max_retries": 0}
    made: litellm.Router = litellm.Router(
        model_list=[{"model_name": "fast", "litellm_params": parameters}], num_retries=0, cache_responses=True
    )
    return made


@pytest.mark.parametrize("stream", [False, True])
def test_a_routed_call_that_hits(app: App, provider: OpenAIProvider, telemetry: Recorder, *, stream: bool) -> None:
    """The Router's span and the call's are there, and neither has made an attempt."""
    router = routed(app)

    async def ask() -> None:
        result = getattr(router, app.name("completion"))(model="fast", messages=MESSAGES, stream=stream)
        given = await result if app.style == "async" else result
        if stream:
            await app.rest(given)

    async def scenario() -> None:
        await ask()
        await wait_for_cache_writes()
        telemetry.forget()
        await ask()

    app.run(scenario())
    assert len(provider.ledger) == 1
    call = telemetry.span()
    (route,) = (span for span in telemetry.spans() if span.kind is SpanKind.INTERNAL)
    attributes = attributes_of(call)
    assert attributes["llm.cache.hit"] is True
    assert (attributes["gen_ai.provider.name"], attributes["gen_ai.request.model"]) == ("openai", "gpt-4o")
    assert attributes["litellm.model_group"] == "fast"
    assert call.parent is not None
    assert route.context is not None
    assert call.parent.span_id == route.context.span_id
    assert (call.events, route.events) == ((), ())
    told = {name: value for name, value in attributes_of(route).items() if "cost" in name or "usage" in name}
    assert told == {"agentops.trace.cost": 0.0}


def test_a_fallbacks_answer_is_a_hit_for_the_call(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM keeps it as the answer of the whole call, which the next time makes no attempt."""
    provider.scripts([Script(status=500)])
    twice(app, "completion", fallbacks=["openai/gpt-4o-mini"])
    assert [exchange.status for exchange in provider.ledger] == [500, 200]
    first, hit = telemetry.spans()
    assert ([event.name for event in first.events], hit.events) == (["litellm.attempt"] * 2, ())
    assert attributes_of(hit)["llm.cache.hit"] is True
    assert [name for name in attributes_of(hit) if name in {"llm.fallback.used", "gen_ai.usage.input_tokens"}] == []


def test_the_durations_of_hits_are_told_apart(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """They are no durations of the provider's."""
    twice(SyncApp(provider), "completion")
    durations = telemetry.points("gen_ai.client.operation.duration")
    assert sorted("llm.cache.hit" in point.attributes for point in durations) == [False, True]


@pytest.mark.parametrize("operation", ["completion", "text_completion"])
def test_what_hits_saved_is_counted(app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str) -> None:
    """Hits, and the tokens and the money that they saved, which are those of the call that was paid for."""
    twice(app, operation)
    paid, hit = (attributes_of(span) for span in telemetry.spans())
    points, totals = telemetry.measured()
    costs = {point.attributes.get("llm.cache.hit"): (point.count, point.sum) for point in points if point.unit == "USD"}
    assert costs == {None: (1, paid["gen_ai.usage.cost.amount"]), True: (1, 0.0)}
    saved = {
        (total.name.removeprefix("litellm.client.cache."), total.attributes.get("gen_ai.token.type")): total.value
        for total in totals
        if ".cache." in total.name and total.attributes["llm.cache.hit"]
    }
    usage = provider.ledger[0].usage
    assert usage is not None
    assert saved == {
        ("hits", None): 1,
        ("saved_cost", None): paid["gen_ai.usage.cost.amount"],
        ("saved_tokens", "input"): usage["prompt_tokens"],
        ("saved_tokens", "output"): usage["completion_tokens"],
    }
    assert hit["llm.cache.saved_cost"] == saved["saved_cost", None]


RESPONSE: dict[str, object] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [
        {
            "type": "message",
            "id": "m",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18},
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


@pytest.mark.parametrize("stream", [False, True])
def test_any_other_operation_can_hit(app: App, wire: WireProvider, telemetry: Recorder, *, stream: bool) -> None:
    """LiteLLM says of every kind of answer that it had it, of one that is replayed too."""
    completed = {"type": "response.completed", "sequence_number": 1, "response": RESPONSE}
    wire.reply("/responses", Reply(pieces=events(completed, names=True)) if stream else Reply(body=RESPONSE))

    async def ask() -> None:
        call = {"model": "openai/gpt-4o", "input": "Say hello.", "api_base": wire.url, "api_key": "sk"}
        response: Any = await app.invoke("responses", **call, stream=stream)
        if stream:
            await app.rest(response)

    async def scenario() -> None:
        await ask()
        await wait_for_cache_writes()
        await ask()

    app.run(scenario())
    assert len(wire.ledger) == 1
    first, hit = telemetry.spans()
    assert "llm.cache.hit" not in attributes_of(first)
    attributes = attributes_of(hit)
    assert (attributes["llm.cache.hit"], attributes["gen_ai.usage.cost.amount"]) == (True, 0.0)
    assert attributes.get("llm.response.stream_outcome") == ("completed" if stream else None)
    assert [name for name in attributes if ".usage." in name and "cost" not in name] == []
    assert hit.events == ()
