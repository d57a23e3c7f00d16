"""The names of models are recorded without secrets, and otherwise unchanged."""

from __future__ import annotations

import litellm
import pytest

from agentops_otel_litellm.readers.values import model_name


def test_the_names_of_all_models_of_litellm_are_unchanged() -> None:
    """No name in LiteLLM's price map looks like a key. Of URLs, the query is left out."""
    names = {name for name in litellm.model_cost if len(name) <= 256 and "://" not in name}
    assert len(names) > 1_000
    assert {name: recorded for name in names if (recorded := model_name(name)) != name} == {}


@pytest.mark.parametrize(
    "name",
    [
        "claude-3-5-sonnet@20240620",
        "@cf/meta/llama-3.1-8b-instruct",
        "ft:gpt-4o-mini-2024-07-18:my-org:custom-suffix:9abcDEF0",
        "my-org/pa-custom-model-for-2024-v2",
        "llama3:7b-instruct@sha256:0123456789abcdef0123",
        "sk-fading-circle-2-preview",
        "bedrock/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3",
        "Qwen/Qwen2.5-72B-Instruct-Turbo",
        "",
    ],
)
def test_other_names_are_unchanged(name: str) -> None:
    assert model_name(name) == (name or None)


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("gpt-4o?api_key=canary", "gpt-4o"),
        ("user:canary@host/m", "host/m"),
        ("a/user:canary@host/m", "a/host/m"),
        ("https://user:canary@host/m?key=canary#canary", "https://host/m"),
        ("https://host/m;key=canary", "https://host/m"),
        ("sk-canary0123456789", "[key]"),
        ("my_provider_sk-canary0123456789/m", "my_provider_[key]"),
        ("gpt-4o " + "x" * 300, "gpt-4o " + "x" * 249),
    ],
)
def test_secrets_are_removed(name: str, recorded: str) -> None:
    assert model_name(name) == recorded


def test_a_long_name_takes_little_time_and_memory() -> None:
    """Names are cached, so only their beginning is."""
    for number in range(2_000):
        name = model_name(f"{number}{'a:' * 1_000_000}" if number < 5 else f"{number}@")
        assert name is not None
        assert len(name) <= 256
