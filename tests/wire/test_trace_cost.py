"""What a trace costs: the sum of its calls, on the first span of it, where that is ours."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from typing import Any, cast

import litellm
import pytest
from litellm import Router
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from agentops_otel_litellm.trace_cost import TraceCost
from support.apps import MESSAGES, App, AsyncApp, SyncApp
from support.recorder import Recorder, attributes_of
from support.routers import FAILURE, router
from support.servers.openai_provider import OpenAIProvider, Script

pytestmark = pytest.mark.usefixtures("restored_callbacks")  # a Router registers itself with LiteLLM

USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
NAME = "agentops.trace.cost"


async def ask(app: App, of: Router, **parameters: object) -> None:
    """Ask the Router's first group; read what it streams."""
    asked: dict[str, Any] = {"model": "fast", "messages": MESSAGES, **parameters}
    given: Any = of.completion(**asked) if isinstance(app, SyncApp) else await of.acompletion(**asked)
    if parameters.get("stream"):
        await app.rest(given)


def spent(spans: Sequence[ReadableSpan]) -> float:
    """What the calls cost, each by itself."""
    costs = (attributes_of(span).get("agentops.cost.total") for span in spans if span.kind is SpanKind.CLIENT)
    return math.fsum(cast("float", cost) for cost in costs if cost is not None)


def sums(spans: Sequence[ReadableSpan]) -> dict[str, object]:
    """The sums that are told, by the name of the span."""
    return {span.name: attributes_of(span)[NAME] for span in spans if NAME in attributes_of(span)}


@pytest.mark.parametrize("parameters", [{}, USAGE], ids=["plain", "streamed"])
def test_a_route_has_the_sum_of_its_calls(
    app: App, provider: OpenAIProvider, telemetry: Recorder, parameters: dict[str, Any]
) -> None:
    """A failed attempt costs nothing; what was fallen back to does, once the stream of it has ended, too."""
    provider.scripts([FAILURE])
    app.run(ask(app, router(provider, fallbacks=[{"fast": ["slow"]}]), **parameters))
    spans = telemetry.spans()
    assert [span.kind for span in spans].count(SpanKind.CLIENT) == 2
    assert sums(spans) == {"route fast": pytest.approx(spent(spans), rel=0, abs=1e-12)}
    assert spent(spans) > 0


def test_calls_in_threads_are_added(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Each of a batch's, once."""
    connection = SyncApp(provider).connection
    litellm.batch_completion(model="openai/gpt-4o", messages=[MESSAGES] * 20, **cast("Any", connection))
    spans = telemetry.spans()
    assert len(provider.ledger) == len(spans) - 1 == 20
    assert sums(spans) == {"batch_completion gpt-4o": pytest.approx(spent(spans), rel=0, abs=1e-12)}
    each = attributes_of(spans[0])["agentops.cost.total"]
    assert spent(spans) == pytest.approx(20 * cast("float", each), rel=0, abs=1e-12)


def test_calls_within_a_call_are_added_to_it(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Of a handler of the app's that calls LiteLLM, and asks for what it is itself called for."""
    app = SyncApp(provider)

    class Handler(litellm.CustomLLM):
        def completion(self, *_args: Any, **_kwargs: Any) -> litellm.ModelResponse:  # noqa: ANN401 - LiteLLM's
            app.ask("embedding")
            return app.ask()

    litellm.custom_provider_map = [{"provider": "ours", "custom_handler": Handler()}]
    litellm.utils.custom_llm_setup()
    try:
        litellm.completion("ours/mine", MESSAGES, input_cost_per_token=0.25, output_cost_per_token=0.5)
    finally:
        litellm.custom_provider_map = []
    spans = telemetry.spans()
    assert [span.name for span in spans] == ["embeddings text-embedding-3-small", "chat gpt-4o", "chat mine"]
    assert sums(spans) == {"chat mine": pytest.approx(spent(spans), rel=0, abs=1e-12)}


def test_a_call_by_itself_has_no_sum(app: App, telemetry: Recorder) -> None:
    """It says what it costs."""
    app.ask()
    assert sums(telemetry.spans()) == {}


def test_beneath_a_span_of_the_apps(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The first span of the trace is not ours: nothing is added up, for nobody knows when it ends."""
    before = still_kept()
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("app"):
        app.run(ask(app, router(provider)))
    assert sums(telemetry.spans()) == {}
    assert still_kept() <= before


def test_beneath_a_span_of_another_process(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The sum is of this process."""
    remote = SpanContext(trace_id=1, span_id=2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    with trace.use_span(NonRecordingSpan(remote)):
        app.run(ask(app, router(provider)))
    spans = telemetry.spans()
    assert {span.context.trace_id for span in spans if span.context} == {1}
    assert sums(spans) == {"route fast": spent(spans)}


@pytest.mark.parametrize(
    ("first", "parameters"),
    [(Script(), {"model": "unknown"}), (Script(), {"stream": True})],
    ids=["a model without a price", "a stream that was not counted"],
)
def test_a_sum_that_is_not_known(
    app: App, provider: OpenAIProvider, telemetry: Recorder, first: Script, parameters: dict[str, Any]
) -> None:
    """What one of the calls cost is not known, and so neither is what all did."""
    provider.script(first)
    deployments = [
        {"model_name": name, "litellm_params": {"model": model, "api_base": provider.base_url, "api_key": "sk-test"}}
        for name, model in (("fast", "openai/gpt-4o"), ("unknown", "openai/nobody-knows"))
    ]
    app.run(ask(app, Router(model_list=cast("Any", deployments), num_retries=0), **parameters))
    spans = telemetry.spans()
    assert len(spans) == 2
    assert sums(spans) == {}


def test_a_call_that_outlasts_the_first(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """It may cost anything."""
    app = SyncApp(provider)
    kept: list[Any] = []

    class Handler(litellm.CustomLLM):
        def completion(self, *_args: Any, **_kwargs: Any) -> litellm.ModelResponse:  # noqa: ANN401 - LiteLLM's
            kept.append(app.run(app.stream(stream_options={"include_usage": True})))
            return app.ask()

    litellm.custom_provider_map = [{"provider": "ours", "custom_handler": Handler()}]
    litellm.utils.custom_llm_setup()
    try:
        litellm.completion("ours/mine", MESSAGES)
    finally:
        litellm.custom_provider_map = []
    list(kept.pop())
    spans = telemetry.spans()
    assert [span.name for span in spans] == ["chat gpt-4o", "chat mine", "chat gpt-4o"]
    assert spent(spans) > 0
    assert sums(spans) == {}


def test_a_trace_that_begins_within_another(telemetry: Recorder) -> None:
    """Is another trace, of which the sum is no part."""
    outer = telemetry.tracer_provider.get_tracer("app").start_span("outer", Context())
    first, second = (TraceCost(outer) for _ in range(2))
    apart = telemetry.tracer_provider.get_tracer("app").start_span("apart", Context())
    assert not first.add_call(apart)
    assert second.add_call(telemetry.tracer_provider.get_tracer("app").start_span("in", set_span_in_context(outer)))


def still_kept() -> int:
    gc.collect()
    return sum(isinstance(each, TraceCost) for each in gc.get_objects())


def test_nothing_is_kept_of_a_trace_that_is_over(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """However many traces there were, their sums are gone with their calls."""
    app = AsyncApp(provider)
    of = router(provider)

    async def scenario() -> None:
        for _ in range(20):
            await ask(app, of)

    before = still_kept()
    app.run(scenario())
    assert len(sums(telemetry.spans())) == 1
    assert len([span for span in telemetry.spans() if NAME in attributes_of(span)]) == 20
    assert still_kept() <= before + 1
