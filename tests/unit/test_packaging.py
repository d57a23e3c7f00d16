"""`pyproject.toml` and `constraints.txt` agree with the code and the README."""

from __future__ import annotations

import ast
import re
import sys

import pytest
from importlib_metadata import packages_distributions  # the standard library's knows too little before 3.11
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from agentops_otel_litellm.instrumentor import LITELLM

if sys.version_info >= (3, 11):
    pass
else:  # pytest brings it
    pass
from support.project import PROJECT, ROOT, TOOLS

PINNED = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


APART = (
    *("pricing/genai_prices.py", "exporters/console.py", "exporters/console_lines.py"),
    *("settings/config_file.py", "pyinstaller/hook-agentops_otel_litellm.py"),
)


def _imported() -> set[str]:
    """Top-level names of imported packages, without the standard library and this package.

    The modules `APART` are left out: what they import belongs to an extra, to opentelemetry-configuration or to
    PyInstaller.
    """
    names: set[str] = set()
    for file in (ROOT / "src").rglob("*.py"):
        if file.as_posix().endswith(APART):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"agentops_otel_litellm"}


def test_imported_packages_are_declared() -> None:
    """Each imported package belongs to a dependency; litellm is never imported."""
    declared = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}
    owners = packages_distributions()
    undeclared = [
        name for name in _imported() if not declared & {canonicalize_name(owner) for owner in owners.get(name, ())}
    ]
    assert undeclared == []


def test_the_range_of_litellm_is_declared_once() -> None:
    """The instrumentor requires the range of the extra `instruments`."""
    (instruments,) = map(Requirement, PROJECT["optional-dependencies"]["instruments"])
    required = Requirement(LITELLM)
    assert (instruments.name, instruments.specifier) == (required.name, required.specifier)


def _installed_by_the_readme() -> list[Requirement]:
    """The package's dependencies and those of its extras, without itself."""
    extras = (each for requirements in PROJECT["optional-dependencies"].values() for each in requirements)
    requirements = map(Requirement, (*PROJECT["dependencies"], *extras))
    return [each for each in requirements if each.name != PROJECT["name"]]


@pytest.mark.parametrize("requirement", _installed_by_the_readme(), ids=str)
def test_each_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    """So that a new release of a dependency cannot break the README's commands."""
    pins = [pin for pin in PINNED if canonicalize_name(pin.name) == canonicalize_name(requirement.name)]
    versions = [specifier.version for pin in pins for specifier in pin.specifier if specifier.operator == "=="]
    assert versions
    assert len(versions) == len(pins)
    assert all(requirement.specifier.contains(each, prereleases=True) for each in versions)


def test_the_readme_installs_with_the_constraints() -> None:
    """Both commands for a clone of the repository."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("pip install ") and "'." in line]
    assert len(commands) == 2
    assert all(command.startswith("pip install -c constraints.txt ") for command in commands)


README = (ROOT / "README.md").read_text(encoding="utf-8")
REPOSITORY = "https://github.com/AgentOps-AI/agentops-otel-litellm"
RELATIVE = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def test_the_page_on_an_index_has_absolute_links() -> None:
    """An index shows the README without the repository, so that relative links would lead nowhere."""
    page = README
    hook = TOOLS["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    assert hook["fragments"] == [{"path": "README.md"}]
    for each in hook["substitutions"]:
        page = re.sub(each["pattern"], each["replacement"], page)
    assert RELATIVE.findall(page) == []
    linked = set(RELATIVE.findall(README))
    assert linked
    for path in linked:
        assert (ROOT / path).exists()
        assert f"({REPOSITORY}/blob/main/{path}" in page or f"/main/{path}?sanitize=true)" in page
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)
    raw = REPOSITORY.replace("//github.com", "//raw.githubusercontent.com")
    assert pictures == [f"{raw}/main/docs/console.svg?sanitize=true"]


def test_the_links_and_classifiers_of_the_page() -> None:
    """Readers find the documentation and the issues, and those who search for OpenTelemetry find the package."""
    assert {"Documentation", "Issues", "Source", "Changelog"} == PROJECT["urls"].keys()
    assert all(url.startswith(REPOSITORY) for url in PROJECT["urls"].values())
    frameworks = [each for each in PROJECT["classifiers"] if each.startswith("Framework")]
    kinds = ["Distros", "Exporters", "Instrumentations"]
    assert frameworks == ["Framework :: OpenTelemetry", *(f"Framework :: OpenTelemetry :: {kind}" for kind in kinds)]
