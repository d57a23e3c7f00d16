"""Several calls at once, in threads of LiteLLM's: a span for all, and beneath it one for each."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import litellm
import pytest
from litellm.batch_completion import main
from opentelemetry.context import Context, get_current
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import MESSAGES
from support.attempts import attempts_of, expected_attempts, without_duration
from support.instrumented import Reinstrument
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script

MODELS = ["openai/gpt-4o", "openai/gpt-4.1"]
Batch = Callable[..., Any]
BATCHES: dict[str, tuple[Batch, dict[str, object], str, Attributes]] = {
    "batch_completion": (
        litellm.batch_completion,
        {"model": "openai/gpt-4o", "messages": [MESSAGES, MESSAGES]},
        "batch_completion gpt-4o",
        {
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "llm.request.model": "openai/gpt-4o",
            "llm.request.inputs_count": 2,
            "llm.provider": "openai",
            "litellm.provider": "openai",
        },
    ),
    "batch_completion_models": (
        litellm.batch_completion_models,
        {"models": MODELS, "messages": MESSAGES},
        "batch_completion_models",
        {"llm.request.inputs_count": 1},
    ),
    "batch_completion_models_all_responses": (
        litellm.batch_completion_models_all_responses,
        {"models": MODELS, "messages": MESSAGES},
        "batch_completion_models_all_responses",
        {"llm.request.inputs_count": 1},
    ),
}
FIRST = "batch_completion_models"
"""It ends when the first of its calls does: what the other costs may not be known by then."""


def cost_of(calls: Sequence[ReadableSpan]) -> float:
    return sum(cast("float", attributes_of(call)["agentops.cost.total"]) for call in calls)


def batch_and_calls(spans: Sequence[ReadableSpan]) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """The one batch, and the calls, all of which are beneath it."""
    (batch,) = (span for span in spans if span.kind is SpanKind.INTERNAL and span.name.startswith("batch"))
    calls = [span for span in spans if span.kind is SpanKind.CLIENT]
    assert batch.context is not None
    for call in calls:
        assert call.parent is not None
        assert call.parent.span_id == batch.context.span_id
        assert call.start_time is not None
        assert batch.start_time is not None
        assert batch.start_time <= call.start_time
    return batch, calls


def connection(provider: OpenAIProvider) -> dict[str, object]:
    return {"api_base": provider.base_url, "api_key": "sk-test", "max_retries": 0}


def contents(result: Any) -> list[str]:  # noqa: ANN401 - one answer or several
    answers = result if isinstance(result, list) else [result]
    return [answer.choices[0].message.content for answer in answers]


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside the app's span"])
@pytest.mark.parametrize("kind", BATCHES)
def test_a_batch_is_described_in_full(
    provider: OpenAIProvider, telemetry: Recorder, kind: str, *, inside: bool
) -> None:
    """What was asked for at once, and each call beneath it; tokens and prices are those of the calls."""
    batch_function, asked, name, attributes = BATCHES[kind]
    before = get_current()
    if inside:
        with telemetry.tracer_provider.get_tracer("app").start_as_current_span("app"):
            result = batch_function(**asked, **connection(provider))
    else:
        result = batch_function(**asked, **connection(provider))
    assert get_current() is before
    assert set(contents(result)) == {"Hello, world!"}
    ledger = provider.ledger
    spans = telemetry.spans()
    batch, calls = batch_and_calls(spans)
    assert batch.name == name
    told = attributes_of(batch)
    spent = told.pop("agentops.trace.cost", None)
    assert spent == (None if inside else pytest.approx(cost_of(calls), rel=0, abs=1e-12)) or kind == FIRST
    assert told == {
        "llm.vendor": "litellm",
        "server.address": provider.address,
        "server.port": provider.port,
        **attributes,
    }
    assert batch.events == ()
    assert batch.status.status_code is StatusCode.UNSET
    app = [span for span in spans if span.name == "app"]
    assert len(spans) == 3 + len(app)
    if inside:
        assert batch.parent is not None
        assert app[0].context is not None
        assert batch.parent.span_id == app[0].context.span_id
    else:
        assert batch.parent is None
    asked_of = sorted(str(attributes_of(call)["gen_ai.request.model"]) for call in calls)
    assert asked_of == sorted(str(exchange.body["model"]) for exchange in ledger)
    assert {attributes_of(call)["gen_ai.response.id"] for call in calls} == {
        exchange.response_id for exchange in ledger
    }
    for call in calls:
        (exchange,) = (each for each in ledger if each.response_id == attributes_of(call)["gen_ai.response.id"])
        assert without_duration(attempts_of(call)) == expected_attempts([exchange])
    points = telemetry.points()
    assert sum(point.count for point in points if point.name == "gen_ai.client.operation.duration") == 2
    assert sum(point.sum for point in points if point.name == "gen_ai.client.token.usage") == 2 * (11 + 7)


@pytest.mark.parametrize("kind", BATCHES)
def test_the_result_is_what_it_is_without_us(
    provider: OpenAIProvider, instrumented_with: Reinstrument, kind: str
) -> None:
    """Answers, failures and their order."""
    function, asked, _, _ = BATCHES[kind]

    def outcome() -> list[tuple[str, str]]:
        provider.reset()
        provider.script(Script(status=404))
        try:
            result = getattr(litellm, kind)(**asked, **connection(provider))
        except Exception as error:  # noqa: BLE001 - whatever it is
            result = [error]
        assert isinstance(result, list)
        return [(type(each).__name__, str(each)) for each in result]

    assert function is not None
    traced = outcome()
    with instrumented_with(Recorder()), suppress_instrumentation():
        assert outcome() == traced


def test_a_call_that_fails_is_a_result(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """One of two fails: the app finds its exception in the list, and the batch went well."""
    provider.scripts([Script(status=500)])
    function, asked, _, _ = BATCHES["batch_completion"]
    results = function(**asked, **connection(provider))
    assert sorted(type(result).__name__ for result in results) == ["InternalServerError", "ModelResponse"]
    batch, calls = batch_and_calls(telemetry.spans())
    assert sorted(str(attributes_of(call).get("error.type")) for call in calls) == ["InternalServerError", "None"]
    assert batch.status.status_code is StatusCode.UNSET
    assert len(telemetry.logs()) == 1


def test_all_that_fail(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The first of several models raises, and so does the batch."""
    provider.script(Script(status=500))
    with pytest.raises(litellm.InternalServerError):
        litellm.batch_completion_models(models=MODELS, messages=MESSAGES, **connection(provider))
    batch, calls = batch_and_calls(telemetry.spans())
    assert len(calls) == 2
    assert attributes_of(batch)["error.type"] == "InternalServerError"
    assert len(telemetry.logs()) == 2


def test_streams_of_a_batch(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The app reads them when the batch is over; they remain beneath it."""
    function, asked, _, _ = BATCHES["batch_completion"]
    before = get_current()
    streams = function(**asked, **connection(provider), stream=True)
    assert [isinstance(stream, litellm.CustomStreamWrapper) for stream in streams] == [True, True]
    for stream in streams:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Hello, world!"
        assert get_current() is before
    _, calls = batch_and_calls(telemetry.spans())
    assert [attributes_of(call)["llm.response.stream_outcome"] for call in calls] == ["completed", "completed"]


@pytest.mark.parametrize("kind", BATCHES)
def test_no_context_is_left_in_a_pool(provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """After a function of the batch, the thread has its own context again. Otherwise, a pool that is used longer than
    the batch would make further calls in the context of the batch.
    """
    left: list[Context] = []
    submit = inspect.unwrap(ThreadPoolExecutor.submit)  # without the context of the caller

    class Pool(ThreadPoolExecutor):
        def submit(self, function: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
            def observed(*args: object, **kwargs: object) -> object:
                try:
                    return function(*args, **kwargs)
                finally:
                    left.append(get_current())

            future: Future[Any] = submit(self, observed, *args, **kwargs)
            return future

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor", Pool)
    monkeypatch.setattr(main, "ThreadPoolExecutor", Pool)
    function, asked, _, _ = BATCHES[kind]
    function(**asked, **connection(provider))
    assert left == [Context(), Context()]


def test_a_group_of_deployments_is_one_call(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM serves a `model_list` with a batch of its own: to the app it is one call with one answer, and all that
    were asked have counted.
    """
    models = [{"model_name": "fast", "litellm_params": {"model": model, **connection(provider)}} for model in MODELS]
    answer = litellm.completion(model="fast", messages=MESSAGES, model_list=models)
    assert contents(answer) == ["Hello, world!"]
    assert len(provider.ledger) == 2
    (span,) = telemetry.spans()
    assert span.name == f"chat {attributes_of(span)['gen_ai.request.model']}"  # the one that answered last
    assert attributes_of(span)["gen_ai.response.id"] == answer.id
    points = telemetry.points()
    assert sum(point.count for point in points if point.name == "gen_ai.client.operation.duration") == 1
    assert sum(point.sum for point in points if point.name == "gen_ai.client.token.usage") == 2 * (11 + 7)


def test_a_suppressed_batch_is_not_seen(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Nor are its calls, in whichever thread."""
    function, asked, _, _ = BATCHES["batch_completion"]
    with suppress_instrumentation():
        function(**asked, **connection(provider))
    assert len(provider.ledger) == 2
    assert (telemetry.spans(), telemetry.points()) == ([], [])
    assert threading.current_thread() is threading.main_thread()
