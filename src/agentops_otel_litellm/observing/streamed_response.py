"""A stream's chunks as they come: when, and what they amount to."""

from __future__ import annotations

from array import array
from operator import sub
from typing import TYPE_CHECKING

from agentops_otel_litellm.call import Stream, StreamOutcome
from agentops_otel_litellm.guard import tell

if TYPE_CHECKING:
    from agentops_otel_litellm.readers import Chunks


class StreamedResponse:
    """The instants of a stream's chunks, and the reader that adds the chunks up. No chunk is kept.

    Instants are seconds on the monotonic clock.
    """

    __slots__ = ("_instants", "_returned", "chunks")

    def __init__(self, chunks: Chunks, returned: float) -> None:
        self.chunks = chunks
        self._returned = returned
        self._instants = array("d")

    def add(self, chunk: object, at: float) -> None:
        """Take the chunk that came at that instant."""
        self._instants.append(at)
        try:  # not a guard: entering one costs as much as all of the rest
            self.chunks.add(chunk, at)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is ours
            tell("reading a chunk", fault)

    @property
    def latest(self) -> float:
        """The instant of the last sign of life."""
        return self._instants[-1] if self._instants else self._returned

    def timed(self, outcome: StreamOutcome, started: float) -> Stream:
        """Every instant in seconds since the call `started`."""
        instants, first_token = self._instants, self.chunks.first_token
        return Stream(
            outcome=outcome,
            chunk_count=len(instants),
            first_chunk=instants[0] - started if instants else None,
            first_token=None if first_token is None else first_token - started,
            last_chunk=instants[-1] - started if instants else None,
            gaps=array("d", map(sub, instants[1:], instants)),
        )
