"""A stream's chunks as they come: when, and what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentops_otel_litellm.call import Stream, StreamOutcome
from agentops_otel_litellm.guard import tell
from agentops_otel_litellm.observing.instants import Instants

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
        self._instants = Instants()

    def add(self, chunk: object, at: float) -> None:
        """Take the chunk that came at that instant."""
        try:  # not a guard: entering one costs as much as all of the rest
            self._instants.add(at)
            self.chunks.add(chunk, at)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is ours
            tell("reading a chunk", fault)

    @property
    def latest(self) -> float:
        """The instant of the last sign of life."""
        latest = self._instants.latest
        return self._returned if latest is None else latest

    def timed(self, outcome: StreamOutcome, started: float) -> Stream:
        """Every instant in seconds since the call `started`."""
        instants = self._instants
        first, first_token, latest = instants.first, self.chunks.first_token, instants.latest
        return Stream(
            outcome=outcome,
            chunk_count=len(instants),
            first_chunk=None if first is None else first - started,
            first_token=None if first_token is None else first_token - started,
            last_chunk=None if latest is None else latest - started,
            gaps=instants.gaps(),
        )
