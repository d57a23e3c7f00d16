"""The one guard: a fault of ours is told once and never reaches the app."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from types import TracebackType

logger = logging.getLogger("agentops_otel_litellm")

_told: set[tuple[str, str]] = set()


class guard:  # noqa: N801 - it reads as the statement it is: `with guard("…"):`
    """Swallow any `Exception` of the block, and log each cause once.

    `BaseException` (cancellation, interrupts, exits) is the app's and passes. The log line names the place and
    the kind of fault, never its text, which could quote content.
    """

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        tell(self._doing, error)
        return True


def tell(doing: str, error: Exception) -> None:
    """Log that `doing` failed, once for each place and kind of fault."""
    place = place_of(error)
    kind = type(error).__name__
    if (place, kind) in _told:
        return
    _told.add((place, kind))
    with suppress(Exception):  # a handler of the app's may raise
        logger.warning(
            "%s failed (%s at %s): some telemetry is missing, the call was not touched. Told once; please report it.",
            doing[:1].upper() + doing[1:],
            kind,
            place,
        )


def place_of(error: Exception) -> str:
    """The innermost file and line."""
    traceback = error.__traceback__
    if traceback is None:
        return "an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
