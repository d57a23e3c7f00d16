"""The environment of settings."""

from __future__ import annotations

import pytest

from agentops_otel_litellm.settings import parsing


@pytest.fixture(autouse=True)
def nothing_warned_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "warned", set())
