"""Files with prices of an application."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOKENS = {"input_cost_per_token": 2.0, "output_cost_per_token": 5.0}


def write_prices(path: Path, prices: object) -> str:
    file = path / "prices.json"
    file.write_text(prices if isinstance(prices, str) else json.dumps(prices), "utf-8")
    return str(file)


USER_PRICES = {"openai/gpt-4o": {"input_cost_per_token": 0.5, "output_cost_per_token": 2.0}, "mine": TOKENS}


@pytest.fixture
def user_prices_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sets AGENTOPS_PRICES to a file with prices."""
    monkeypatch.setenv("AGENTOPS_PRICES", write_prices(tmp_path, USER_PRICES))
