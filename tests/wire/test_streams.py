"""Streams: what the app sees of them, and what is said of those that it reads to their end."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import litellm
import pytest
from opentelemetry.trace import StatusCode

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.invocation.stream_proxy import TracedStream, unwrapped
from support import releases
from support.api_caller import ApiCaller
from support.apps import MESSAGES, App, AsyncApp, SyncApp
from support.expected import (
    CHAT_REQUEST,
    STREAMED,
    TEXT_REQUEST,
    exchange_cost_attributes,
    identity,
    streamed_response_attributes,
    tokens,
    without_timings,
)
from support.instrumented import RECORDER
from support.recorder import Recorder, attributes_of, seconds
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider, events

USAGE: dict[str, object] = {"stream_options": {"include_usage": True}}


def test_a_chat_stream_is_described_in_full(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """A stream that was read to its end says what a plain call does, and how it came."""
    price_of_a_plain_call = app.ask("completion")._hidden_params["response_cost"]
    telemetry.forget()
    chunks = app.read("completion", **USAGE)
    exchange = provider.ledger[-1]
    assert without_timings(telemetry.attributes()) == {
        **identity("chat", app.name("completion"), "openai/gpt-4o", provider),
        **CHAT_REQUEST,
        **STREAMED,
        **streamed_response_attributes(exchange),
        "llm.response.tool_calls_count": 0,
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
        **tokens(exchange),
        **exchange_cost_attributes(price_of_a_plain_call, exchange),
    }
    assert telemetry.span().status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("prefix", ["openai", "text-completion-openai"])
def test_a_text_stream_is_described_in_full(
    app: App, provider: OpenAIProvider, telemetry: Recorder, prefix: str
) -> None:
    """So does a streamed text completion, which has no roles and no tools."""
    model = f"{prefix}/gpt-3.5-turbo-instruct"
    price_of_a_plain_call = app.ask("text_completion", model=model)._hidden_params["response_cost"]
    telemetry.forget()
    chunks = app.read("text_completion", model=model, **USAGE)
    exchange = provider.ledger[-1]
    assert without_timings(telemetry.attributes()) == {
        **identity(
            "text_completion", app.name("text_completion"), model, provider, litellm_provider="text-completion-openai"
        ),
        **TEXT_REQUEST,
        **STREAMED,
        **streamed_response_attributes(exchange),
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
        **tokens(exchange),
        **exchange_cost_attributes(price_of_a_plain_call, exchange),
    }


@pytest.mark.parametrize("operation", ["completion", "text_completion"])
@pytest.mark.parametrize(("asked", "sent"), [(False, True), (True, False)], ids=["not asked", "not sent"])
def test_a_stream_whose_tokens_the_provider_did_not_count(  # noqa: PLR0913 - fixtures and cases
    app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str, *, asked: bool, sent: bool
) -> None:
    """LiteLLM's estimates are no counts: without the provider's there are no tokens, no price and no metric."""
    if not sent:
        provider.script(Script(usage=None))
    app.read(operation, **(USAGE if asked else {}))
    assert provider.ledger[0].usage is None
    attributes = telemetry.attributes()
    assert [name for name in attributes if "usage" in name or "cost" in name or "tokens_per" in name] == []
    assert "gen_ai.client.token.usage" not in {point.name for point in telemetry.points()}


def test_choices_of_a_stream_are_told_apart(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Deltas of two choices make two choices. Each has its finish reason, although LiteLLM passes on only one."""
    chunks = app.read("completion", n=2)
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    (exchange,) = provider.ledger
    attributes = telemetry.attributes()
    assert attributes["gen_ai.request.choice.count"] == 2
    assert attributes["llm.response.choices_count"] == 2
    assert attributes["llm.response.content_length"] == 2 * len("Hello, world!")
    assert attributes["gen_ai.response.id"] == exchange.response_id
    assert attributes["gen_ai.response.finish_reasons"] == ("stop", "stop")


def chat_chunk(*choices: dict[str, object]) -> dict[str, object]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": list(choices)}


def choice(index: int, reason: str | None = None, **delta: object) -> dict[str, object]:
    return {"index": index, "delta": delta, "finish_reason": reason}


PARALLEL_CHOICES: dict[str, list[dict[str, object]]] = {
    "one after the other": [chat_chunk(choice(0, "length")), chat_chunk(choice(1, "stop"))],
    "the second first": [chat_chunk(choice(1, "stop")), chat_chunk(choice(0, "length"))],
    "in one chunk": [chat_chunk(choice(0, "length"), choice(1, "stop"))],
    "between the content": [
        chat_chunk(choice(0, "length")),
        chat_chunk(choice(1, content="more")),
        chat_chunk(choice(1, "stop")),
    ],
}


@pytest.mark.parametrize("case", PARALLEL_CHOICES)
def test_each_choice_has_its_own_finish_reason(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, case: str
) -> None:
    """In the order of the choices' indexes, in whichever order the provider sends them."""
    begun = [chat_chunk(choice(index, role="assistant", content="a")) for index in range(2)]
    wire.reply("/chat/completions", Reply(pieces=events(*begun, *PARALLEL_CHOICES[case], "[DONE]")))
    api.call("completion", model="openai/gpt-4o", messages=MESSAGES, n=2, stream=True)
    attributes = telemetry.attributes()
    assert attributes["llm.response.choices_count"] == 2
    assert attributes["gen_ai.response.finish_reasons"] == ("length", "stop")


@pytest.mark.parametrize("indexes", [(0, 1), (0, 0), (None, None)], ids=["different", "the same", "none"])
def test_parallel_tool_calls_are_counted(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, indexes: tuple[int | None, int | None]
) -> None:
    """Some servers send the same index for every tool call, or none. A different id with a name is a further call."""
    calls: list[dict[str, object]] = []
    for number, known in enumerate(indexes):
        place: dict[str, object] = {} if known is None else {"index": known}
        function = {"name": "weather", "arguments": '{"city":'}
        calls += (
            {**place, "id": f"c{number}", "type": "function", "function": function},
            {**place, "id": f"c{number}", "function": {"arguments": '"Rome"}'}},
        )
    chunks = [chat_chunk(choice(0, role="assistant", tool_calls=[call])) for call in calls]
    wire.reply("/chat/completions", Reply(pieces=events(*chunks, chat_chunk(choice(0, "tool_calls")), "[DONE]")))
    api.call("completion", model="openai/gpt-4o", messages=MESSAGES, stream=True)
    assert telemetry.attributes()["llm.response.tool_calls_count"] == 2


def test_fragments_of_tool_calls_are_counted_as_calls(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Two tool calls in five fragments are two, and their first fragment is the first token."""
    fragments = ('{"ci', 'ty": ', '"Rome"}')
    provider.script(
        Script(content=(), delay=0.15, tool_calls=(("1", "weather", fragments), ("2", "weather", fragments[1:])))
    )
    app.read("completion")
    attributes = telemetry.attributes()
    assert attributes["llm.response.tool_calls_count"] == 2
    assert attributes["gen_ai.response.finish_reasons"] == ("tool_call",)
    assert attributes["llm.response.content_length"] == 0
    first_chunk, first_token = (
        attributes["gen_ai.response.time_to_first_chunk"],
        attributes["llm.response.time_to_first_token"],
    )
    assert isinstance(first_chunk, float)
    assert isinstance(first_token, float)
    assert first_chunk + 0.02 < first_token  # 0.15, but for how busy the machine is


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Between which two instants the app asked for a chunk and had it."""

    before: float
    after: float


async def watch(app: App, stream: litellm.CustomStreamWrapper) -> list[Sighting]:
    """Read a stream to its end with a clock in hand."""
    sightings: list[Sighting] = []
    while True:
        before = time.perf_counter()
        if await app.next(stream) is None:
            return sightings
        sightings.append(Sighting(before=before, after=time.perf_counter()))


def test_time_is_measured_from_the_request(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Each figure lies between what the provider's clock and the app's allow, the connection's delay included."""
    provider.script(Script(first_delay=0.15, delay=0.03))

    async def scenario() -> tuple[float, list[Sighting]]:
        asked_at = time.perf_counter()
        return asked_at, await watch(app, await app.stream("completion", **USAGE))

    asked_at, seen = app.run(scenario())
    (exchange,) = provider.ledger
    attributes = {name: value for name, value in telemetry.attributes().items() if isinstance(value, int | float)}
    waited = exchange.chunk_times[0] - exchange.received_at
    assert waited >= 0.15
    assert waited <= attributes["gen_ai.response.time_to_first_chunk"] <= seen[0].after - asked_at
    waited = exchange.chunk_times[1] - exchange.received_at  # the first chunk is but a role
    assert waited <= attributes["llm.response.time_to_first_token"] <= seen[1].after - asked_at
    lasted = attributes["llm.response.stream_duration"]
    assert seen[-1].before - seen[0].after <= lasted <= seen[-1].after - seen[0].before
    pairs = list(pairwise(seen))
    longest = attributes["llm.response.longest_chunk_gap"]
    assert max(b.before - a.after for a, b in pairs) <= longest <= max(b.after - a.before for a, b in pairs)
    assert attributes["llm.response.chunks_per_second"] == pytest.approx((len(seen) - 1) / lasted)
    assert attributes["llm.response.tokens_per_second"] == pytest.approx(7 / lasted)
    assert seconds(telemetry.span()) >= exchange.chunk_times[-1] - exchange.received_at


DELAYS = (0.01, 0.01, 0.02, 0.01, 0.04, 0.01, 0.07, 0.01)
SLOW = Script(first_delay=0.1, delays=DELAYS, content=("piece",) * (len(DELAYS) - 1))


def rank(values: list[float], percent: int) -> float:
    """The percentile by nearest rank."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def test_figures_are_the_delays_that_the_provider_made(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Each figure is within 5 ms or 5 % of what it was by the provider's clock. A busy machine may hold up a chunk, so
    that one of several streams has to be.
    """

    async def scenario() -> float:
        asked_at = time.perf_counter()
        await app.rest(await app.stream())
        return asked_at

    for _ in range(5):
        telemetry.forget()
        provider.reset()
        provider.script(SLOW)
        asked_at = app.run(scenario())
        (exchange,) = provider.ledger
        sent = exchange.chunk_times if releases.ROLE_ONLY_CHUNKS_ARE_PASSED_ON else exchange.chunk_times[1:]
        gaps = [after - before for before, after in pairwise(sent)]
        assert len(exchange.chunk_times) == len(DELAYS) + 1
        truth = {
            "gen_ai.response.time_to_first_chunk": sent[0] - asked_at,
            "llm.response.time_to_first_token": exchange.chunk_times[1] - asked_at,
            "llm.response.stream_duration": sent[-1] - sent[0],
            "llm.response.longest_chunk_gap": max(gaps),
            "llm.response.chunk_gap_p50": rank(gaps, 50),
            "llm.response.chunk_gap_p95": rank(gaps, 95),
            "llm.response.chunk_gap_p99": rank(gaps, 99),
        }
        told = {name: cast("float", telemetry.attributes()[name]) for name in truth}
        assert telemetry.attributes()["llm.response.chunk_count"] == len(sent)
        assert all(truth[name] >= 0.01 for name in truth)
        (between,) = telemetry.points("gen_ai.client.operation.time_per_output_chunk")
        assert between.count == len(gaps)
        assert between.sum == pytest.approx(told["llm.response.stream_duration"])
        off = {name: (told[name], truth[name]) for name in truth if abs(told[name] - truth[name]) > 0.005}
        off = {name: (is_, was) for name, (is_, was) in off.items() if abs(is_ - was) > 0.05 * was}
        if not off:
            break
    assert off == {}


def beneath(stream: litellm.CustomStreamWrapper) -> object:
    """LiteLLM's own stream in the wrapper the app holds."""
    assert issubclass(type(stream), TracedStream)
    return unwrapped(stream)


def test_the_app_gets_litellms_own_stream(app: App, telemetry: Recorder) -> None:
    """The wrapper passes for what it wraps: its class, its attributes, and what is set on it."""

    async def scenario() -> None:
        stream = await app.stream()
        assert isinstance(stream, litellm.CustomStreamWrapper)
        assert stream.__class__ is litellm.CustomStreamWrapper
        assert (stream.model, stream.custom_llm_provider) == ("gpt-4o", "openai")
        assert stream._hidden_params["litellm_call_id"] == "the-call"
        stream.mark = "set by the app"  # type: ignore[attr-defined]  # the app's own
        assert vars(beneath(stream))["mark"] == "set by the app"
        await app.rest(stream)

    app.run(scenario())
    assert telemetry.attributes()["llm.response.stream_outcome"] == "completed"


OFFERED = ("close", "aclose", "send", "throw", "__enter__", "__exit__", "__aenter__", "__aexit__")


def test_the_wrapper_offers_nothing_of_its_own(app: App) -> None:
    """An app finds on a traced stream what it finds on LiteLLM's: it must not work only while it is traced."""

    async def scenario() -> tuple[set[str], set[str]]:
        stream = await app.stream()
        await app.rest(stream)
        return (
            {name for name in OFFERED if hasattr(stream, name)},
            {name for name in OFFERED if hasattr(beneath(stream), name)},
        )

    traced, plain = app.run(scenario())
    assert traced == plain


def test_a_stream_that_is_no_context_manager_does_not_become_one(app: App, telemetry: Recorder) -> None:
    """`with stream:` fails as it does without us, and its span still ends."""
    if releases.STREAMS_ARE_CONTEXT_MANAGERS:
        pytest.skip("LiteLLM's streams are context managers")

    async def scenario() -> None:
        stream = cast("Any", await app.stream())
        with pytest.raises((TypeError, AttributeError)), stream:
            pass
        with pytest.raises((TypeError, AttributeError)):
            async with stream:
                pass
        await app.rest(stream)

    app.run(scenario())
    assert telemetry.attributes()["llm.response.stream_outcome"] == "completed"


@pytest.mark.skipif(not releases.STREAMS_ARE_CONTEXT_MANAGERS, reason="LiteLLM's streams are no context managers")
def test_a_stream_that_is_a_context_manager_is_closed_by_it(app: App, telemetry: Recorder) -> None:
    """Its block is given the traced stream itself, and its end is the span's."""

    async def scenario() -> None:
        stream: Any = await app.stream()
        if app.style == "sync":
            with stream as entered:
                await app.next(entered)
        else:
            async with stream as entered:
                await app.next(entered)
        assert entered is stream

    app.run(scenario())
    attributes = telemetry.attributes()
    assert (attributes["llm.response.stream_outcome"], attributes["llm.response.chunk_count"]) == ("closed", 1)


@pytest.mark.parametrize("operation", ["completion", "text_completion"])
def test_chunks_are_the_same_with_and_without_tracing(app: App, operation: str) -> None:
    """Chunk for chunk, an app gets what it would get without us."""
    traced = [chunk.model_dump(exclude={"id", "created"}) for chunk in app.read(operation, **USAGE)]
    LiteLLMInstrumentor().uninstrument()
    try:
        plain = [chunk.model_dump(exclude={"id", "created"}) for chunk in app.read(operation, **USAGE)]
    finally:
        LiteLLMInstrumentor().instrument(**RECORDER.providers)
    assert traced == plain
    assert len(plain) > 4


def test_concurrent_streams_are_kept_apart(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Interleaved in one thread, each stream's span has its own chunks."""
    lengths = range(1, 6)
    provider.scripts(Script(content=("x",) * length, delay=0.01) for length in lengths)
    app = AsyncApp(provider)

    async def scenario() -> None:
        streams = [await app.stream() for _ in lengths]
        await asyncio.gather(*map(app.rest, streams))

    app.run(scenario())
    spans = [attributes_of(span) for span in telemetry.spans()]
    assert Counter(span["llm.response.content_length"] for span in spans) == Counter(lengths)
    assert {span["llm.response.stream_outcome"] for span in spans} == {"completed"}
    assert len({span["gen_ai.response.id"] for span in spans}) == len(lengths)


def test_a_stream_may_be_read_in_another_thread(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """A stream that is opened here and read there is one call all the same."""
    app = SyncApp(provider)
    streams = [app.run(app.stream()) for _ in range(4)]
    with ThreadPoolExecutor() as threads:
        counts = set(threads.map(lambda stream: len(list(stream)), streams))
    assert counts == {5 + releases.ROLE_ONLY_CHUNKS_ARE_PASSED_ON}
    outcomes = [attributes_of(span)["llm.response.stream_outcome"] for span in telemetry.spans()]
    assert outcomes == ["completed"] * 4


def test_what_the_app_makes_of_a_chunk_is_the_apps(app: App, telemetry: Recorder) -> None:
    """Chunks are read as they came, though they are read later."""

    async def scenario() -> None:
        stream = await app.stream()
        while (chunk := await app.next(stream)) is not None:
            chunk.choices[0].delta.content = "[redacted by the app]"
            chunk.choices[0].finish_reason = "content_filter"

    app.run(scenario())
    attributes = telemetry.attributes()
    assert attributes["llm.response.content_length"] == len("Hello, world!")
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_long_stream_is_read_as_it_comes(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Chunks are read in rows, the last of which is not full."""
    provider.script(Script(content=tuple(f"word {number} " for number in range(1_000))))
    chunks = app.read("completion")
    attributes = telemetry.attributes()
    assert attributes["llm.response.chunk_count"] == len(chunks)
    assert attributes["llm.response.content_length"] == sum(len(f"word {number} ") for number in range(1_000))
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
