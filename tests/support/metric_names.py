"""Names of metrics."""

from __future__ import annotations

from support.conventions import LATEST_METRICS, METRICS
from support.recorder import Attributes

DURATION = "gen_ai.client.operation.duration"


TOKENS = "gen_ai.client.token.usage"


NEWEST_CONVENTIONS = {
    "gen_ai.client.operation.duration": METRICS["gen_ai.client.operation.duration"],  # the duration of other operations
    **{name: each for name, each in LATEST_METRICS.items() if name.startswith("gen_ai.client.")},
}


CHAT: Attributes = {"gen_ai.operation.name": "chat"}
