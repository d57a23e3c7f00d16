"""Two thousand calls of every kind and ending at once: spans, metrics and the provider's ledger agree."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import litellm
import openai
import pytest
from litellm.caching.caching import CacheMode
from opentelemetry.trace import SpanKind, StatusCode

from support.recorder import Attributes, Point, Recorder, attributes_of
from support.servers.openai_provider import JSON, Exchange, OpenAIProvider, Script

CALLS = 2_000
SOON = {"retry-after-ms": "1"}
PIECES = ("one ", "two ")
MODELS = {"chat": ("gpt-4o", "gpt-4o-mini", "gpt-4.1"), "embedding": ("text-embedding-3-small",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a call goes."""

    fails: Sequence[int] = ()
    """The statuses of the first requests; if it ends with 0, of all."""
    embeds: bool = False
    streams: bool = False
    counted: bool = True
    """Whether a stream asks for usage."""
    cut_after: int | None = None
    """Chunks after which the provider hangs up."""
    reads: int | None = None
    """Chunks after which the app leaves the stream."""
    closes: bool = False
    """Whether it closes it then."""
    hits: bool = False
    """Whether it asks the same thing a second time."""
    asks: tuple[tuple[str, Any], ...] = ()

    @property
    def is_answered(self) -> bool:
        """Whether the provider's count comes to the app in the end."""
        whole = self.cut_after is None and self.reads is None
        return whole and self.fails[-1:] != (0,) and (self.counted or not self.streams)


# Of a hundred calls so many are of a kind.
KINDS: tuple[tuple[int, Kind], ...] = (
    (32, Kind()),
    (20, Kind(embeds=True)),
    (10, Kind(streams=True)),
    (3, Kind(streams=True, counted=False)),
    (5, Kind(streams=True, reads=2)),
    (5, Kind(streams=True, reads=3, closes=True)),
    (4, Kind(streams=True, cut_after=3)),
    (4, Kind(fails=(500, 0))),
    (3, Kind(fails=(400, 0))),
    (2, Kind(fails=(429, 0), streams=True)),
    (4, Kind(fails=(500,), asks=(("num_retries", 1),))),
    (3, Kind(fails=(500,), asks=(("fallbacks", ["openai/gpt-4o-mini"]),))),
    (5, Kind(hits=True, asks=(("cache", {"use-cache": True}),))),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A call that is to be made; its prompt tells it from the others."""

    prompt: str
    model: str
    kind: Kind
    tokens: tuple[int, int]

    @property
    def parameters(self) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": f"openai/{self.model}",
            "user": f"user of {self.prompt}",
            **dict(self.kind.asks),
        }
        if self.kind.embeds:
            return {**asked, "input": [self.prompt]}
        if self.kind.streams:
            asked["stream"] = True
            if self.kind.counted:
                asked["stream_options"] = {"include_usage": True}
        return {**asked, "messages": [{"role": "user", "content": self.prompt}]}

    def script(self, number: int) -> Script:
        """What the request of that number gets, from 0."""
        fails, (prompt, completion) = self.kind.fails, self.tokens
        usage: JSON = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        if number < len(fails) and fails[number]:
            return Script(status=fails[number], headers=SOON)
        if fails[-1:] == (0,):
            return Script(status=fails[-2], headers=SOON)
        return Script(usage=usage, content=PIECES, cut_after=self.kind.cut_after)


def plans(seed: int) -> list[Plan]:
    chance = random.Random(seed)
    kinds = chance.choices([kind for _, kind in KINDS], [weight for weight, _ in KINDS], k=CALLS)
    return [
        Plan(
            prompt=f"plan {number}",
            model=chance.choice(MODELS["embedding" if kind.embeds else "chat"]),
            kind=kind,
            tokens=(chance.randrange(1, 5_000), 0 if kind.embeds else chance.randrange(1, 500)),
        )
        for number, kind in enumerate(kinds)
    ]


class PlannedProvider(OpenAIProvider):
    """Gives each request what its prompt's plan says."""

    def __init__(self, made: Sequence[Plan]) -> None:
        super().__init__()
        self.plans = {plan.prompt: plan for plan in made}
        self._asked: Counter[str] = Counter()

    def scripted(self, body: JSON) -> Script:
        plan = self.plan_of(body)
        self._asked[plan.prompt] += 1
        return plan.script(self._asked[plan.prompt] - 1)

    def plan_of(self, body: Any) -> Plan:  # noqa: ANN401 - JSON
        return self.plans[body["input"][0] if "input" in body else body["messages"][0]["content"]]


class Run:
    """An app that makes the planned calls, one half in threads and one in tasks."""

    def __init__(self, provider: PlannedProvider) -> None:
        self._connection = {"api_base": provider.base_url, "api_key": "sk-test", "max_retries": 0}
        self.calls = 0

    def make(self, made: Sequence[Plan]) -> None:
        half = len(made) // 2
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self._call, made[:half]))
        asyncio.run(self._call_all(made[half:]))
        self.calls = sum(1 + plan.kind.hits for plan in made)

    def _call(self, plan: Plan) -> None:
        function: Callable[..., Any] = litellm.embedding if plan.kind.embeds else litellm.completion
        for _ in range(1 + plan.kind.hits):
            with suppress(openai.OpenAIError):
                answer = function(**plan.parameters, **self._connection)
                if plan.kind.streams:
                    for number, _chunk in enumerate(answer, 1):
                        if number == plan.kind.reads:
                            break

    async def _call_all(self, made: Sequence[Plan]) -> None:
        few = asyncio.Semaphore(16)

        async def one(plan: Plan) -> None:
            async with few:
                await self._call_async(plan)

        await asyncio.gather(*map(one, made))

    async def _call_async(self, plan: Plan) -> None:
        function: Callable[..., Any] = litellm.aembedding if plan.kind.embeds else litellm.acompletion
        for _ in range(1 + plan.kind.hits):
            with suppress(openai.OpenAIError):
                answer = await function(**plan.parameters, **self._connection)
                if plan.kind.streams:
                    await self._read(plan, answer)
            await asyncio.sleep(0.01 * plan.kind.hits)  # LiteLLM leaves it to a task to put the answer into its cache

    async def _read(self, plan: Plan, stream: Any) -> None:  # noqa: ANN401 - LiteLLM has several
        number = 0
        async for _chunk in stream:
            number += 1
            if number == plan.kind.reads:
                if plan.kind.closes:
                    await stream.aclose()
                break


Sums = Counter[tuple[object, ...]]


def of_ledger(ledger: Sequence[Exchange], provider: PlannedProvider) -> Sums:
    """By model and kind, the tokens that the provider counted for the app, and LiteLLM's price for them."""
    sums: Sums = Counter()
    for exchange in ledger:
        if exchange.usage is None or not provider.plan_of(exchange.body).kind.is_answered:
            continue
        model = str(exchange.body["model"])
        counts = [cast("int", exchange.usage.get(name, 0)) for name in ("prompt_tokens", "completion_tokens")]
        sums[model, "input"] += counts[0]
        sums[model, "output"] += counts[1]
        sums[model, "cost"] += sum(litellm.cost_per_token(model, *counts))  # type: ignore[assignment]  # dollars
    return +sums


def of_spans(spans: Sequence[Attributes]) -> Sums:
    """The same, as the spans say."""
    names = {
        "input": "gen_ai.usage.input_tokens",
        "output": "gen_ai.usage.output_tokens",
        "cost": "gen_ai.usage.cost.amount",
    }
    sums: Sums = Counter()
    for attributes in spans:
        for kind, name in names.items():
            sums[attributes["gen_ai.request.model"], kind] += cast("int", attributes.get(name, 0))
    return +sums


def of_metrics(points: Sequence[Point]) -> Sums:
    """The same, as the metrics say."""
    sums: Sums = Counter()
    for point in points:
        if point.name in {"gen_ai.client.token.usage", "gen_ai.client.operation.cost"}:
            kind = point.attributes.get("gen_ai.token.type", "cost")
            sums[point.attributes["gen_ai.request.model"], kind] += point.sum  # type: ignore[assignment]  # dollars
    return +sums


def outcome_of(plan: Plan, *, asynchronous: bool) -> str:
    if plan.kind.cut_after is not None or plan.kind.fails:
        return "failed"
    if plan.kind.reads is None:
        return "completed"
    return "closed" if plan.kind.closes and asynchronous else "abandoned"


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Streams that the app leaves are in a cycle of LiteLLM's, traced or not. Where the garbage collector finds one
    while httpcore holds the lock of its connections, httpcore waits for itself.
    """
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("restored_callbacks", "uncollected")
@pytest.mark.filterwarnings("ignore:.*Logging:pytest.PytestUnraisableExceptionWarning")  # LiteLLM's, at a loop's end
@pytest.mark.filterwarnings("ignore:coroutine '.*Logging:RuntimeWarning")
def test_spans_metrics_and_the_ledger_agree(telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens and prices, by model; calls, failures, requests, hits and what they saved; and how streams ended."""
    monkeypatch.setattr(litellm, "num_retries", None)  # LiteLLM sets it for good
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    monkeypatch.setattr(litellm, "cache", litellm.Cache(namespace=str(uuid4()), mode=CacheMode.default_off))
    made = plans(seed=7)
    with PlannedProvider(made) as provider:
        run = Run(provider)
        run.make(made)
        ledger = provider.ledger
    gc.collect()
    ended = [span for span in telemetry.spans() if span.kind is SpanKind.CLIENT]
    spans = [attributes_of(span) for span in ended]
    points, totals = telemetry.measured()

    truth = of_ledger(ledger, provider)
    assert len(truth) == 3 * 3 + 2
    for sums in (of_spans(spans), of_metrics(points)):
        assert sums == {key: pytest.approx(value, rel=1e-12 if key[1] == "cost" else 0) for key, value in truth.items()}

    counted: Counter[str] = Counter()
    for point in points:
        counted[point.name] += point.count
        if "error.type" in point.attributes:
            counted["failures"] += point.count
    for total in totals:
        counted[total.name.removeprefix("litellm.client.")] += int(total.value)
    assert len(spans) == counted["gen_ai.client.operation.duration"] == run.calls
    failed = [span for span in ended if span.status.status_code is StatusCode.ERROR]
    fail = [plan for plan in made if plan.kind.fails[-1:] == (0,) or plan.kind.cut_after is not None]
    assert len(failed) == counted["failures"] == len(fail)
    assert counted["attempts"] == sum(len(span.events) for span in ended) == len(ledger)
    assert counted["active_streams"] == 0

    values = {value for each in (*points, *totals) for value in each.attributes.values()}
    assert len(values) < 40  # operations, models, errors and the like, and no plan's
    assert not any("plan" in str(value) for value in values)

    requests = Counter(provider.plan_of(exchange.body).prompt for exchange in ledger)
    hits = [plan for plan in made if plan.kind.hits and requests[plan.prompt] == 1]
    assert len(hits) > CALLS / 50
    assert sum(attributes.get("llm.cache.hit") is True for attributes in spans) == counted["cache.hits"] == len(hits)
    assert counted["cache.saved_tokens"] == sum(sum(plan.tokens) for plan in hits)
    saved = sum(sum(litellm.cost_per_token(plan.model, *plan.tokens)) for plan in hits)
    assert sum(t.value for t in totals if t.name == "litellm.client.cache.saved_cost") == pytest.approx(saved, rel=1e-9)

    outcomes = Counter(attributes.get("llm.response.stream_outcome") for attributes in spans)
    del outcomes[None]
    assert outcomes == Counter(
        outcome_of(plan, asynchronous=number >= CALLS // 2)
        for number, plan in enumerate(made)
        if plan.kind.streams and not plan.kind.fails
    )
