"""The structure of the sources: which package may import which, no cycles, and how many and how large files may be."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import agentops_otel_litellm

PACKAGE = Path(agentops_otel_litellm.__file__).parent
NAME = "agentops_otel_litellm"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"cli", "__main__"}),
    frozenset({"__init__", "sdk"}),
    frozenset({"instrumentor"}),
    frozenset({"patching", "proxy"}),
    frozenset({"invocation"}),
    frozenset({"telemetry", "metrics", "deferred_attributes", "trace_cost", "work_spans"}),
    frozenset({"exporters", "processors", "pricing"}),
    frozenset({"readers"}),
    frozenset({"semconv"}),
    frozenset({"operations", "providers", "settings"}),
    frozenset(
        {
            *("call", "response_headers", "records", "work", "guard", "fork", "background", "version", "redaction"),
        }
    ),
)
"""The packages and modules of each layer, the highest layer first. A module imports only from its own layer and from
lower ones. Imports in functions count, and so do imports for type checkers.
"""
SAME_SUBJECT = frozenset({"agentops"})
"""Names of files that several packages have, because the subject is the same in all of them."""
MAX_FILES = 122
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60

SOURCES: Mapping[str, Path] = {
    ".".join([NAME, *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""Name of each module → its file."""
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in SOURCES.items()}


def imports_of(module: str, *, at_runtime: bool = False) -> Iterator[str]:
    """The modules of this package that a module imports, wherever the import is. `at_runtime` omits imports for type
    checkers.
    """
    skipped = {
        id(each)
        for node in ast.walk(TREES[module])
        if at_runtime and is_for_type_checkers(node)
        for each in ast.walk(node)
    }
    for node in ast.walk(TREES[module]):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [each if each in SOURCES else str(node.module) for each in found]
        else:
            continue
        yield from (each for each in found if each in SOURCES)


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


IMPORTS = {module: sorted({*imports_of(module)} - {module}) for module in SOURCES}


RUNTIME_IMPORTS = {module: sorted({*imports_of(module, at_runtime=True)} - {module}) for module in SOURCES}


def top_level(module: str) -> str:
    """The package, or the module at the top level, to which a module belongs."""
    return "__init__" if module == NAME else module.split(".")[1]


def layer_of(module: str) -> int | None:
    return next((number for number, names in enumerate(LAYERS) if top_level(module) in names), None)


def reached_from(module: str) -> set[str]:
    """All modules that a module imports, directly or by other modules."""
    reached: set[str] = set()
    waiting = [*RUNTIME_IMPORTS[module]]
    while waiting:
        imported = waiting.pop()
        if imported not in reached:
            reached.add(imported)
            waiting += RUNTIME_IMPORTS[imported]
    return reached


def test_imports_are_found() -> None:
    """Imports at the top, in functions and for type checkers: of modules, and of names in them."""
    assert f"{NAME}.instrumentor" in IMPORTS[f"{NAME}.sdk.application"]
    assert f"{NAME}.exporters.agentops" in IMPORTS[f"{NAME}.exporters.delivery"]
    assert f"{NAME}.sdk.application" in IMPORTS[NAME]
    assert f"{NAME}.sdk.defaults" in IMPORTS[f"{NAME}.cli.report"]


def test_each_package_has_a_layer() -> None:
    assert sorted({top_level(module) for module in SOURCES if layer_of(module) is None}) == []


@pytest.mark.parametrize("package", sorted({top_level(module) for module in SOURCES}))
def test_imports_do_not_point_upwards(package: str) -> None:
    """Each module imports only from its own layer and from lower ones."""
    upward = [
        f"{module} imports {imported}"
        for module, imports in IMPORTS.items()
        if top_level(module) == package
        for imported in imports
        if (layer_of(imported) or 0) < (layer_of(module) or 0)
    ]
    assert upward == []


def test_no_import_cycle() -> None:
    """Nor among modules that import each other only in functions. Imports for type checkers do not count: an object and
    the functions that read it may name each other's types.
    """
    assert [module for module in IMPORTS if module in reached_from(module)] == []


def test_names_of_files_are_unique() -> None:
    """So that a name leads to one file, unless the subject is the same in two packages."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in SOURCES.values():
        if path.stem != "__init__":
            files[path.stem].append(path.relative_to(PACKAGE).as_posix())
    assert {name: each for name, each in files.items() if len(each) > 1 and name not in SAME_SUBJECT} == {}


def test_the_number_of_files() -> None:
    assert len(SOURCES) <= MAX_FILES


def test_files_can_be_read_at_once() -> None:
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in SOURCES.items()}
    assert {module: length for module, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_can_be_read_at_once() -> None:
    lengths = {
        f"{module}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}
