"""The README and the pages in `docs/` say what is so."""

from __future__ import annotations

import html
import re

from agentops_otel_litellm.exporters.console import HINT
from support.launching import quickstart
from support.project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


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
