"""Decisions, in OpenAI's words and in System One's, held against what the provider received and sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import litellm
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import CALL_ID, Caller
from support.expected import cost_attributes, cost_shares, target_attributes
from support.recorder import Attributes, Recorder
from support.servers.wire import Reply, WireProvider

pytest.importorskip("litellm.decisions.main", reason="this LiteLLM has no decisions")

SECRET = "confidential"
TICKET = f"My {SECRET} parcel is late."
CHOICES = [{"value": SECRET}, {"value": "other"}]
OPENAIS: dict[str, Any] = {
    "model": "openai/gpt-decide",
    "questions": [
        {"type": "predicate", "name": SECRET, "instructions": "Is it urgent?"},
        {"type": "choice", "name": "topic", "instructions": "What about?", "choices": CHOICES},
    ],
}
PROBABILITIES = [{"value": SECRET, "probability": 0.8}, {"value": "other", "probability": 0.2}]
ANSWERED = {
    "model": "gpt-decide-2026",
    "answers": [
        {"type": "predicate", "name": SECRET, "probability": 0.9},
        {"type": "choice", "name": "topic", "choice": SECRET, "confidence": 0.8, "probabilities": PROBABILITIES},
    ],
    "usage": {
        "input_tokens": 31,
        "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 36,
    },
}
COUNTED: Attributes = {
    "gen_ai.usage.input_tokens": 31,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_read.input_tokens": 8,
    "llm.usage.prompt_tokens": 31,
    "llm.usage.completion_tokens": 5,
    "llm.usage.cached_tokens": 8,
}
PARTS = cost_shares(input=(31 - 8) * 0.5 + 8 * 0.125, cache_read=8 * 0.125, output=5 * 0.25)
PARTS.pop("agentops.cost.price_map", None)  # the price is the app's
PAID = cost_attributes((31 - 8) * 0.5 + 8 * 0.125 + 5 * 0.25) | PARTS
PICTURE = "data:image/png;base64,iVBORw0KGgo="
# What is judged → what the span says of it.
INPUTS: dict[str, tuple[object, Attributes]] = {
    "a text": (TICKET, {"llm.request.content_length": len(TICKET), "llm.request.modalities": ("text",)}),
    "messages": (
        [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": TICKET}, {"type": "input_image", "image_url": PICTURE}],
            }
        ],
        {"llm.request.content_length": len(TICKET), "llm.request.modalities": ("image", "text")},
    ),
}


@pytest.fixture
def priced() -> Iterator[None]:
    """LiteLLM has a price for decisions from its map alone."""
    prices = {"input_cost_per_token": 0.5, "cache_read_input_token_cost": 0.125, "output_cost_per_token": 0.25}
    models = {"hosted_vllm/decider": "hosted_vllm", "gpt-decide": "openai"}
    litellm.register_model({model: {"litellm_provider": provider, **prices} for model, provider in models.items()})
    yield
    for model in models:
        del litellm.model_cost[model]


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("case", INPUTS)
def test_decisions_in_openais_words_are_described_in_full(
    caller: Caller, wire: WireProvider, telemetry: Recorder, case: str
) -> None:
    """Decisions have how much was asked and answered, and what the provider counted; neither questions nor answers."""
    given, told = INPUTS[case]
    wire.reply("/decisions", Reply(body=ANSWERED))
    result: Any = caller.call(
        litellm,
        "decisions",
        **OPENAIS,
        input=given,
        api_key="sk-test",
        api_base=f"{wire.url}/v1",
        litellm_call_id=CALL_ID,
    )
    assert type(result).__name__ == "OpenAIDecisionResponse"
    (span,) = telemetry.spans()
    assert (span.name, span.kind) == ("decisions gpt-decide", SpanKind.CLIENT)
    assert telemetry.attributes() == {
        **target_attributes("decisions", "openai", wire, model="gpt-decide", call_type=caller.name("decisions")),
        **told,
        "llm.request.questions_count": 2,
        **COUNTED,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "llm.usage.reasoning_tokens": 2,
        "llm.usage.total_tokens": 36,
        **PAID,
        "gen_ai.response.model": "gpt-decide-2026",
        "llm.response.model": "gpt-decide-2026",
        "llm.response.results_count": 2,
    }
    assert SECRET not in telemetry.everything()


QUESTIONS = {
    "urgent": {"type": "noul", "instructions": f"Is {SECRET} urgent?"},
    "topic": {"type": "choice", "instructions": "What about?", "criteria": {SECRET: None, "other": None}},
}
DECIDED = {
    "urgent": {"type": "noul", "noul": 0.9},
    "topic": {"type": "choice", "choice": SECRET, "confidence": 0.8, "probabilities": {SECRET: 0.8, "other": 0.2}},
}


# What the provider counts → what the span says of it.
COUNTS: dict[str, tuple[dict[str, object], Attributes]] = {
    "tokens": ({"usage": {"input_tokens": 31, "output_tokens": 5, "cached_tokens": 8}}, COUNTED),
    "nothing, of which LiteLLM makes zeros": ({}, {}),
}


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("case", COUNTS)
def test_decisions_in_system_ones_words_are_described_in_full(
    caller: Caller, wire: WireProvider, telemetry: Recorder, case: str
) -> None:
    """System One's questions have names, and what is judged may be any JSON, which is not measured."""
    counted, told = COUNTS[case]
    wire.reply("/systemone", Reply(body={"model": "decider-1", "answers": DECIDED, **counted}))
    caller.call(
        litellm,
        "systemone",
        model="hosted_vllm/decider",
        state={"ticket": TICKET},
        questions=QUESTIONS,
        api_key="sk-test",
        api_base=f"{wire.url}/v1",
        litellm_call_id=CALL_ID,
    )
    assert telemetry.attributes() == {
        **target_attributes("systemone", "hosted_vllm", wire, model="decider", call_type=caller.name("systemone")),
        "llm.request.questions_count": 2,
        "llm.response.results_count": 2,
        **told,
        **(PAID if counted else {}),
        "gen_ai.response.model": "decider-1",
        "llm.response.model": "decider-1",
    }
    assert SECRET not in telemetry.everything()


def test_pictures_are_counted(caller: Caller, wire: WireProvider, telemetry: Recorder) -> None:
    """System One's pictures are beside what is judged; LiteLLM translates them for OpenAI."""
    wire.reply("/decisions", Reply(body=ANSWERED))
    caller.call(
        litellm,
        "systemone",
        model="openai/gpt-decide",
        state=TICKET,
        questions=QUESTIONS,
        images=[PICTURE, PICTURE],
        api_key="sk-test",
        api_base=f"{wire.url}/v1",
    )
    (exchange,) = wire.ledger
    assert exchange.data.count(PICTURE.encode()) == 2
    attributes = telemetry.attributes()
    assert attributes["llm.request.images_count"] == 2
    assert attributes["llm.request.modalities"] == ("image", "text")
    assert attributes["llm.request.content_length"] == len(TICKET)


def test_a_refusal_is_told(caller: Caller, wire: WireProvider, telemetry: Recorder) -> None:
    """Where the provider refuses, the call's one span has failed and says why."""
    wire.reply("/decisions", Reply(status=401, body={"error": {"message": SECRET}}))
    with pytest.raises(litellm.AuthenticationError):
        caller.call(litellm, "decisions", **OPENAIS, input=TICKET, api_key="sk-test", api_base=wire.url)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["llm.error.category"] == "auth"
    assert SECRET not in telemetry.everything()
