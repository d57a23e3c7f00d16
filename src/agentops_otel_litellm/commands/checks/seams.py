"""Which of the places that are patched in LiteLLM this release has. LiteLLM is imported for that, by a process of its
own: it takes seconds, and may print, fetch and start what it likes.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from agentops_otel_litellm.commands.checks.installed import installed
from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.record import Record, notice, ok, problem
from agentops_otel_litellm.seams import SEAMS

SECONDS = 60
MARK = "agentops-otel-litellm: "
"""What the line begins with that the other process answers with, among what LiteLLM may print."""
NAME = "litellm"
SAY = "Say so in a report, with the version of LiteLLM; its other calls are traced."


@dataclass(frozen=True, slots=True)
class Places:
    """Names of seams: those that are there, and those that are not, though every LiteLLM should have them."""

    found: list[str]
    lacking: list[str]


def check(examined: Examined) -> Iterator[Record]:
    if installed("litellm") is None:
        return
    if not examined.imports_litellm:
        yield ok(NAME, "not looked at: LiteLLM is not imported with --quick")
        return
    places = _asked(examined)
    if places is None:
        yield problem(NAME, "it cannot be imported", 'See why: python -c "import litellm"')
        return
    yield ok(NAME, f"{len(places.found)} of {len(SEAMS)} places found; releases differ in the rest")
    for name in places.lacking:
        yield notice(name, "not found: calls are traced in part or not at all", SAY)


def _asked(examined: Examined) -> Places | None:
    """What the other process finds; its LiteLLM fetches no prices, and is not traced."""
    done = subprocess.run(  # noqa: S603 - this Python, and a module of ours
        [sys.executable, "-m", __name__],
        env={**examined.for_others, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OTEL_SDK_DISABLED": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    answer = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    return None if answer is None else Places(**json.loads(answer.removeprefix(MARK)))


def look() -> Places:
    """Import what can be imported of the modules that seams are in, and look what they have."""
    importlib.import_module("litellm")
    modules = {seam.module: _module(seam.module) for seam in SEAMS}
    found = [seam for seam in SEAMS if _has(modules[seam.module], seam.name)]
    # As the instrumentor has it: a module that this release lacks is another release's.
    lacking = [
        seam
        for seam in SEAMS
        if seam.always and seam not in found and modules[seam.module] and seam.unless not in sys.modules
    ]
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
    places = look()
    print(MARK + json.dumps({"found": places.found, "lacking": places.lacking}))  # noqa: T201 - its answer
