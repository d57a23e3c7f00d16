"""The registry of vocabularies. A vocabulary has the attribute names of one convention; no other package has any."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from agentops_otel_litellm.semconv.agentops import AGENTOPS, AGENTOPS_WITHOUT_CONTENT
from agentops_otel_litellm.semconv.backend_names import LAMINAR, LANGWATCH, POSTHOG
from agentops_otel_litellm.semconv.convention import Vocabulary
from agentops_otel_litellm.semconv.gen_ai import GEN_AI, GEN_AI_OLDER
from agentops_otel_litellm.semconv.langfuse import LANGFUSE
from agentops_otel_litellm.semconv.llm import LLM
from agentops_otel_litellm.semconv.openinference import OPENINFERENCE
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.backends import BACKENDS
from agentops_otel_litellm.settings.destinations import AGENTOPS as AGENTOPS_EXPORTER
from agentops_otel_litellm.settings.destinations import (
    BACKENDS_EXPORTER,
    backends_in_use,
    exporters,
    sends_to_agentops,
)

logger = logging.getLogger(__name__)

# If two vocabularies have the same attribute, its value is from the first one. For instance, `openinference` and `llm`
# have `llm.provider`: if both are chosen, the value is OpenInference's name of the provider.
VOCABULARIES: Mapping[str, Vocabulary] = {
    "gen_ai": GEN_AI,
    "openinference": OPENINFERENCE,
    "llm": LLM,
    "agentops": AGENTOPS,
    "langfuse": LANGFUSE,
    "gen_ai_older": GEN_AI_OLDER,
    "posthog": POSTHOG,
    "laminar": LAMINAR,
    "langwatch": LANGWATCH,
}
ENTRY_POINTS = "agentops_otel_litellm_vocabulary"
"""The entry point group in which other packages register their vocabularies."""


def default_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the default vocabularies: those of all destinations."""
    return _in_order(_names_by_destination(environment))


def _in_order(by_destination: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The names of the vocabularies for all destinations, in the order of `VOCABULARIES`."""
    chosen = {name for names in by_destination for name in names}
    return tuple(name for name in VOCABULARIES if name in chosen)


def _names_by_destination(environment: Mapping[str, str]) -> set[Sequence[str]]:
    """The names of the vocabularies for each destination: a backend in AGENTOPS_BACKEND, AgentOps, or any other."""
    destinations = list(backends_in_use(environment))
    if sends_to_agentops(environment):
        destinations.append("agentops")
    if not destinations or set(exporters("TRACES", environment)) - {AGENTOPS_EXPORTER, BACKENDS_EXPORTER}:
        destinations.append("otlp")
    return {BACKENDS[name].conventions for name in destinations}


def choose_vocabularies(
    settings: Settings, environment: Mapping[str, str] = os.environ, *, exporter_adds_content: bool = True
) -> list[Vocabulary]:
    """The vocabularies that the user chose, or the default ones.

    Those of this package are first, in the order of `VOCABULARIES`, then those of other packages. The order matters,
    because samplers receive only the attributes of the first vocabulary. A vocabulary that cannot be loaded is left
    out, with a warning. By default, AgentOps' vocabulary has no content if the exporter adds it to its copies of the
    spans. A user who chooses the vocabulary may send the spans with a different exporter.
    """
    registered = {} if set(settings.semconv or ()) <= VOCABULARIES.keys() else _registered()
    names = settings.vocabularies([*VOCABULARIES, *registered])
    if names is None:
        return _default(environment, exporter_adds_content=exporter_adds_content)
    found = [vocabulary for name, vocabulary in VOCABULARIES.items() if name in names]
    for name in names:
        vocabulary = None if name in VOCABULARIES else _load(registered[name])
        if vocabulary is not None:
            found.append(vocabulary)
    return found or _default(environment, exporter_adds_content=exporter_adds_content)


def _default(environment: Mapping[str, str], *, exporter_adds_content: bool) -> list[Vocabulary]:
    agentops = AGENTOPS_WITHOUT_CONTENT if exporter_adds_content else AGENTOPS
    by_destination = _names_by_destination(environment)
    chosen = [agentops if name == "agentops" else VOCABULARIES[name] for name in _in_order(by_destination)]
    if len(by_destination) == 1:
        return chosen
    return [vocabulary.beside_others() for vocabulary in chosen]  # the exporters leave out what a backend does not read


def _registered() -> dict[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=ENTRY_POINTS)}


def _load(entry_point: EntryPoint) -> Vocabulary | None:
    """Load the vocabulary of an installed package. If that fails, log a warning and return `None`."""
    try:
        vocabulary = entry_point.load()
        fault = None if isinstance(vocabulary, Vocabulary) else "it is not a Vocabulary"
    except Exception as error:  # noqa: BLE001 - the package's module may raise anything
        fault = type(error).__name__
    if fault is None:
        return vocabulary  # type: ignore[no-any-return]  # checked above
    logger.warning(
        "The vocabulary %s=%r cannot be loaded (%s), so it is left out.", entry_point.name, entry_point.value, fault
    )
    return None
