"""Usage with wrong values."""

from __future__ import annotations

USAGE = {"prompt_tokens": 21, "completion_tokens": 13, "total_tokens": 34}
