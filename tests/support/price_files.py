"""Files with prices of an application."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOKENS = {"input_cost_per_token": 2.0, "output_cost_per_token": 5.0}


def written(path: Path, prices: object) -> str:
    file = path / "prices.json"
    file.write_text(prices if isinstance(prices, str) else json.dumps(prices), "utf-8")
    return str(file)


LISTED = {"openai/gpt-4o": {"input_cost_per_token": 0.5, "output_cost_per_token": 2.0}, "mine": TOKENS}


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's file."""
    monkeypatch.setenv("AGENTOPS_PRICES", written(tmp_path, LISTED))
