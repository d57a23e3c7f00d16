"""The table of limitations of LiteLLM's releases."""

from __future__ import annotations

import ast

from support.project import ROOT
from support.releases import LIMITATIONS


def test_each_row_names_tests_that_exist() -> None:
    existing = set()
    for path in (ROOT / "tests").glob("*/test_*.py"):
        existing.add(path.stem)
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                existing.add(f"{path.stem}::{node.name}")
    assert {test for row in LIMITATIONS for test in row.tests} - existing == set()
