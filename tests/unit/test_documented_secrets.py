"""The page on redaction states what the rules redact, and the rules change nothing in ordinary pages."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from agentops_otel_litellm.redaction import redactor
from agentops_otel_litellm.settings.parsing import REDACTED
from support.documented_secrets import Kind, documented_kinds

KINDS = documented_kinds()
SURROUNDINGS = ("{}", "please use {} for this, thanks", "first line\n{}\nlast line")
ORDINARY = Path(__file__).parents[1] / "support" / "data" / "ordinary"
TAIL = 6
"""Number of characters of a secret that reveal it."""

redact = redactor(REDACTED)


def revealed(kind: Kind, random: Random) -> list[str]:
    """Secrets of this kind of which the rules leave a part, each in one of the surroundings."""
    found: list[str] = []
    for surroundings in SURROUNDINGS:
        text, parts = kind.secret(random)
        left = redact(surroundings.replace("{}", text))
        pieces = {part[at : at + TAIL] for part in parts for at in range(max(len(part) - TAIL, 0) + 1) if len(part) > 3}
        found += [left] if any(piece in left for piece in pieces) else []
    return found


def test_all_kinds_are_in_the_table() -> None:
    assert len(KINDS) == 221
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_table_states_what_is_redacted(kind: Kind) -> None:
    """`yes` means every secret, `no` has a reason."""
    random = Random(kind.name)
    left = [text for _ in range(10) for text in revealed(kind, random)]
    if kind.redacted == "yes":
        assert left == []
    else:
        assert kind.redacted.startswith("no: ")
        assert left


@pytest.mark.parametrize("page", ["prose.txt", "source_code.txt", "log.txt"])
def test_an_ordinary_page_is_unchanged(page: str) -> None:
    """It has words such as password and token, ids, hashes, numbers and addresses, but no secret."""
    text = (ORDINARY / page).read_text("utf-8")
    assert len(text.splitlines()) >= 40
    assert [line for line in text.splitlines() if redact(line) != line] == []
    assert redact(text) == text
