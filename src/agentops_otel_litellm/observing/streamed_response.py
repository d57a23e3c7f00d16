"""A stream's chunks as they come: when, and what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentops_otel_litellm.call import Stream, StreamOutcome
from agentops_otel_litellm.guard import guard, tell
from agentops_otel_litellm.observing.instants import Instants

if TYPE_CHECKING:
    from agentops_otel_litellm.call.content import Message
    from agentops_otel_litellm.readers import Chunks, Transcript

_READING_CONTENT = guard("reading what a chunk says")


class StreamedResponse:
    """The instants of a stream's chunks, and the reader that adds the chunks up. No chunk is kept, and what they
    say only where content is wanted.

    Instants are seconds on the monotonic clock.
    """

    __slots__ = ("_instants", "_returned", "_transcript", "chunks")

    def __init__(self, chunks: Chunks, returned: float, transcript: Transcript | None = None) -> None:
        self.chunks = chunks
        self._transcript = transcript
        self._returned = returned
        self._instants = Instants()

    def add(self, chunk: object, at: float) -> None:
        """Take the chunk that came at that instant."""
        try:  # not a guard: entering one costs as much as all of the rest
            self._instants.add(at)
            self.chunks.add(chunk, at)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is ours
            tell("reading a chunk", fault)
        if self._transcript is not None:
            self._write_down(chunk, self._transcript)

    def _write_down(self, chunk: object, transcript: Transcript) -> None:
        with _READING_CONTENT:
            transcript.add(chunk)

    def said(self) -> tuple[Message, ...] | None:
        """The answers as far as they came, where they were written down."""
        return None if self._transcript is None else self._transcript.messages()

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
