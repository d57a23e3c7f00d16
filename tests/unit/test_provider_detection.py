"""Guessing the provider from the model's name, if LiteLLM does not know it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import litellm
import pytest

from agentops_otel_litellm.call import Attempt, Attempts, Call, Failure, Target, Timing
from agentops_otel_litellm.processors.errors import MODEL_PROVIDERS, create_provider_processor
from agentops_otel_litellm.semconv.gen_ai import provider_name
from agentops_otel_litellm.settings import Settings
from support.apps import MESSAGES, App
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder

CALL = Call(name="chat", operation="chat", timing=Timing(started_at=1))
NAMES: dict[str, str | None] = {
    "claude-unknown-9": "anthropic",
    "Claude-Unknown-9": "anthropic",
    "gpt-9": "openai",
    "gpt-oss-9b": None,
    "o3-huge": "openai",
    "o3": None,
    "gemini-9": "vertex_ai",
    "command-z": "cohere_chat",
    "mistral-huge": "mistral",
    "mistral.huge-v1:0": "bedrock",
    "codestral-9": "mistral",
    "deepseek-v9": "deepseek",
    "grok-9": "xai",
    "us.anthropic.claude-9": "bedrock",
    "llama-9": None,
    "our-model": None,
    "nobody/gpt-9": None,
    "": None,
}


def guess(model: str, user_prefixes: dict[str, str] | None = None) -> str | None:
    return create_provider_processor(user_prefixes or {})(replace(CALL, target=Target(model=model))).target.provider


def test_providers_of_the_table_are_litellms_names() -> None:
    known = {str(each.value) for each in litellm.LlmProviders}
    assert {provider for provider in MODEL_PROVIDERS.values() if provider is not None} <= known


@pytest.mark.parametrize(("prefix", "provider"), MODEL_PROVIDERS.items())
def test_each_prefix_of_the_table(prefix: str, provider: str | None) -> None:
    """A name with the prefix has the provider of the row."""
    assert guess(f"{prefix}x-9") == provider


@pytest.mark.parametrize(("model", "provider"), NAMES.items())
def test_providers_of_model_names(model: str, provider: str | None) -> None:
    """The longest prefix decides, in any case. Many names have no known prefix."""
    assert guess(model) == provider


def test_few_of_litellms_model_names_are_guessed_wrong() -> None:
    """At most a tenth of the guesses for names in LiteLLM's price map."""
    prices = {name: row["litellm_provider"] for name, row in litellm.model_cost.items() if "litellm_provider" in row}
    bare = {name: provider for name, provider in prices.items() if "/" not in name and "." not in name[:4]}
    guesses = {name: provider for name in bare if (provider := guess(name)) is not None}
    wrong = [
        name
        for name, provider in guesses.items()
        if provider_name(provider) != provider_name(bare[name].removeprefix("text-completion-"))
    ]
    assert len(guesses) > 200
    assert len(wrong) <= len(guesses) / 10, wrong


def test_a_known_provider_is_kept() -> None:
    """So is the provider of LiteLLM's exception, before a guess."""
    name = create_provider_processor({"claude-": "xai"})
    known = replace(CALL, target=Target(provider="bedrock", model="claude-9"))
    assert name(known) is known
    failure = Failure(type="Timeout", ancestry=("Timeout",), provider="groq")
    failed = replace(CALL, target=Target(model="claude-9"), failure=failure)
    assert name(failed).target == Target(provider="groq", model="claude-9")
    nothing = replace(CALL, target=Target(model="our-model"))
    assert name(nothing) is nothing


def test_unknown_providers_of_attempts_are_guessed() -> None:
    attempts = (
        Attempt(number=1, model="claude-9"),
        Attempt(number=2, model="gpt-9", provider="azure"),
        Attempt(number=3, model="ours"),
    )
    processed = create_provider_processor({})(replace(CALL, attempts=Attempts(made=attempts))).attempts
    assert processed is not None
    assert [attempt.provider for attempt in processed.made] == ["anthropic", "azure", None]


def test_prefixes_of_the_user_have_priority() -> None:
    """A longer built-in prefix still has priority over a shorter one of the user."""
    user_prefixes = {"claude-": "xai", "Our-": "groq", "o3": "azure", "nobody/": "ollama"}
    guesses = {
        model: guess(model, user_prefixes) for model in ("claude-9", "our-model", "o3", "nobody/gpt-9", "gpt-oss-9b")
    }
    assert guesses == {
        "claude-9": "xai",
        "our-model": "groq",
        "o3": "azure",
        "nobody/gpt-9": "ollama",
        "gpt-oss-9b": None,
    }


def fail(app: App, model: str) -> None:
    with pytest.raises(litellm.BadRequestError):
        app.run(app.invoke("completion", model=model, messages=MESSAGES))


def test_a_provider_that_litellm_does_not_know_is_guessed(app: App, telemetry: Recorder) -> None:
    """The span, its attempts, the failure and the metrics have it."""
    fail(app, "gpt-unknown-9")
    attributes = telemetry.attributes()
    assert attributes["gen_ai.request.model"] == "gpt-unknown-9"
    assert attributes["gen_ai.provider.name"] == attributes["litellm.provider"] == "openai"
    assert attributes["llm.error.provider"] == "openai"
    assert attributes["llm.error.message"] == ("BadRequestError: the request is invalid (openai)")
    events = [dict(event.attributes or {}) for event in telemetry.span().events]
    assert [event.get("litellm.attempt.provider") for event in events] == ["openai"] * len(events)
    (point,) = telemetry.points("gen_ai.client.operation.duration")
    assert point.attributes["gen_ai.provider.name"] == "openai"
    assert len(telemetry.spans()) == 1


@pytest.mark.parametrize("model", ["llama-unknown-9", "our-model", "nobody/gpt-4"])
def test_an_unknown_model_has_no_provider(app: App, telemetry: Recorder, model: str) -> None:
    fail(app, model)
    attributes = telemetry.attributes()
    assert [name for name in attributes if "provider" in name] == []
    assert attributes["gen_ai.request.model"] == model


def test_the_setting_is_read_when_litellm_is_instrumented(
    app: App, instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later changes of the variable have no effect."""
    monkeypatch.setenv("AGENTOPS_MODEL_PROVIDERS", "our-=groq")
    with instrumented_with(Recorder()) as recorder:
        monkeypatch.setenv("AGENTOPS_MODEL_PROVIDERS", "our-=xai")
        fail(app, "our-unknown-9")
        assert recorder.attributes()["litellm.provider"] == "groq"


SETTINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "": (),
    "my-=openai": (("my-", "openai"),),
    " my- = openai , acme-=anthropic,, ": (("my-", "openai"), ("acme-", "anthropic")),
    "my-=openai,my-=xai": (("my-", "xai"),),
    "ft:gpt=openai": (("ft:gpt", "openai"),),
}


@pytest.mark.parametrize(("text", "pairs"), SETTINGS.items())
def test_values_of_the_setting(text: str, pairs: tuple[tuple[str, str], ...]) -> None:
    """Pairs of a prefix and a provider; the last pair for a prefix is used."""
    assert Settings.from_environment({"AGENTOPS_MODEL_PROVIDERS": text}).model_providers == pairs


@pytest.mark.parametrize("text", ["my-", "=openai", "my-=", "my-=openai,acme"])
def test_an_invalid_setting_is_reported_once(
    text: str, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warning has the expected format, and no pair of the value is used."""
    monkeypatch.setattr("agentops_otel_litellm.settings.parsing.warned", set())
    read = partial(Settings.from_environment, {"AGENTOPS_MODEL_PROVIDERS": text})
    assert read().model_providers == read().model_providers == ()
    accepted = "comma-separated pairs, as in `acme-=openai,our-claude=anthropic`"
    assert logged.take() == [
        f"Invalid value for AGENTOPS_MODEL_PROVIDERS: {text!r} (expected {accepted}). The value is ignored."
    ]
