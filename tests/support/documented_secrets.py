"""The kinds of secrets in the table of `docs/redaction.md`, and random secrets of each kind."""

from __future__ import annotations

import re
import string
from random import Random
from typing import NamedTuple

from support.project import ROOT

PAGE = ROOT / "docs" / "redaction.md"
_CHARACTERS = {
    "A": string.ascii_letters + string.digits,
    "C": string.ascii_uppercase + string.digits,
    "h": "0123456789abcdef",
    "d": string.digits,
    "b": string.ascii_letters + string.digits + "+/",
}
"""Letter in a form → the characters of the random text that it stands for."""
_RANDOM = re.compile(r"⟨(?:(?P<of>[AChdb])(?P<length>\d+)|=(?P<text>[^⟩]+))⟩")


class Kind(NamedTuple):
    """A row of the table."""

    name: str
    form: str
    redacted: str
    """`yes`, or `no` and the reason."""

    def secret(self, random: Random) -> tuple[str, list[str]]:
        """A text of this form, and its secret parts."""
        parts: list[str] = []

        def fill(found: re.Match[str]) -> str:
            part = found["text"] or "".join(random.choices(_CHARACTERS[found["of"]], k=int(found["length"])))
            parts.append(part)
            return part

        return _RANDOM.sub(fill, self.form.replace("⏎", "\n").replace("␣", "\u200b")), parts


def documented_kinds() -> list[Kind]:
    """All rows of the tables of the page."""
    rows = re.findall(r"^\| (.+?) \| `(.+?)` \| (.+?) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [Kind(*row) for row in rows]
