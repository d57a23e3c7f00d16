"""Several calls at once, in threads of LiteLLM's: a span for all, and beneath it one for each."""

from __future__ import annotations

from typing import Any, cast
from unittest import mock

import litellm
import pytest
from litellm.batch_completion import main
from litellm.llms.vllm.completion import handler as vllm
from opentelemetry.trace import SpanKind

from support.apps import MESSAGES
from support.instrumented import Reinstrument
from support.recorder import Recorder


def test_vllm_is_asked_as_before(telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no threads: LiteLLM hands it all messages at once."""
    handed: list[object] = []

    def batch_completions(*, model: str, messages: list[object], **_kwargs: object) -> list[str]:
        handed.append((model, messages))
        return ["a", "b"]

    monkeypatch.setattr(vllm, "batch_completions", batch_completions)
    assert litellm.batch_completion(model="vllm/opt", messages=[MESSAGES, MESSAGES]) == ["a", "b"]
    assert handed == [("opt", [MESSAGES, MESSAGES])]
    (batch,) = telemetry.spans()
    assert (batch.name, batch.kind) == ("batch_completion opt", SpanKind.INTERNAL)


def test_what_the_app_puts_in_litellms_place_is_called() -> None:
    """Tests of the app's replace `litellm.completion`, also by the name that LiteLLM's own module has for it."""
    real = litellm.completion
    for place in (litellm, cast("Any", main).litellm):
        with mock.patch.object(place, "completion", return_value="mine") as mine:
            assert litellm.batch_completion(model="openai/gpt-4o", messages=[MESSAGES]) == ["mine"]
        assert mine.call_count == 1
        assert litellm.completion is real
    assert cast("Any", main).litellm.completion_cost is litellm.completion_cost


def test_uninstrumented_it_is_litellms_own(instrumented_with: Reinstrument) -> None:
    """The module finds LiteLLM itself again."""
    from agentops_otel_litellm import LiteLLMInstrumentor

    stand_in = cast("Any", main).litellm
    with instrumented_with(Recorder()):
        assert cast("Any", main).litellm is not stand_in
        LiteLLMInstrumentor().uninstrument()
        assert cast("Any", main).litellm is litellm
        LiteLLMInstrumentor().instrument(**Recorder().providers)
