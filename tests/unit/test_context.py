"""Parents, children and the current context: a call is where the app made it, and leaves no trace there."""

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


def test_the_current_span_inside_a_call_is_the_calls(
    app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What LiteLLM runs for a call (an HTTP client, a custom provider) finds the call's span as the current one."""
    seen: list[Span] = []

    class Looks(ForwardingProvider):
        def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            seen.append(trace.get_current_span())
            return litellm.ModelResponse()

        async def acompletion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            return self.completion()

    providers = [{"provider": "mine", "custom_handler": Looks({})}]
    monkeypatch.setattr(litellm, "custom_provider_map", providers)
    app.run(app.invoke("completion", model="mine/model", messages=MESSAGES))
    (current,), (span,) = seen, telemetry.spans()
    assert span.context == current.get_span_context()


def test_a_loop_closed_over_a_pending_call(telemetry: Recorder) -> None:
    """The garbage collector ends such a call in a foreign context, which it leaves as it is, without a word."""

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
def test_a_finished_call_lets_go_of_what_the_app_passed(telemetry: Recorder, result: object) -> None:
    """Prompts may be large: they do not wait for the garbage collector."""

    class Prompt:
        """Something that can be watched."""

    prompt = Prompt()
    watched = weakref.ref(prompt)
    gc.disable()
    try:
        answer = traced_by(telemetry, lambda **_: result)(prompt=prompt)
        if answer is not None:
            assert list(answer) == []
        del prompt
        assert watched() is None
    finally:
        gc.enable()
