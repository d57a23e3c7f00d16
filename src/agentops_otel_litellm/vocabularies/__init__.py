"""The registry of vocabularies: the only place where attribute names begin."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from agentops_otel_litellm.destinations import sends_to_agentops
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.vocabularies.agentops import AGENTOPS
from agentops_otel_litellm.vocabularies.gen_ai import GEN_AI
from agentops_otel_litellm.vocabularies.llm import LLM
from agentops_otel_litellm.vocabularies.openinference import OPENINFERENCE
from agentops_otel_litellm.vocabularies.vocabulary import Several, Table, Vocabulary, always

logger = logging.getLogger(__name__)

# Where two have the same attribute, the first decides: of `llm.provider`, a name of OpenInference's before of ours.
VOCABULARIES: Mapping[str, Vocabulary] = {
    "gen_ai": GEN_AI,
    "openinference": OPENINFERENCE,
    "llm": LLM,
    "agentops": AGENTOPS,
}
ENTRY_POINTS = "agentops_otel_litellm_vocabulary"
"""The group in which other packages name vocabularies of theirs."""


def usual(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Those that are written where the user does not choose: what is read where the spans go to."""
    return ("gen_ai", "llm", "agentops") if sends_to_agentops(environment) else ("gen_ai", "llm")


def chosen(settings: Settings, environment: Mapping[str, str] = os.environ) -> list[Vocabulary]:
    """Those that the user wants written: ours in the registry's order, since samplers get to see what the first says,
    then others'. One that cannot be loaded is told of, and left out.
    """
    others = {} if set(settings.semconv or ()) <= VOCABULARIES.keys() else _others()
    names = settings.vocabularies([*VOCABULARIES, *others]) or usual(environment)
    found = [vocabulary for name, vocabulary in VOCABULARIES.items() if name in names]
    for name in names:
        vocabulary = None if name in VOCABULARIES else _loaded(others[name])
        if vocabulary is not None:
            found.append(vocabulary)
    return found or [VOCABULARIES[name] for name in usual(environment)]


def _others() -> dict[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=ENTRY_POINTS)}


def _loaded(entry_point: EntryPoint) -> Vocabulary | None:
    """Whatever a module of the user's raises when it is imported."""
    try:
        vocabulary = entry_point.load()
        fault = None if isinstance(vocabulary, Vocabulary) else "it is no Vocabulary"
    except Exception as error:  # noqa: BLE001 - (the same)
        fault = type(error).__name__
    if fault is None:
        return vocabulary  # type: ignore[no-any-return]  # it is one
    logger.warning(
        "The vocabulary %s=%r cannot be had (%s). It is left out.", entry_point.name, entry_point.value, fault
    )
    return None


__all__ = ["VOCABULARIES", "Several", "Table", "Vocabulary", "always", "chosen"]
