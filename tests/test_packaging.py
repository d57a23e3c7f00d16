"""What `pyproject.toml` says is what the code does."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from importlib_metadata import packages_distributions  # the standard library's knows too little before 3.11
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from agentops_otel_litellm.instrumentor import LITELLM

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _imported(*, apart: str = "prices/package.py") -> set[str]:
    """The top-level names of what the package imports, but for the standard library and itself, and `apart` from the
    module that is for an extra.
    """
    names: set[str] = set()
    for file in (ROOT / "src").rglob("*.py"):
        if file.as_posix().endswith(apart):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"agentops_otel_litellm"}


def test_what_is_imported_is_declared() -> None:
    """Each import is of a distribution among the dependencies; litellm is never imported."""
    declared = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}
    owners = packages_distributions()
    undeclared = [
        name for name in _imported() if not declared & {canonicalize_name(owner) for owner in owners.get(name, ())}
    ]
    assert undeclared == []


def test_the_range_of_litellm_is_one() -> None:
    """The instrumentor asks for what `pip install agentops-otel-litellm[instruments]` installs."""
    (instruments,) = map(Requirement, PROJECT["optional-dependencies"]["instruments"])
    asked = Requirement(LITELLM)
    assert (instruments.name, instruments.specifier) == (asked.name, asked.specifier)
