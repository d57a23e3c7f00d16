"""State that threads share, found in the source of this package: compared with the table in docs/concurrency.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import agentops_otel_litellm

PACKAGE = Path(agentops_otel_litellm.__file__).parent
EXCLUDED = ("cli", "__main__.py")  # programs of their own, of one thread
# Called function or class → kind of the row.
KINDS = {
    **dict.fromkeys(("Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier"), "lock"),
    **dict.fromkeys(("SimpleQueue", "Queue", "LifoQueue", "PriorityQueue"), "queue"),
    **dict.fromkeys(("Thread", "Timer", "ThreadPoolExecutor", "start_thread", "start_new_thread"), "thread"),
    **dict.fromkeys(("register_at_fork", "register_after_fork"), "fork"),
    "Finalize": "exit",
    "local": "thread-local",
}
COLLECTIONS = {"dict", "list", "set", "deque", "OrderedDict", "Counter", "defaultdict", "WeakSet", "WeakKeyDictionary"}
IMMUTABLE = {"guard", "getLogger", "create_key", "TypeVar", "compile", "frozenset", "MappingProxyType", "maketrans"}
CACHES = {"cache", "lru_cache", "cached_property"}

Row = tuple[str, str, str]
"""Kind, module (a path in the package), and the class, function or name in it."""


def rows() -> set[Row]:
    found: set[Row] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(EXCLUDED):
            for kind, where in rows_of(path.read_text("utf-8")):
                if kind != "global" or not _is_frozen(name, where):
                    found.add((kind, name, where))
    return found


def rows_of(source: str) -> Iterator[tuple[str, str]]:
    """Kind, and class, function or name, of each row for a module's source."""
    tree = ast.parse(source)
    yield from _rows_within(tree, "")
    yield from (("global", name) for name in _mutable_globals(tree))


def _rows_within(node: ast.AST, where: str) -> Iterator[tuple[str, str]]:
    """Locks, threads, caches and imports in functions, by the outermost class or function."""
    for child in ast.iter_child_nodes(node):
        inside = where
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inside = where or child.name
            if CACHES & {_name(each) for each in child.decorator_list}:
                yield "cache", inside
        elif isinstance(child, ast.Call) and _is_atexit(child.func):
            yield "exit", where or "(module)"
        elif isinstance(child, ast.Call) and _name(child) in KINDS:
            yield KINDS[_name(child)], where or "(module)"
        elif isinstance(child, ast.Import | ast.ImportFrom) and where:
            yield "lazy import", where
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield from _rows_within(child, inside)


def _mutable_globals(tree: ast.Module) -> Iterator[str]:
    """Names of a module that are bound to a mutable object: a collection that is initially empty, or an instance."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            (target,) = statement.targets if isinstance(statement, ast.Assign) else (statement.target,)
            if isinstance(target, ast.Name) and _is_mutable(statement.value):
                yield target.id


def _is_frozen(module: str, name: str) -> bool:
    """Whether the value is immutable: a frozen dataclass, a named tuple, or a table of attributes."""
    value = getattr(import_module(f"agentops_otel_litellm.{module.removesuffix('.py').replace('/', '.')}"), name)
    frozen = is_dataclass(value) and vars(type(value))["__dataclass_params__"].frozen
    return frozen or isinstance(value, tuple) or type(value).__name__ in {"mappingproxy", "Status", "Vocabulary"}


def _is_atexit(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "register" and _name(function.value) == "atexit"


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Dict | ast.List | ast.Set):
        return not (value.keys if isinstance(value, ast.Dict) else value.elts)
    if not isinstance(value, ast.Call):
        return False
    name = _name(value)
    return name not in IMMUTABLE and (name in COLLECTIONS or name.lstrip("_")[:1].isupper() or name == "count")


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
