"""How much is told of what was said, and what is told in the place of the rest."""

from __future__ import annotations

from agentops_otel_litellm.record import record

LONGEST_SECRET = 8_192
"""Characters past the limit that are looked at, and not told: no secret is cut in two and not recognised."""


@record
class Limits:
    """Characters that may be told."""

    part: int
    """Of a text, or of a structure."""
    call: int
    """Of all of them."""
    media: int = 0
    """Of the base64 of an image or the like, which has no part in the others."""


def left_out(size: int) -> str:
    """The mark that tells how many characters are missing."""
    return f"… [{size} characters left out]"
