"""The README and the pages in `docs/` agree with the code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from reference import WRITTEN, page

from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.convention import Several
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


_MIGRATION = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
_ATTRIBUTE = re.compile(r"`([a-z_0-9]+(?:\.[a-z_0-9]+)+)`")
_OF_RESOURCE = {"service.name", "deployment.environment.name"}


def _migrated() -> list[list[str]]:
    """The cells of each row in the tables of attributes, which have four or more columns."""
    sections = [section for section in _MIGRATION.split("\n## ") if "\n| fact |" in section]
    lines = [line for section in sections for line in section.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [cells for cells in rows if len(cells) >= 4 and cells[0] != "fact"]


@pytest.mark.parametrize("cells", _migrated(), ids=lambda cells: cells[0])
def test_the_page_on_migration_names_attributes_that_exist(cells: list[str]) -> None:
    """The names here are of the conventions `gen_ai` and `llm`; the conventions that keep a name have it."""
    *theirs, ours, kept = cells[1:]
    assert [name for name in _ATTRIBUTE.findall(ours) if not _is_written(name, ("gen_ai", "llm"))] == []
    keeping = re.findall(r"`(gen_ai|llm|openinference|agentops)`", kept)
    assert keeping or kept == "-"
    columns = theirs[1:] if "(v2)" in kept else theirs
    names = {name for cell in columns for name in _ATTRIBUTE.findall(cell)}
    assert [name for name in sorted(names) if keeping and not _is_written(name, keeping)] == []


def _is_written(name: str, conventions: Iterable[str]) -> bool:
    rows = [
        row for convention in conventions for table in VOCABULARIES[convention].tables for row in table.rows.items()
    ]
    return name in _OF_RESOURCE or any(
        name == attribute or (isinstance(row, Several) and name.startswith(f"{attribute}.")) for attribute, row in rows
    )
