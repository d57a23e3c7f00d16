"""The registry of vocabularies: the only place where attribute names begin."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.vocabularies.gen_ai import GEN_AI
from agentops_otel_litellm.vocabularies.llm import LLM
from agentops_otel_litellm.vocabularies.openinference import OPENINFERENCE
from agentops_otel_litellm.vocabularies.vocabulary import Several, Table, Vocabulary, always

# Where two have the same attribute, the first decides: of `llm.provider`, a name of OpenInference's before of ours.
VOCABULARIES: Mapping[str, Vocabulary] = {
    "gen_ai": GEN_AI,
    "openinference": OPENINFERENCE,
    "llm": LLM,
}
ENTRY_POINTS = "agentops_otel_litellm_vocabulary"
"""The group in which other packages name vocabularies of theirs."""


def chosen(settings: Settings) -> list[Vocabulary]:
    """Those that the user wants written: ours in the registry's order, since samplers get to see what the first says,
    then others'. One that cannot be loaded is told of, and left out.
    """
    others = {} if set(settings.semconv) <= VOCABULARIES.keys() else _others()
    names = settings.vocabularies([*VOCABULARIES, *others])
    found = [vocabulary for name, vocabulary in VOCABULARIES.items() if name in names]
    for name in names:
        if name in others and name not in VOCABULARIES:
            with guard(f"loading the vocabulary {name}, which is left out"):
                found.append(_loaded(others[name]))
    return found or [VOCABULARIES[name] for name in Settings().semconv]


def _others() -> dict[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=ENTRY_POINTS)}


def _loaded(entry_point: EntryPoint) -> Vocabulary:
    vocabulary = entry_point.load()
    if not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"{entry_point.value} is no Vocabulary")
    return vocabulary


__all__ = ["VOCABULARIES", "Several", "Table", "Vocabulary", "always", "chosen"]
