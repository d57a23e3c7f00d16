"""The README says what is so."""

from __future__ import annotations

import html
import re
from pathlib import Path

from agentops_otel_litellm.commands.settings import settings_table
from agentops_otel_litellm.exporters.console.exporter import HINT
from test_zero_code import quickstart

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_settings() -> None:
    """The table is the one that `agentops-otel-litellm settings` prints."""
    table = README.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    assert table.strip() == settings_table()


def _words(lines: str) -> list[str]:
    """The words that do not change from run to run: all but the time it took."""
    return re.sub(r"\b[\d.]+ m?s\b", "", lines).split()


def test_the_picture_is_what_the_console_prints() -> None:
    """`docs/console.svg` has the lines that the quickstart prints (`docs/picture.py` draws it)."""
    assert "](docs/console.svg)" in README
    picture = html.unescape((ROOT / "docs" / "console.svg").read_text(encoding="utf-8")).replace("\u00a0", " ")
    title, *lines = re.findall(r"<text[^>]*>(.*?)</text>", picture)
    assert title == "opentelemetry-instrument python examples/quickstart.py"
    shown = quickstart().stderr
    printed = shown[shown.index("\ncall ") :]
    assert _words(" ".join(lines)) == [*HINT.split(), *_words(printed)]
