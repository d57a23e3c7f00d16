"""Values that exporters cannot encode are replaced, so that the batch is exported."""

from __future__ import annotations

import json

import litellm
import pytest
from litellm import CustomLLM
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.records import MAX_DEPTH, clean_attributes
from support.captured import Capture
from support.nested_values import export_counts, nested_dict
from support.recorder import Recorder

SURROGATE = "\ud83d"
"""A lone surrogate: JSON can escape it, but UTF-8 cannot encode it."""
MESSAGES = [{"role": "user", "content": "Say hello."}]


class Broken(CustomLLM):
    """Returns a surrogate in the model's name, or raises an error with one in its message."""

    def completion(self, *_args: object, **kwargs: object) -> litellm.ModelResponse:
        if kwargs["model"] == f"fails{SURROGATE}":
            raise RuntimeError(f"No model fails{SURROGATE}")
        return litellm.ModelResponse(model=f"grey{SURROGATE}", choices=[{"message": {"content": "hi"}}])


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "broken", "custom_handler": Broken()}])
    monkeypatch.setattr(litellm, "provider_list", [*litellm.provider_list, "broken"])
    monkeypatch.setattr(litellm, "_custom_providers", [*litellm._custom_providers, "broken"])


@pytest.mark.usefixtures("broken")
def test_lone_surrogate_in_request_and_response_is_replaced(capture: Capture) -> None:
    telemetry = capture("SPAN_AND_EVENT")
    litellm.completion(
        model=f"broken/grey{SURROGATE}", messages=MESSAGES, stop=[f"stop{SURROGATE}"], user=f"ada{SURROGATE}"
    )
    attributes = telemetry.attributes()
    assert telemetry.span().name == "chat grey?"
    assert attributes["gen_ai.request.model"] == "grey?"
    assert attributes["gen_ai.response.model"] == "grey?"
    assert attributes["gen_ai.request.stop_sequences"] == ("stop?",)
    names, logs, metrics = export_counts(telemetry)
    assert (names, logs) == (["chat grey?"], 1)
    assert metrics > 0


@pytest.mark.usefixtures("broken")
def test_lone_surrogate_in_a_failure_is_replaced(telemetry: Recorder) -> None:
    with pytest.raises(Exception, match="No model fails"):
        litellm.completion(model=f"broken/fails{SURROGATE}", messages=MESSAGES)
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "APIConnectionError (broken)"
    assert export_counts(telemetry)[:2] == (["chat fails?"], 1)


@pytest.mark.usefixtures("broken")
def test_lone_surrogate_in_a_metric_dimension_is_replaced(telemetry: Recorder) -> None:
    litellm.completion(model=f"broken/grey{SURROGATE}", messages=MESSAGES)
    models = {point.attributes.get("gen_ai.request.model") for point in telemetry.points()}
    assert models == {"grey?"}


@pytest.mark.parametrize("name", ["llm.stop", f"litellm.metadata.{SURROGATE}"])
@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (f"a{SURROGATE}b", "a?b"),
        ("👍", "👍"),
        ((f"{SURROGATE}", "b"), ["?", "b"]),
        ({f"{SURROGATE}": [f"{SURROGATE}", 1]}, {"?": ["?", 1]}),
        (2**63 - 1, 2**63 - 1),
        (nested_dict(MAX_DEPTH), nested_dict(MAX_DEPTH)),
        (nested_dict(MAX_DEPTH + 1), json.dumps(nested_dict(MAX_DEPTH + 1), separators=(",", ":"))),
        ({"n": 2**64}, '{"n":18446744073709551616}'),
        ({1: "a"}, '{"1":"a"}'),
        ([float("inf")], [float("inf")]),
    ],
    ids=str,
)
def test_values_are_encodable(name: str, value: object, cleaned: object) -> None:
    assert clean_attributes({name: value}) == {name.replace(SURROGATE, "?"): cleaned}


def test_integer_beyond_64_bits_is_left_out() -> None:
    assert clean_attributes({"llm.request.seed": 2**63, "llm.request.top_k": 5}) == {"llm.request.top_k": 5}
