"""The catalogue of providers: one row for each that differs from the default.

A provider whose models are written `acme/…` needs a row with the name `acme` only if it differs from the default.

A row has the facts about a provider that do not depend on a convention. A convention has a table of its own only for
the providers that it names differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class Counting(Enum):
    """Who counts the tokens of a provider's models."""

    PROVIDER = auto()
    """The provider, whenever LiteLLM has a count."""
    NOBODY = auto()
    """Nobody: LiteLLM reports its own estimate as the count."""
    OLLAMA = auto()
    """Ollama, unless the count of the output is 0."""
    OLLAMA_CHAT = auto()
    """Ollama, if its response contains the count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider, under LiteLLM's name for it."""

    name: str
    """LiteLLM's name: the prefix of its models, without the slash."""
    identity: str = ""
    """The name of the provider's main row, if LiteLLM has several names for one provider."""
    api: str = ""
    """The provider whose API this provider offers, if that is one of the APIs that conventions distinguish."""
    is_family: bool = False
    """Whether LiteLLM's names that begin with this one are the same provider."""
    models: tuple[str, ...] = ()
    """Prefixes of model names that belong to the provider, for calls that fail before LiteLLM resolves one. Models that
    several providers host are in no row.
    """
    counting: Counting = Counting.PROVIDER
    counts_embeddings: bool = True
    """Whether the tokens of embeddings are always counted by the provider, not by LiteLLM."""
    agents: str = ""
    """A part of model names that shows that the model is an agent. Nobody counts the tokens of agents."""
    omits_zero_details: bool = False
    """Whether LiteLLM reports 0 cached, text or reasoning tokens even if the provider did not send that count."""
    returns_transcripts_unchanged: bool = False
    """Whether LiteLLM returns the provider's transcripts as they are, with the language that it recognised."""


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
    # LiteLLM assigns Gemini's models to Vertex AI if their names have no provider.
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
"""Prefixes of model names that look like a provider's, but that several providers host."""

_ROWS = {row.name: row for row in PROVIDERS}
_FAMILIES = sorted((row for row in PROVIDERS if row.is_family), key=lambda row: len(row.name), reverse=True)


@lru_cache(maxsize=512)
def provider_named(name: str) -> Provider:
    """The row of the provider that LiteLLM calls `name`: its own, its family's, or the default."""
    row = _ROWS.get(name) or next((row for row in _FAMILIES if name.startswith(row.name)), None)
    return row or Provider(name=name)


def identity_of(name: str, names: Mapping[str, str]) -> str:
    """A convention's name of the provider that LiteLLM calls `name`.

    `names` has the convention's names of the providers that it names differently: LiteLLM's name → its name. All other
    providers have LiteLLM's name.
    """
    row = provider_named(name)
    return names.get(row.identity or row.name) or names.get(name) or row.identity or name


def model_prefixes() -> dict[str, str | None]:
    """Prefix of a model's name → LiteLLM's name of the provider, `None` if several providers host such models."""
    known: dict[str, str | None] = {prefix: row.name for row in PROVIDERS for prefix in row.models}
    return known | dict.fromkeys(UNKNOWN_MODELS)
