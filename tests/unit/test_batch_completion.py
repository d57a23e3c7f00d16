"""Batch completions: a span for the batch, and a child span for each call."""

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


def test_vllm_receives_all_messages_at_once(telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM uses no threads for it."""
    calls: list[object] = []

    def batch_completions(*, model: str, messages: list[object], **_kwargs: object) -> list[str]:
        calls.append((model, messages))
        return ["a", "b"]

    monkeypatch.setattr(vllm, "batch_completions", batch_completions)
    assert litellm.batch_completion(model="vllm/opt", messages=[MESSAGES, MESSAGES]) == ["a", "b"]
    assert calls == [("opt", [MESSAGES, MESSAGES])]
    (batch,) = telemetry.spans()
    assert (batch.name, batch.kind) == ("batch_completion opt", SpanKind.INTERNAL)


def test_a_mock_of_completion_is_called() -> None:
    """Tests of an application may replace `litellm.completion`, also through the module that calls it."""
    real = litellm.completion
    for module in (litellm, cast("Any", main).litellm):
        with mock.patch.object(module, "completion", return_value="mine") as mine:
            assert litellm.batch_completion(model="openai/gpt-4o", messages=[MESSAGES]) == ["mine"]
        assert mine.call_count == 1
        assert litellm.completion is real
    assert cast("Any", main).litellm.completion_cost is litellm.completion_cost


def test_uninstrumenting_restores_litellm(instrumented_with: Reinstrument) -> None:
    """The module refers to LiteLLM itself again."""
    from agentops_otel_litellm import LiteLLMInstrumentor

    stand_in = cast("Any", main).litellm
    with instrumented_with(Recorder()):
        assert cast("Any", main).litellm is not stand_in
        LiteLLMInstrumentor().uninstrument()
        assert cast("Any", main).litellm is litellm
        LiteLLMInstrumentor().instrument(**Recorder().providers)
