"""Langfuse's published mapper, under node, on the attributes of an example call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.backend_mappers import DEFAULT, MAPPERS, emitted, shown
from support.project import SUPPORT

SOURCES = "packages/shared/src/server/otel"
REPOSITORY = os.environ.get("LANGFUSE_REPOSITORY", "")

pytestmark = [
    pytest.mark.skipif(
        not (Path(REPOSITORY) / SOURCES).is_dir() or not REPOSITORY,
        reason="LANGFUSE_REPOSITORY is not the path of a clone of github.com/langfuse/langfuse",
    ),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
]


def mapped(conventions: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
    """What the mapper reads. NODE_PATH must have the package `typescript`."""
    done = subprocess.run(
        ["node", str(SUPPORT / "run_langfuse_mapper.cjs"), str(Path(REPOSITORY) / SOURCES)],
        input=json.dumps(emitted(conventions)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_langfuse_reads_every_fact_once() -> None:
    assert mapped(tuple(MAPPERS["Langfuse"].conventions)) == {
        "model": "gpt-4o",
        "usage": {
            "input": 28,
            "input_cached_tokens": 8,
            "input_cache_creation": 4,
            "output": 7,
            "output_reasoning_tokens": 5,
            "total": 52,
        },
        "cost": {
            "input": 0.27,
            "input_cached_tokens": 0.01,
            "input_cache_creation": 0.02,
            "output": 0.2,
            "total": 0.5,
        },
        "start": "2023-11-14T22:13:20.500000Z",
        "tags": ["a", "b"],
        "session": "session-1",
        "user": "ann",
    }


@pytest.mark.parametrize("conventions", [DEFAULT, tuple(MAPPERS["Langfuse"].conventions)])
def test_the_table_agrees_with_the_mapper(conventions: tuple[str, ...]) -> None:
    """The table of `docs/backends.md` is computed without node."""
    read, table = mapped(conventions), shown("Langfuse", conventions)
    usage = read["usage"]
    assert {
        "model": read["model"],
        "session": read["session"],
        "user": read["user"],
        "tags": read["tags"] or None,
        "cost": read["cost"].get("total"),
        "cache writes": usage.get("input_cache_creation"),
        "input tokens": sum(number for kind, number in usage.items() if "input" in kind),
        "output tokens": sum(number for kind, number in usage.items() if "output" in kind),
    } == {
        fact: table.get(fact)
        for fact in ("model", "session", "user", "tags", "cost", "cache writes", "input tokens", "output tokens")
    }
    assert (read["start"] is None) == ("first token" not in table)
