"""Which of the places that are patched in LiteLLM this release has. LiteLLM is imported for that, by a process of its
own: it takes seconds, and may print, fetch and start what it likes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import ModuleType

from agentops_otel_litellm.commands.checks.installed import installed
from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.other_process import answer, asked
from agentops_otel_litellm.commands.record import Record, notice, ok, problem
from agentops_otel_litellm.features import CONSEQUENCES
from agentops_otel_litellm.seams import PATCH_POINTS, missing

SECONDS = 60
NAME = "litellm"
SAY = "Say so in a report, with the version of LiteLLM; its other calls are traced."


@dataclass(frozen=True, slots=True)
class Places:
    """Names of patch points: those found, and those missing although a feature needs them."""

    found: list[str]
    lacking: list[str]


def check(examined: Examined) -> Iterator[Record]:
    if installed("litellm") is None:
        return
    if not examined.imports_litellm:
        yield ok(NAME, "not looked at: LiteLLM is not imported with --quick")
        return
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OTEL_SDK_DISABLED": "true"}  # it fetches no prices
    found = asked(__name__, {**examined.for_others, **quiet}, SECONDS)
    if found is None:
        yield problem(NAME, "it cannot be imported", 'See why: python -c "import litellm"')
        return
    places = Places(**found)
    yield ok(NAME, f"{len(places.found)} of {len(PATCH_POINTS)} places found; releases differ in the rest")
    for name in places.lacking:
        yield notice(name, "not found: calls are traced in part or not at all", SAY)


def look() -> Places:
    """Import what can be imported of the modules that seams are in, and look what they have."""
    importlib.import_module("litellm")
    modules = {seam.module: _module(seam.module) for seam in PATCH_POINTS}
    found = [seam for seam in PATCH_POINTS if _has(modules[seam.module], seam.name)]
    lacking = [seam for feature in CONSEQUENCES for seam in missing(feature, found)]
    return Places([*map(str, found)], [*map(str, lacking)])


def _module(name: str) -> ModuleType | None:
    try:
        module = importlib.import_module(name)
    except Exception:  # noqa: BLE001 - another release's, or one that needs a package which is not installed
        return None
    return module if module.__name__ == name else None  # its name before LiteLLM moved it


def _has(module: ModuleType | None, dotted: str) -> bool:
    holder: object = module
    for name in dotted.split("."):
        if name not in getattr(holder, "__dict__", {}):
            return False
        holder = vars(holder)[name]
    return True


if __name__ == "__main__":
    answer(asdict(look()))
