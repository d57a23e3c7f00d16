"""The environment of `doctor`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentops_otel_litellm.settings import parsing
from support.logged_warnings import LoggedWarnings


@pytest.fixture(autouse=True)
def environment_of_an_app(monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings) -> Iterator[None]:
    """Accepts warnings about invalid values, since the report has them too."""
    monkeypatch.setattr(parsing, "warned", set())
    yield
    assert all("Invalid value for " in line for line in logged.take())
