"""Line: the parts of a printed line, and how they are fitted to a width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every process of the app pays for imports: rich is loaded when there is something to draw
    from rich.text import Text

# Figure → its format. The call is printed before the figures, its outcome after them.
FIGURES = {"provider": "<15.15", "time": ">8", "1st token": ">9", "tokens": ">12", "cost": ">9"}
OMITTED_FIRST = ("provider", "1st token", "tokens", "cost")
CALL_WIDTHS = (26, 36)  # minimum, below which figures are omitted; maximum
OUTCOME_WIDTH = 9
GAP = "  "

Styled = tuple[str, str]
"""A text and its style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line to draw, not yet fitted to a width."""

    indent: str = ""
    call: Sequence[Styled]
    figures: Mapping[str, str] = field(default_factory=dict)
    outcome: Styled = ("", "")


HEADING = Line(call=[("call", "dim")], figures={name: name for name in FIGURES}, outcome=("outcome", "dim"))


def layout(width: int) -> tuple[int, list[str]]:
    """The width of the column with the call, and the figures that fit next to it."""
    for omitted in range(len(OMITTED_FIRST) + 1):
        columns = [name for name in FIGURES if name not in OMITTED_FIRST[:omitted]]
        room = width - len(_figures({}, columns) + GAP) - OUTCOME_WIDTH
        if room >= CALL_WIDTHS[0]:
            break
    return min(room, CALL_WIDTHS[1]), columns


def draw(line: Line, width: int, call_width: int, columns: Sequence[str]) -> Text:
    """The line, at most `width` wide. The call is truncated first; an error may be printed over blank figures."""
    from rich.text import Text

    outcome, style = line.outcome
    figures = _figures(line.figures, columns)
    if call_width + len(figures + GAP + outcome) > width:
        figures = figures.rstrip()
    room = width - len(figures + GAP)
    call_width = max(min(call_width, room - OUTCOME_WIDTH), 1)
    text = Text.assemble(line.indent[: max(call_width - CALL_WIDTHS[0] // 2, len(GAP))], *line.call)
    if line.figures:
        text.truncate(max(call_width, room - max(OUTCOME_WIDTH, len(outcome))), overflow="ellipsis")
        text.pad_right(max(call_width - text.cell_len, 0))
        text.append(figures, "dim" if line is HEADING else None).append(GAP).append(outcome, style)
        text.rstrip()
    text.truncate(width, overflow="ellipsis")
    return text


def _figures(known: Mapping[str, str], columns: Sequence[str]) -> str:
    return "".join(f"{GAP}{known.get(name, ''):{FIGURES[name]}}" for name in columns)
