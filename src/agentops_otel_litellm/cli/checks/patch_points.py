"""Checks which patch points this version of LiteLLM has.

This imports LiteLLM in a separate process, because the import takes seconds, and can print, download and start threads.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import ModuleType

from agentops_otel_litellm.cli.checks.installed import installed
from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.other_process import print_result, run_module
from agentops_otel_litellm.cli.record import Record, notice, ok, problem
from agentops_otel_litellm.features import CONSEQUENCES
from agentops_otel_litellm.patching.patch_points import PATCH_POINTS, missing

SECONDS = 60
NAME = "litellm"
REPORT = "Please report this, with the version of LiteLLM. Other calls are traced."


@dataclass(frozen=True, slots=True)
class PatchPoints:
    """Names of patch points: those found, and those missing although a feature needs them."""

    found: list[str]
    absent: list[str]


def check(examined: Examined) -> Iterator[Record]:
    """Report the patch points that the installed LiteLLM lacks although a feature needs them."""
    if installed("litellm") is None:
        return
    if not examined.imports_litellm:
        yield ok(NAME, "the patch points are not checked, because --quick does not import LiteLLM")
        return
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OTEL_SDK_DISABLED": "true"}  # no download of prices
    found = run_module(__name__, {**examined.subprocess_environment, **quiet}, SECONDS)
    if found is None:
        yield problem(NAME, "cannot be imported", 'To see why: python -c "import litellm"')
        return
    points = PatchPoints(**found)
    yield ok(
        NAME,
        f"{len(points.found)} of {len(PATCH_POINTS)} patch points found; the others are functions of other versions",
    )
    for name in points.absent:
        yield notice(name, "LiteLLM does not have this function: some calls are traced in part, or not at all", REPORT)


def find_patch_points() -> PatchPoints:
    """Import the modules of all patch points, as far as they exist, and look the patch points up."""
    importlib.import_module("litellm")
    modules = {point.module: _import_module(point.module) for point in PATCH_POINTS}
    found = [point for point in PATCH_POINTS if _has_attribute(modules[point.module], point.name)]
    absent = [point for feature in CONSEQUENCES for point in missing(feature, found)]
    return PatchPoints([*map(str, found)], [*map(str, absent)])


def _import_module(name: str) -> ModuleType | None:
    try:
        module = importlib.import_module(name)
    except Exception:  # noqa: BLE001 - absent in this version, or it needs a package that is not installed
        return None
    return module if module.__name__ == name else None  # LiteLLM moved the module, and this is its old name


def _has_attribute(module: ModuleType | None, dotted: str) -> bool:
    holder: object = module
    for name in dotted.split("."):
        if name not in getattr(holder, "__dict__", {}):
            return False
        holder = vars(holder)[name]
    return True


if __name__ == "__main__":
    print_result(asdict(find_patch_points()))
