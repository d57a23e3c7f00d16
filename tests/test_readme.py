"""The README says what is so."""

from __future__ import annotations

from pathlib import Path

from agentops_otel_litellm.__main__ import settings_table

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_settings() -> None:
    """The table is the one that `agentops-otel-litellm settings` prints."""
    table = README.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    assert table.strip() == settings_table()


def test_the_picture_is_there() -> None:
    """The README's picture is in the repository."""
    assert (Path(__file__).parent.parent / "docs" / "console.svg").stat().st_size > 0
