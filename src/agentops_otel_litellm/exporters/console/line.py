"""Line: the parts of a printed line, and how they are fitted to a width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every process of the app pays for imports: rich is loaded when there is something to draw
    from rich.text import Text

# Column → the format of its cells. The call is printed before these columns, and its outcome after them.
COLUMNS = {"provider": "<15.15", "time": ">8", "1st token": ">9", "tokens": ">12", "cost": ">9"}
OMITTED_FIRST = ("provider", "1st token", "tokens", "cost")
MIN_CALL_WIDTH, MAX_CALL_WIDTH = 26, 36  # if the call would have less than the minimum, columns are omitted
OUTCOME_WIDTH = 9
GAP = "  "

Styled = tuple[str, str]
"""A text and its style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line to draw, not yet fitted to a width."""

    indent: str = ""
    call: Sequence[Styled]
    cells: Mapping[str, str] = field(default_factory=dict)
    """Column → text."""
    outcome: Styled = ("", "")


HEADING = Line(call=[("call", "dim")], cells={name: name for name in COLUMNS}, outcome=("outcome", "dim"))


def layout(width: int) -> tuple[int, list[str]]:
    """The width of the column with the call, and the names of the columns that fit next to it."""
    for omitted in range(len(OMITTED_FIRST) + 1):
        columns = [name for name in COLUMNS if name not in OMITTED_FIRST[:omitted]]
        available = width - len(_format_cells({}, columns) + GAP) - OUTCOME_WIDTH
        if available >= MIN_CALL_WIDTH:
            break
    return min(available, MAX_CALL_WIDTH), columns


def draw(line: Line, width: int, call_width: int, columns: Sequence[str]) -> Text:
    """The line as text of at most `width` characters.

    If the line is too long, the call is truncated first. A long outcome, such as the name of an error, begins further
    to the left if the last cells before it are blank.
    """
    from rich.text import Text

    outcome, style = line.outcome
    cells = _format_cells(line.cells, columns)
    if call_width + len(cells + GAP + outcome) > width:
        cells = cells.rstrip()
    available = width - len(cells + GAP)
    call_width = max(min(call_width, available - OUTCOME_WIDTH), 1)
    max_indent = max(call_width - MIN_CALL_WIDTH // 2, len(GAP))  # at least half of the minimum width is for the call
    text = Text.assemble(line.indent[:max_indent], *line.call)
    if line.cells:
        text.truncate(max(call_width, available - max(OUTCOME_WIDTH, len(outcome))), overflow="ellipsis")
        text.pad_right(max(call_width - text.cell_len, 0))
        text.append(cells, "dim" if line is HEADING else None).append(GAP).append(outcome, style)
        text.rstrip()
    text.truncate(width, overflow="ellipsis")
    return text


def _format_cells(cells: Mapping[str, str], columns: Sequence[str]) -> str:
    return "".join(f"{GAP}{cells.get(name, ''):{COLUMNS[name]}}" for name in columns)
