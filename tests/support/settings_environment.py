"""The environment of settings."""

from __future__ import annotations

import pytest

from agentops_otel_litellm.settings import parsing


@pytest.fixture(autouse=True)
def no_earlier_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "warned", set())
