"""The README and the pages in `docs/` agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reference import WRITTEN, page

from support.project import ROOT


@pytest.mark.parametrize("name", WRITTEN)
def test_generated_pages_are_up_to_date(name: str) -> None:
    """`python docs/reference.py` writes the pages with settings, attributes and metrics."""
    assert page(name) == (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_links_are_valid() -> None:
    """Links to other pages and to headings."""
    pages = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{at.name}: {link}"
        for at in pages
        for link in re.findall(r"\]\(([^)\s]+)\)", at.read_text(encoding="utf-8"))
        if not link.startswith("http") and not _is_there(at, link)
    ]
    assert broken == []


def test_the_map_of_the_sources_is_complete() -> None:
    """The page and its picture name only files and packages that exist, and the page names every package."""
    named = set(re.findall(r"`([a-z_]+(?:/|\.py))`", (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")))
    drawn = set(
        re.findall(r"[a-z_]+(?:/|\.py)(?=[ <])", (ROOT / "docs" / "how-it-works.svg").read_text(encoding="utf-8"))
    )
    sources = ROOT / "src" / "agentops_otel_litellm"
    assert len(drawn) >= 8
    assert [place for place in named | drawn if not (sources / place).exists()] == []
    assert {f"{each.parent.name}/" for each in sources.glob("*/__init__.py")} <= named


def _is_there(at: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    to = at.parent / path if path else at
    return to.is_file() and (not heading or heading in map(_anchor, _headings(to)))


def _headings(to: Path) -> list[str]:
    return re.findall(r"^#+ (.*)$", to.read_text(encoding="utf-8"), re.MULTILINE)


def _anchor(heading: str) -> str:
    """The anchor that GitHub generates for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
