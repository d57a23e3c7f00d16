"""The instrumentor: early or late, once, and undone; and what the app finds in its place."""

from __future__ import annotations

import asyncio
import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from weakref import ref

import litellm
import litellm.main
import pytest
from opentelemetry import context, trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from agentops_otel_litellm import LiteLLMInstrumentor, operations, semconv, version
from agentops_otel_litellm.call import Usage
from agentops_otel_litellm.patching import wrapping
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.semconv import instruments as metrics
from agentops_otel_litellm.semconv.convention import Table, Vocabulary
from support.conformance import Emitted
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script

MESSAGES = [{"role": "user", "content": "canary-prompt"}]


def chat(provider: OpenAIProvider, **parameters: object) -> dict[str, object]:
    connection = {"api_base": provider.base_url, "api_key": "sk-canary", "max_retries": 0}
    return {"model": "openai/gpt-4o", "messages": MESSAGES, **connection, **parameters}


def test_late_instrument_and_uninstrument(provider: OpenAIProvider, instrumented_with: Reinstrument) -> None:
    """After `import litellm` every name of a function is traced, and untraced again when asked."""
    app = ModuleType("an_app_of_the_test")
    app.completion = litellm.main.completion  # type: ignore[attr-defined]
    sys.modules[app.__name__] = app
    try:
        with instrumented_with(Recorder()) as recorder:
            app.completion(**chat(provider))
            litellm.completion(**chat(provider))
            assert [span.name for span in recorder.spans()] == ["chat gpt-4o"] * 2
            traced = litellm.main.completion
            original = wrapping._originals[traced]
            LiteLLMInstrumentor().uninstrument()
            assert litellm.main.completion is original
            assert app.completion is original
            app.completion(**chat(provider))
            traced(**chat(provider))
            assert len(recorder.spans()) == 2
            LiteLLMInstrumentor().instrument()
    finally:
        del sys.modules[app.__name__]


def test_instrumenting_twice_does_nothing_twice(
    provider: OpenAIProvider, telemetry: Recorder, logged: LoggedWarnings
) -> None:
    """The second time is told of by OpenTelemetry and changes nothing."""
    before = litellm.main.completion
    LiteLLMInstrumentor().instrument()
    assert litellm.main.completion is before
    litellm.completion(**chat(provider))
    assert len(telemetry.spans()) == 1
    assert logged.take() == ["Attempting to instrument while already instrumented"]


def test_parents_and_context(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Calls are children of the app's span in sync code, tasks and threads that carry context, which is restored."""
    tracer = telemetry.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("app") as parent:
        before = context.get_current()
        litellm.completion(**chat(provider))
        assert context.get_current() is before
        for _ in litellm.completion(**chat(provider, stream=True)):
            assert context.get_current() is before
        provider.scripts([Script(status=500)])
        with pytest.raises(litellm.InternalServerError):
            litellm.completion(**chat(provider))
        assert context.get_current() is before

        async def together() -> None:
            await asyncio.gather(*(litellm.acompletion(**chat(provider)) for _ in range(2)))

        asyncio.run(together())

        def carried() -> None:
            token = context.attach(before)
            litellm.completion(**chat(provider))
            context.detach(token)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(carried).result()
    *calls, app = telemetry.spans()
    assert [span.parent and span.parent.span_id for span in calls] == [parent.get_span_context().span_id] * 6
    assert attributes_of(app) == {}


def test_suppression_is_honoured(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Inside `suppress_instrumentation()` nothing is seen."""
    with suppress_instrumentation():
        litellm.completion(**chat(provider))
    assert telemetry.spans() == []
    assert telemetry.points() == []


def test_unsampled_calls_read_no_request(
    provider: OpenAIProvider, instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a call that is not sampled only the metrics remain."""
    monkeypatch.setattr(Vocabulary, "attributes", lambda *_: {})
    with instrumented_with(Recorder(sampler=ALWAYS_OFF)) as recorder:
        litellm.completion(**chat(provider))
        assert recorder.spans() == []
        assert recorder.points("gen_ai.client.operation.duration")[0].count == 1


def test_a_provider_of_the_apps_that_calls_litellm_has_a_child(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """A call made inside a custom provider is a call of its own, beneath the one it serves."""

    class Handler(litellm.CustomLLM):
        def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            answer: litellm.ModelResponse = litellm.completion(**chat(provider))
            return answer

    litellm.custom_provider_map = [{"provider": "mine", "custom_handler": Handler()}]
    litellm.completion(model="mine/model", messages=MESSAGES)
    inner, outer = telemetry.spans()
    assert (inner.name, outer.name) == ("chat gpt-4o", "chat model")
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id


def test_retries_are_one_call(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Three attempts, one span."""
    provider.scripts([Script(status=500), Script(status=500)])
    litellm.completion(**chat(provider, num_retries=2))
    assert len(provider.ledger) == 3
    assert telemetry.span().status.status_code is trace.StatusCode.UNSET


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_secret_is_told(
    stream: bool,  # noqa: FBT001 - a parameter of the test
    provider: OpenAIProvider,
    telemetry: Recorder,
) -> None:
    """Canaries in prompts, answers, keys, headers, metadata and echoing errors are in no signal."""
    secrets = chat(
        provider,
        extra_headers={"x-secret": "canary-header"},
        metadata={"note": "canary-metadata"},
        tools=[{"type": "function", "function": {"name": "f", "description": "canary", "parameters": {}}}],
        fallbacks=[{"model": "openai/gpt-4o", "api_key": "canary-fallback"}] if not stream else None,
        stream=stream,
    )
    provider.script(Script(content=("canary-answer",), tool_calls=(("1", "f", ('{"a": "canary"}',)),)))
    answer = litellm.completion(**secrets)
    if stream:
        list(answer)
    provider.script(Script(status=401, error_message="Incorrect API key provided: {authorization} {prompt}"))
    with pytest.raises(litellm.AuthenticationError, match="canary-prompt"):
        litellm.completion(**chat(provider, stream=stream))
    assert len(telemetry.logs()) == 1
    assert "canary" not in telemetry.everything()


def test_the_change_test(
    provider: OpenAIProvider, instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch, emitted: Emitted
) -> None:
    """A new operation of a known shape, a new attribute and a new metric each take one row."""
    operation = operations.Operation(name="understood", functions=("rerank",), api_format="chat")
    attribute = Table(Usage, {"test.tokens": "total"})
    metric = metrics.Metric(
        name="test.total",
        unit="{token}",
        description="",
        buckets=(1.0,),
        measure=lambda call: (metrics.Measurement(call.usage.total or 0),) if call.usage else (),
    )
    extended = Vocabulary(*semconv.VOCABULARIES["llm"].tables, attribute)
    monkeypatch.setattr(operations, "OPERATIONS", (operation, *operations.OPERATIONS))
    monkeypatch.setitem(semconv.VOCABULARIES, "llm", extended)
    monkeypatch.setattr(metrics, "METRICS", (*metrics.METRICS, metric))
    with instrumented_with(Recorder()) as recorder:
        litellm.completion(**chat(provider))
        with pytest.raises(Exception, match="Unknown URL"):
            litellm.rerank("cohere/rerank", "q", ["d"], api_base=provider.base_url, api_key="x")
        chat_span, rerank_span = recorder.spans()
        assert attributes_of(chat_span)["test.tokens"] == 18
        assert rerank_span.name == "understood rerank"
        assert recorder.points("test.total")[0].sum == 18
    assert {finding.split(" has ")[0] for finding in emitted.take()} == {
        "Span 'chat gpt-4o'",
        "Span 'understood rerank'",
        "Point 'test.total' is neither the conventions' nor ours",
        "Point 'gen_ai.client.operation.duration'",
        "Point 'litellm.client.attempts'",
    }


def test_uninstrumenting_lets_go_of_everything(provider: OpenAIProvider, instrumented_with: Reinstrument) -> None:
    """However often LiteLLM is instrumented, on one meter: each call is counted, and nothing of before is kept."""
    recorder = Recorder()
    before: list[ref[object]] = []
    for _ in range(5):
        with instrumented_with(recorder):
            litellm.completion(**chat(provider))
            telemetry = TRACING.telemetry
            assert telemetry is not None
            before += [ref(telemetry), ref(telemetry._metrics), ref(telemetry._package_prices)]
            del telemetry
    (duration,) = recorder.points("gen_ai.client.operation.duration")
    assert duration.count == 5
    gc.collect()
    assert [each() for each in before if each() is not None] == []
    meter = recorder.meter_provider.get_meter("agentops_otel_litellm", version.__version__)
    gauges = [each for each in vars(meter)["_instrument_id_instrument"] if ".collection_" in each]
    assert len(gauges) == 1
