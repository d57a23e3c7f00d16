"""Parents, children and the current context, which a call restores."""

from __future__ import annotations

import asyncio
import gc
import weakref

import litellm
import pytest
from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.trace import Span

from support.apps import MESSAGES, App
from support.instrumented import traced_by
from support.log_handlers import ForwardingProvider
from support.recorder import Recorder, attributes_of


def test_the_span_of_a_call_is_current_inside_it(
    app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a custom provider, as for an HTTP client."""
    current_spans: list[Span] = []

    class CurrentSpanProvider(ForwardingProvider):
        def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            current_spans.append(trace.get_current_span())
            return litellm.ModelResponse()

        async def acompletion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            return self.completion()

    providers = [{"provider": "mine", "custom_handler": CurrentSpanProvider({})}]
    monkeypatch.setattr(litellm, "custom_provider_map", providers)
    app.run(app.invoke("completion", model="mine/model", messages=MESSAGES))
    (current,), (span,) = current_spans, telemetry.spans()
    assert span.context == current.get_span_context()


def test_a_call_of_a_closed_event_loop_is_cancelled(telemetry: Recorder) -> None:
    """The garbage collector ends such a call in another context, which is unchanged, and nothing is logged."""

    async def promise(**_kwargs: object) -> None:
        await asyncio.sleep(3600)

    loop = asyncio.new_event_loop()
    task = loop.create_task(traced_by(telemetry, promise)())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own warning
    before = get_current()
    del task
    gc.collect()
    assert get_current() == before
    assert telemetry.span().attributes is not None
    assert attributes_of(telemetry.span())["llm.error.category"] == "cancelled"


@pytest.mark.parametrize("result", [None, iter(())], ids=["plain", "streamed"])
def test_a_finished_call_releases_its_parameters(telemetry: Recorder, result: object) -> None:
    """Without the garbage collector, since prompts may be large."""

    class Prompt:
        """An object that supports weak references."""

    prompt = Prompt()
    watched = weakref.ref(prompt)
    gc.disable()
    try:
        stream = traced_by(telemetry, lambda **_: result)(prompt=prompt)
        if stream is not None:
            assert list(stream) == []
        del prompt
        assert watched() is None
    finally:
        gc.enable()
