"""The metrics: what each call adds to them, and to which series."""

from __future__ import annotations

from collections import Counter
from typing import Any

import litellm
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from agentops_otel_litellm.background import OPEN_STREAMS
from agentops_otel_litellm.metrics import Metrics
from agentops_otel_litellm.semconv import instruments as rows
from agentops_otel_litellm.settings import wants_newest_conventions
from support.apps import MESSAGES, App
from support.conventions import METRICS
from support.instrumented import Reinstrument
from support.metric_names import CHAT, DURATION, NEWEST_CONVENTIONS, TOKENS
from support.recorder import Attributes, Recorder
from support.servers.openai_provider import OpenAIProvider, Script


@pytest.mark.parametrize(
    ("variable", "newest"),
    [
        ("", False),
        ("http", False),
        ("gen_ai_latest_experimental", True),
        ("http/dup, gen_ai_latest_experimental", True),
        ("gen_ai_latest_experimental_2", False),
    ],
)
def test_one_set_of_names_at_a_time(
    provider: OpenAIProvider,
    instrumented_with: Reinstrument,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    *,
    newest: bool,
) -> None:
    """OpenTelemetry's switch chooses; the names of spans are the same in both."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", variable)
    assert wants_newest_conventions() is newest
    with instrumented_with(Recorder()) as recorder:
        connection: dict[str, Any] = {"api_base": provider.base_url, "api_key": "sk-test"}
        list(litellm.completion("openai/gpt-4o", MESSAGES, stream=True, **connection))
        litellm.embedding("openai/text-embedding-3-small", ["one"], **connection)
        points, totals = recorder.measured()
        assert {"gen_ai.response.time_to_first_chunk", "gen_ai.usage.input_tokens"} <= {
            name for span in recorder.spans() for name in span.attributes or {}
        }
    names = {each.name for each in (*points, *totals)}
    known = (NEWEST_CONVENTIONS if newest else METRICS).keys() | {row.name for row in rows.OURS}
    assert names <= known
    assert len([name for name in names if name.endswith("time_per_output_chunk")]) == 1
    durations = Counter(
        {
            (point.name, point.attributes["gen_ai.operation.name"]): point.count
            for point in points
            if "dur" in point.name
        }
    )
    inference = "gen_ai.client.inference.duration" if newest else DURATION
    assert durations == {(inference, "chat"): 1, (DURATION, "embeddings"): 1}


def test_attempts_of_calls_that_are_not_sampled(
    app: App, provider: OpenAIProvider, instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted, and so are tokens and cost."""
    monkeypatch.setattr(litellm, "num_retries", None)  # LiteLLM sets it for good
    with instrumented_with(Recorder(sampler=ALWAYS_OFF)) as recorder:
        answers = []
        for fails, asked in ((1, {"fallbacks": ["openai/gpt-4o-mini"]}), (2, {"num_retries": 2})):
            provider.scripts([Script(status=500)] * fails)
            answers.append(app.ask("completion", **asked))
        points, totals = recorder.measured()
        assert recorder.spans() == []
    sums: Counter[str] = Counter()
    for total in totals:
        sums[total.name.removeprefix("litellm.client.")] += int(total.value)
    assert +sums == {"attempts": len(provider.ledger), "retries": 2, "fallbacks": 1}
    prices = [answer._hidden_params["response_cost"] for answer in answers]
    assert sorted(point.sum for point in points if point.name == "gen_ai.client.operation.cost") == sorted(prices)
    assert sum(point.sum for point in points if point.name == TOKENS) == 2 * 18


OPEN = "litellm.client.active_streams"


def open_streams(recorder: Recorder) -> dict[object, float]:
    """How many, by the model that was asked for, where there are any."""
    totals = [total for total in recorder.measured()[1] if total.name == OPEN and total.value]
    return {total.attributes["gen_ai.request.model"]: total.value for total in totals}


def test_open_streams_are_counted(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """As long as the app may read on, with the dimensions that are known, and whatever way they end."""
    others: Attributes = {
        **CHAT,
        "gen_ai.provider.name": "openai",
        "server.address": provider.address,
        "server.port": provider.port,
    }

    async def scenario() -> list[dict[object, float]]:
        seen = [open_streams(telemetry)]
        first = await app.stream()
        second, third = await app.stream(), await app.stream(model="openai/gpt-4o-mini")
        totals = [total for total in telemetry.measured()[1] if total.name == OPEN and total.value]
        assert all(total.attributes.items() >= others.items() for total in totals)
        seen.append({total.attributes["gen_ai.request.model"]: total.value for total in totals})
        await app.rest(first)
        seen.append(open_streams(telemetry))
        await app.rest(third)
        del second, third
        telemetry.spans()  # waits until what was forgotten has ended
        seen.append(open_streams(telemetry))
        return seen

    seen = app.run(scenario())
    assert seen == [{}, {"gpt-4o": 2, "gpt-4o-mini": 1}, {"gpt-4o": 1, "gpt-4o-mini": 1}, {}]
    zeros = [total.value for total in telemetry.measured()[1] if total.name == OPEN]
    assert zeros
    assert not any(zeros)


def test_another_instrument_observes_the_same_streams(app: App, telemetry: Recorder) -> None:
    """They are not counted once more after `instrument()` came again, on the same meter."""
    meter = telemetry.meter_provider.get_meter("agentops_otel_litellm")

    async def scenario() -> dict[object, float]:
        opened = await app.stream()
        Metrics(meter, open_streams=OPEN_STREAMS.calls)
        counted = open_streams(telemetry)
        await app.rest(opened)
        return counted

    assert app.run(scenario()) == {"gpt-4o": 1}
