"""A provider guessed by the model's name: only where LiteLLM does not know, and never against it."""

from __future__ import annotations

import litellm
import pytest

from support.apps import MESSAGES
from support.instrumented import Reinstrument
from support.recorder import Recorder, attributes_of
from support.servers.wire import Reply, WireProvider
from support.servers.wires import Completion, openai

KNOWN: dict[str, tuple[dict[str, object], str]] = {
    "by its prefix": ({"model": "openai/claude-of-ours"}, "openai"),
    "by the parameter": ({"model": "claude-of-ours", "custom_llm_provider": "openai"}, "openai"),
    "by a parameter of no use": (
        {"model": "claude-of-ours", "custom_llm_provider": "hosted_vllm"},
        "hosted_vllm",
    ),
    "by the price map": ({"model": "gpt-4o"}, "openai"),
}


@pytest.mark.parametrize(("asked", "provider"), KNOWN.values(), ids=KNOWN.keys())
def test_litellm_knows_better(
    wire: WireProvider,
    instrumented_with: Reinstrument,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, object],
    provider: str,
) -> None:
    """A guess, the user's too, does not stand against what LiteLLM resolves, is told or has a price for."""
    monkeypatch.setenv("AGENTOPS_MODEL_PROVIDERS", "claude-=xai,gpt-4o=groq")
    wire.reply(*openai(Completion(model="ours-1")).plain)
    with instrumented_with(Recorder()) as recorder:
        litellm.completion(messages=MESSAGES, api_base=f"{wire.url}/v1", api_key="sk-a-key", **asked)
        wire.reset()
        wire.reply("", Reply(status=401, body={"error": {"message": "no"}}))
        with pytest.raises(litellm.exceptions.openai.APIError):
            litellm.completion(messages=MESSAGES, api_base=f"{wire.url}/v1", api_key="sk-a-key", max_retries=0, **asked)
        told = [attributes_of(span) for span in recorder.spans()]
    assert [each["litellm.provider"] for each in told] == [provider, provider]
    assert told[1]["llm.error.provider"] == provider
