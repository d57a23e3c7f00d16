"""The catalogue of providers: one row for each provider that differs from the defaults of `Provider`.

The name of a row is LiteLLM's name of the provider: the prefix `acme` of a model that is written `acme/…`.

A row has the facts about a provider that do not depend on a convention. If a convention has a different name for a
provider, the convention has a table with that name (`identity_of`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class Counting(Enum):
    """Who has counted the tokens that LiteLLM reports for a provider's models. Estimates of LiteLLM are not recorded as
    usage.
    """

    PROVIDER = auto()
    """The provider."""
    NOBODY = auto()
    """Nobody: LiteLLM reports its own estimate."""
    OLLAMA = auto()
    """Ollama, unless the output has 0 tokens: LiteLLM reports 0 if Ollama has sent no counts."""
    OLLAMA_CHAT = auto()
    """Ollama, if its response contains the counts. LiteLLM estimates the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider, or one of the names that LiteLLM has for it."""

    name: str
    """LiteLLM's name: the prefix of its models, without the slash."""
    identity: str = ""
    """The name of the provider's main row, if LiteLLM has several names for the provider. Empty in the main row."""
    api: str = ""
    """The provider whose API this provider offers, if conventions have a name for that API: `openai`, `anthropic`, …"""
    is_family: bool = False
    """Whether all names of LiteLLM that begin with `name` are this provider: `vertex_ai` and `vertex_ai_beta`."""
    models: tuple[str, ...] = ()
    """Prefixes of the names of the provider's models. If a call fails before LiteLLM has resolved the provider, it is
    recognised by them. A model that several providers host is in no row.
    """
    counting: Counting = Counting.PROVIDER
    counts_embeddings: bool = True
    """Whether the provider counts the tokens of all embeddings. If not, LiteLLM may have estimated them."""
    agents: str = ""
    """A part of the model's name by which an agent is recognised. Nobody counts the tokens of agents."""
    omits_zero_details: bool = False
    """Whether the provider may omit counts of cached, text or reasoning tokens, for which LiteLLM then reports 0."""
    returns_transcripts_unchanged: bool = False
    """Whether LiteLLM returns the provider's transcripts unchanged, with the language that the provider recognised."""


PROVIDERS: tuple[Provider, ...] = (
    Provider(name="a2a", counting=Counting.NOBODY),
    Provider(name="a2a_agent", counting=Counting.NOBODY),
    Provider(name="ai21", models=("jamba-",)),
    Provider(name="anthropic", api="anthropic", models=("claude-",), omits_zero_details=True),
    Provider(name="anthropic_text", identity="anthropic", api="anthropic"),
    Provider(name="azure", api="openai", returns_transcripts_unchanged=True),
    Provider(name="azure_ai", agents="agents/"),
    Provider(name="azure_text", identity="azure", api="openai"),
    Provider(
        name="bedrock",
        is_family=True,
        models=(
            *("ai21.", "amazon.", "anthropic.", "cohere.", "meta.", "mistral."),
            *("apac.", "au.", "eu.", "global.", "jp.", "us."),
        ),
        agents="agentcore/",
        omits_zero_details=True,
    ),
    Provider(name="codestral", identity="mistral", api="mistral"),
    Provider(
        name="cohere",
        api="cohere",
        models=("embed-english-", "embed-multilingual-", "rerank-english-", "rerank-multilingual-", "rerank-v"),
        counts_embeddings=False,
    ),
    Provider(name="cohere_chat", identity="cohere", api="cohere", models=("c4ai-", "command-")),
    Provider(name="deepseek", models=("deepseek-",)),
    Provider(name="gemini", api="vertex_ai", counts_embeddings=False),
    Provider(name="huggingface", counts_embeddings=False),
    Provider(name="langflow", counting=Counting.NOBODY),
    Provider(name="langgraph", counting=Counting.NOBODY),
    Provider(
        name="mistral",
        api="mistral",
        models=(
            *("codestral-", "devstral-", "magistral-", "ministral-", "mistral-"),
            *("open-mistral-", "open-mixtral-", "pixtral-"),
        ),
    ),
    Provider(name="moonshot", models=("moonshot-",)),
    Provider(name="ollama", counting=Counting.OLLAMA),
    Provider(name="ollama_chat", counting=Counting.OLLAMA_CHAT),
    Provider(
        name="openai",
        api="openai",
        models=(
            *("chatgpt-", "gpt-", "ft:gpt-", "o1-", "o3-", "o4-"),
            *("dall-e-", "omni-moderation-", "text-embedding-3-", "text-embedding-ada-", "tts-", "whisper-"),
        ),
        returns_transcripts_unchanged=True,
    ),
    Provider(name="perplexity", models=("sonar-",)),
    Provider(name="petals", counting=Counting.NOBODY),
    Provider(name="predibase", counting=Counting.NOBODY),
    Provider(name="replicate", counting=Counting.NOBODY),
    Provider(name="sagemaker", counting=Counting.NOBODY, counts_embeddings=False),
    Provider(name="text-completion-codestral", identity="mistral", api="mistral"),
    Provider(name="text-completion-openai", identity="openai", api="openai"),
    Provider(name="triton", counts_embeddings=False),
    # A Gemini model without a provider's prefix is a model of Vertex AI for LiteLLM.
    Provider(
        name="vertex_ai",
        api="vertex_ai",
        is_family=True,
        models=("gemini-", "imagen-", "veo-"),
        agents="agent_engine/",
    ),
    Provider(name="voyage", models=("voyage-",)),
    Provider(name="watsonx", is_family=True),
    Provider(name="xai", models=("grok-",)),
)

UNKNOWN_MODELS = ("gpt-oss",)
"""Prefixes of the names of models that several providers host, although the names begin like those of one provider."""

_ROWS = {row.name: row for row in PROVIDERS}
_FAMILIES = sorted((row for row in PROVIDERS if row.is_family), key=lambda row: len(row.name), reverse=True)


@lru_cache(maxsize=512)
def provider_named(name: str) -> Provider:
    """The row of the provider that LiteLLM calls `name`: the row with that name, the row of its family, or a default
    row.
    """
    row = _ROWS.get(name) or next((row for row in _FAMILIES if name.startswith(row.name)), None)
    return row or Provider(name=name)


def identity_of(name: str, names: Mapping[str, str]) -> str:
    """A convention's name of the provider that LiteLLM calls `name`.

    `names` are the names of the convention that differ from LiteLLM's: LiteLLM's name → the convention's name.
    """
    row = provider_named(name)
    return names.get(row.identity or row.name) or names.get(name) or row.identity or name


def model_prefixes() -> dict[str, str | None]:
    """Prefix of a model's name → LiteLLM's name of the provider; `None` if several providers host these models."""
    known: dict[str, str | None] = {prefix: row.name for row in PROVIDERS for prefix in row.models}
    return known | dict.fromkeys(UNKNOWN_MODELS)
