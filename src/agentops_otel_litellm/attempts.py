"""LiteLLM's attempts at one call, while it makes them."""

from __future__ import annotations

from time import perf_counter

from agentops_otel_litellm.call import Attempt, Attempts, Failure, Target


class AttemptsSoFar:
    """One after the other: an attempt begins when LiteLLM turns to a provider, and ends when it fails or the call ends.

    Until it fails LiteLLM may turn to the provider several times, to upload and then to ask, say.
    Instants are seconds on the monotonic clock.
    """

    __slots__ = ("_began", "_error", "_made", "_started")

    def __init__(self, started: float) -> None:
        self._started = started
        """When the call did."""
        self._began: float | None = None
        """When the attempt did that is under way, if one is."""
        self._made: tuple[Attempt, ...] = ()
        """Those that are over."""
        self._error: object = None
        """What the last attempt failed with."""

    @property
    def under_way(self) -> bool:
        return self._began is not None

    def begin(self) -> None:
        """LiteLLM turns to a provider."""
        if self._began is None:
            self._began = perf_counter()

    def is_news(self, error: object, cause: object = None) -> bool:
        """Whether the error ends an attempt: LiteLLM's functions hand theirs on to the next, which may remake it.

        One that translates makes another of it, which it hands on.
        """
        translated = None if self.under_way else getattr(cause, "__context__", None)
        return self._error is None or self._error not in (error, cause, translated)

    def fail(self, error: BaseException, target: Target, failure: Failure) -> None:
        """The attempt failed, or one did before LiteLLM had turned to a provider."""
        self._made += (self._attempt(self._began, perf_counter(), target, failure),)
        self._began, self._error = None, error

    def add(self, target: Target, failure: Failure | None, began: float, ended: float) -> None:
        """One was made that is a call of its own."""
        self._made += (self._attempt(began, ended, target, failure),)

    def over(self, ended: float, target: Target, failure: Failure | None) -> Attempts | None:
        """All of them, now that the call is over; `None` where LiteLLM made none, for it had the answer."""
        made = self._made
        if self._began is not None:
            made += (self._attempt(self._began, ended, target, failure),)
        return Attempts(made=made) if made else None

    def _attempt(self, began: float | None, ended: float, target: Target, failure: Failure | None) -> Attempt:
        return Attempt(
            number=len(self._made) + 1,
            model=target.model,
            provider=target.provider,
            started=None if began is None else began - self._started,
            duration=None if began is None else ended - began,
            failure=failure,
        )
