"""Formats names, token counts, costs and durations for the console. Unknown values are blank."""

from __future__ import annotations

import math

TEXT_LIMIT = 200


def printable(text: str) -> str:
    """Remove the characters that control a terminal: escape sequences, line ends, changes of the text direction."""
    return "".join(filter(str.isprintable, text[:TEXT_LIMIT]))


def tokens(sent: float | None, received: float | None) -> str:
    """Input and output tokens: `1,204→145`."""
    sides = ["" if number is None else f"{number:,.0f}" for number in (sent, received)]
    return "→".join(sides) if any(sides) else ""


def dollars(amount: float | None) -> str:
    """An amount with at least two significant digits: `$1.24`, `$0.034100`, `$0.000070`, `$0.00000015`."""
    if not amount:
        return "" if amount is None else "$0.00"
    decimals = 2 if abs(amount) >= 1 else max(6, 1 - math.floor(math.log10(abs(amount))))
    return f"${amount:,.{decimals}f}"


def duration(seconds: float | None) -> str:
    """A duration: `12 ms`, `1.24 s`, `2 m 05 s`."""
    if seconds is None or seconds < 0:
        return ""
    milliseconds = round(seconds * 1_000)
    if milliseconds < 1_000:  # noqa: PLR2004
        return f"{milliseconds} ms" if milliseconds else "<1 ms"
    if milliseconds < 60_000:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s"
