"""Parents, children and the current context: a call is where the app made it, and leaves no trace there."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import litellm
import pytest
from opentelemetry import trace
from opentelemetry.context import attach, detach, get_current, set_value
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span, SpanKind

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Request
from support import releases
from support.apps import MESSAGES, App, AsyncApp, SyncApp
from support.instrumented import Reinstrument
from support.log_handlers import ForwardingProvider
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script


def parents(spans: list[ReadableSpan]) -> list[int | None]:
    return [span.parent.span_id if span.parent else None for span in spans]


@contextmanager
def span_of_the_apps(telemetry: Recorder) -> Iterator[Span]:
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("app") as span:
        yield span


def id_of(span: Span) -> int:
    return span.get_span_context().span_id


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_a_call_is_a_child_of_the_current_span(app: App, telemetry: Recorder, operation: str) -> None:
    """A call made inside the app's span is its child, and the app's span is not touched."""

    async def scenario() -> int:
        with span_of_the_apps(telemetry) as span:
            await app.call(operation)
            return id_of(span)

    parent = app.run(scenario())
    call, outer = telemetry.spans()
    assert parents([call, outer]) == [parent, None]
    assert (attributes_of(outer), outer.events, outer.status.status_code) == ({}, (), trace.StatusCode.UNSET)
    assert (outer.name, outer.kind) == ("app", SpanKind.INTERNAL)


def test_calls_of_tasks_have_their_tasks_parents(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Calls that run at the same time under different spans do not take each other's."""
    app = AsyncApp(provider)
    provider.script(Script(first_delay=0.05, delay=0.005))

    async def ask(stream: bool) -> int:  # noqa: FBT001 - one of two
        with span_of_the_apps(telemetry) as span:
            await asyncio.sleep(0)
            if stream:
                await app.rest(await app.stream())
            else:
                await app.call()
            return id_of(span)

    async def scenario() -> list[int]:
        return await asyncio.gather(*(ask(stream=number % 2 == 0) for number in range(6)))

    ids = app.run(scenario())
    calls = [span for span in telemetry.spans() if span.kind is SpanKind.CLIENT]
    assert sorted(filter(None, parents(calls))) == sorted(ids)


def test_the_calls_of_an_executor_are_children_of_the_submitters_span(
    provider: OpenAIProvider, telemetry: Recorder
) -> None:
    """Unless the application has chosen a context of its own."""
    app = SyncApp(provider)
    with ThreadPoolExecutor() as threads:
        threads.submit(app.ask, "completion").result()
        with span_of_the_apps(telemetry) as span:
            threads.submit(app.ask, "completion").result()
            list(threads.map(app.ask, ["completion"]))
            threads.submit(contextvars.copy_context().run, app.ask, "completion").result()
            threads.submit(contextvars.Context().run, app.ask, "completion").result()
        threads.submit(app.ask, "completion").result()
    calls = [span for span in telemetry.spans() if span.kind is SpanKind.CLIENT]
    assert parents(calls) == [None, *[id_of(span)] * 3, None, None]


@pytest.mark.usefixtures("telemetry")
def test_an_executor_returns_and_raises_the_same() -> None:
    def fails(text: str, *, context: str, function: int) -> None:
        raise KeyError(text, context, function)

    token = attach(set_value("mark", "a value"))
    try:
        with ThreadPoolExecutor() as threads:
            with pytest.raises(KeyError) as raised:
                threads.submit(fails, "a", context="b", function=1).result()
            assert raised.value.args == ("a", "b", 1)
            with pytest.raises(TypeError, match="'int' object is not callable"):
                threads.submit(cast("Any", 1)).result()
            with pytest.raises(TypeError, match="submit"):
                cast("Any", threads).submit()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            threads.submit(print)
    finally:
        detach(token)


@pytest.mark.parametrize("script", [Script(), Script(status=401)], ids=["well", "badly"])
@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_the_context_is_restored_after_a_call(
    app: App, provider: OpenAIProvider, script: Script, operation: str
) -> None:
    """The very context that was current before a call is current after it, also when it failed."""
    provider.script(script)

    async def scenario() -> None:
        token = attach(set_value("mark", "the app's"))
        before = get_current()
        try:
            await app.call(operation)
        except litellm.exceptions.openai.APIError:
            assert script.status != 200
        assert get_current() is before
        detach(token)

    before = get_current()
    app.run(scenario())
    assert get_current() is before


@pytest.mark.parametrize("script", [Script(), Script(cut_after=3)], ids=["whole", "cut"])
@pytest.mark.parametrize("operation", ["completion", "text_completion"])
def test_the_context_is_restored_after_every_chunk(
    app: App, provider: OpenAIProvider, script: Script, operation: str
) -> None:
    """Between chunks, at the end and after an error the app is outside the call's span."""
    provider.script(script)

    async def scenario() -> int:
        before, count = get_current(), 0
        stream = await app.stream(operation)
        assert get_current() is before
        try:
            while await app.next(stream) is not None:
                assert get_current() is before
                count += 1
        except litellm.exceptions.openai.APIError:
            assert script.cut_after
        assert get_current() is before
        return count

    assert app.run(scenario()) >= 2


def test_between_chunks_the_app_calls_as_itself(app: App, telemetry: Recorder) -> None:
    """A call made while a stream is open is no child of the stream's."""

    async def scenario() -> None:
        stream = await app.stream()
        await app.next(stream)
        await app.call()
        await app.rest(stream)

    app.run(scenario())
    assert parents(telemetry.spans()) == [None, None]


def test_a_stream_belongs_where_it_was_asked_for(app: App, telemetry: Recorder) -> None:
    """A stream read under another span, or under none, remains a child of the one it was opened under."""

    async def scenario() -> int:
        with span_of_the_apps(telemetry) as span:
            stream = await app.stream()
        with span_of_the_apps(telemetry):
            await app.rest(stream)
        return id_of(span)

    opened_under = app.run(scenario())
    assert telemetry.span().parent is not None
    assert parents([telemetry.span()]) == [opened_under]


def test_a_call_inside_a_call_is_its_child(app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A custom provider that itself calls LiteLLM makes a call of its own, beneath the one it serves."""
    providers = [{"provider": "mine", "custom_handler": ForwardingProvider(app.connection)}]
    monkeypatch.setattr(litellm, "custom_provider_map", providers)
    app.run(app.invoke("completion", model="mine/model", messages=MESSAGES))
    inner, outer = telemetry.spans()
    assert (inner.name, outer.name) == ("chat gpt-4o", "chat model")
    assert outer.context is not None
    assert parents([inner, outer]) == [outer.context.span_id, None]


def test_retries_are_one_call(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM's own retries make further requests, and no further span."""
    provider.scripts([Script(status=500), Script(status=500)])
    app.ask("completion", num_retries=2)
    assert [exchange.status for exchange in provider.ledger] == [500, 500, 200]
    (span,) = telemetry.spans()
    assert span.status.status_code is trace.StatusCode.UNSET
    assert attributes_of(span)["gen_ai.response.id"] == provider.ledger[-1].response_id


def test_fallbacks_are_one_call(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """So does a fallback to another model, whose name the span has in the end."""
    provider.scripts([Script(status=500)])
    app.ask("completion", fallbacks=["openai/gpt-4o-mini"])
    assert [exchange.body["model"] for exchange in provider.ledger] == ["gpt-4o", "gpt-4o-mini"]
    (span,) = telemetry.spans()
    assert span.name == "chat gpt-4o-mini"
    assert span.status.status_code is trace.StatusCode.UNSET
    attributes = attributes_of(span)
    assert attributes["llm.request.model"] == "openai/gpt-4o"
    assert attributes["gen_ai.response.id"] == provider.ledger[-1].response_id


@pytest.mark.parametrize("stream", [False, True])
def test_suppression_is_honoured(app: App, telemetry: Recorder, *, stream: bool) -> None:
    """Inside `suppress_instrumentation()` nothing is seen, and streams come bare."""

    async def scenario() -> None:
        with suppress_instrumentation():
            result: object = await app.call(stream=stream)
        if stream:
            assert type(result) is litellm.CustomStreamWrapper
            await app.rest(result)

    app.run(scenario())
    assert (telemetry.spans(), telemetry.points(), telemetry.logs()) == ([], [], [])


@pytest.mark.parametrize("stream", [False, True])
def test_of_an_unsampled_call_only_the_metrics_remain(
    app: App, instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """Its request is not even read, but what it took and used is counted."""
    read: list[object] = []

    def read_request(parameters: Mapping[str, object]) -> Request:
        read.append(parameters)
        return Request()

    shape = replace(readers.API_FORMATS["chat"], request=read_request)
    monkeypatch.setattr(readers, "API_FORMATS", {**readers.API_FORMATS, "chat": shape})
    with instrumented_with(Recorder(sampler=ALWAYS_OFF)) as recorder:
        if stream:
            app.read("completion", stream_options={"include_usage": True})
        else:
            app.ask("completion")
        assert (recorder.spans(), read) == ([], [])
        counts: Counter[str] = Counter()
        for point in recorder.points():
            counts[point.name] += point.count
    if stream and not releases.STREAMS_ARE_PRICED_AT_END:
        counts["gen_ai.client.operation.cost"] = 1  # by then a thread of LiteLLM's has priced it, or not
    assert counts == {
        "gen_ai.client.operation.duration": 1,
        "gen_ai.client.token.usage": 2,
        "gen_ai.client.operation.cost": 1,
        **({"gen_ai.client.operation.time_to_first_chunk": 1} if stream else {}),
        **(
            {"gen_ai.client.operation.time_per_output_chunk": 5 + releases.ROLE_ONLY_CHUNKS_ARE_PASSED_ON}
            if stream
            else {}
        ),
    }


def test_a_suppressed_call_inside_a_provider_leaves_the_outer_call_alone(
    provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What LiteLLM resolves for a call that is not to be seen is not taken for the call it was made in."""

    class ForwardingProvider(litellm.CustomLLM):
        def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            with suppress_instrumentation():
                SyncApp(provider).ask("completion")
            raise litellm.exceptions.APIError(500, "no", "mine", "model")

    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "mine", "custom_handler": ForwardingProvider()}])
    with pytest.raises(litellm.exceptions.APIError):
        litellm.completion(model="mine/model", messages=MESSAGES)
    attributes = telemetry.attributes()
    assert attributes["litellm.provider"] == "mine"
    assert attributes["gen_ai.request.model"] == "model"
    assert "server.port" not in attributes
