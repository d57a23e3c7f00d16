"""The tables of state that threads share, compared with the source."""

from __future__ import annotations

import re

import pytest

from agentops_otel_litellm.fork import PARTS
from support import shared_state
from support.project import ROOT

PAGE = ROOT / "docs" / "concurrency.md"
ROW = re.compile(r"^\| ([\w -]+) \| `([\w/.]+)`: `([\w()]+)` \| (.+) \| (.+) \|$", re.MULTILINE)
DOCUMENTED = {match.groups()[:3]: match[5] for match in ROW.finditer(PAGE.read_text("utf-8"))}


def test_shared_state_is_documented() -> None:
    found = shared_state.rows()
    assert {"rows missing": sorted(found - set(DOCUMENTED)), "rows left over": sorted(set(DOCUMENTED) - found)} == {
        "rows missing": [],
        "rows left over": [],
    }


def test_each_part_that_a_fork_renews_is_documented() -> None:
    """And no row names an unknown part."""
    text = " ".join(DOCUMENTED.values())
    named = set(re.findall(r"`([^`]+)`", text))
    assert named == set(PARTS)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("lock", "class A:\n    def __init__(self):\n        self.lock = threading.Lock()"),
        ("lock", "def a():\n    with RLock():\n        pass"),
        ("thread", "def a():\n    Thread(target=print).start()"),
        ("fork", "class A:\n    def a(self):\n        os.register_at_fork(before=print)"),
        ("exit", "def a():\n    atexit.register(print)"),
        ("lazy import", "def a():\n    import json"),
        ("cache", "@cache\ndef a(): ..."),
        ("global", "a = {}"),
        ("global", "a: set[str] = set()"),
        ("global", "a = Something()"),
    ],
)
def test_shared_state_is_found_in_sources(kind: str, source: str) -> None:
    assert kind in {found for found, _ in shared_state.rows_of(source)}


@pytest.mark.parametrize(
    "source", ["A = {1: 2}", "A = frozenset()", "if TYPE_CHECKING:\n    import json", "import json"]
)
def test_constants_and_imports_are_no_shared_state(source: str) -> None:
    assert set(shared_state.rows_of(source)) == set()
