"""StreamedResponse: the times at which a stream's chunks were received, and what their readers have accumulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentops_otel_litellm.call import Stream, StreamOutcome
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.chunk_times import ChunkTimes

if TYPE_CHECKING:
    from agentops_otel_litellm.content_records import Message
    from agentops_otel_litellm.readers import Chunks, Transcript

_READING_CONTENT = guard("reading the content of a chunk")


class StreamedResponse:
    """The times of a stream's chunks, and the readers that accumulate the chunks. No chunk is kept.

    `transcript`, which accumulates their content, is `None` if no content is captured. Times are seconds on the
    monotonic clock.
    """

    __slots__ = ("_chunk_times", "_returned", "_transcript", "chunks")

    def __init__(self, chunks: Chunks, returned: float, transcript: Transcript | None = None) -> None:
        self.chunks = chunks
        self._transcript = transcript
        self._returned = returned
        self._chunk_times = ChunkTimes()

    def add(self, chunk: object, at: float) -> None:
        """Add a chunk that was received at that time."""
        try:  # entering a guard costs as much as all of the rest
            self._chunk_times.add(at)
            self.chunks.add(chunk, at)
        except Exception as fault:  # noqa: BLE001 - as in a guard
            log_fault("reading a chunk", fault)
        if self._transcript is not None:
            self._add_content(chunk, self._transcript)

    def _add_content(self, chunk: object, transcript: Transcript) -> None:
        with _READING_CONTENT:
            transcript.add(chunk)

    def messages(self) -> tuple[Message, ...] | None:
        """The messages, as far as they were received; `None` if no content is captured."""
        return None if self._transcript is None else self._transcript.messages()

    @property
    def latest(self) -> float:
        """When the last chunk was received; without a chunk, when the stream was returned."""
        latest = self._chunk_times.latest
        return self._returned if latest is None else latest

    def finish(self, outcome: StreamOutcome, started: float) -> Stream:
        """Return the record of the stream, with times in seconds since the call `started`."""
        chunk_times = self._chunk_times
        first, first_token, latest = chunk_times.first, self.chunks.first_token, chunk_times.latest
        return Stream(
            outcome=outcome,
            chunk_count=len(chunk_times),
            first_chunk=None if first is None else first - started,
            first_token=None if first_token is None else first_token - started,
            last_chunk=None if latest is None else latest - started,
            gaps=chunk_times.gaps(),
        )
