"""LiteLLM's attempts at one call, while it makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Attempt, Attempts, Failure, Routing, Target

_UNKNOWN_TARGET, _NO_ROUTING = Target(), Routing()


@dataclass(slots=True)
class Try:
    """An attempt that may be under way. Instants are seconds on the monotonic clock."""

    began: float
    """When LiteLLM turned to a provider; of one that failed before it did, when that was."""
    ended: float | None = None
    reached: bool = True
    """Whether LiteLLM turned to a provider."""
    target: Target = _UNKNOWN_TARGET
    routing: Routing = _NO_ROUTING
    failure: Failure | None = None
    needless: bool = False
    """Whether LiteLLM's cache had the answer, after all."""


class AttemptsSoFar:
    """What LiteLLM tried for a call: one after the other, or, of a call that the Router carries, calls of their own.

    An attempt begins when LiteLLM turns to a provider, and ends when it fails or the call ends. Until it fails LiteLLM
    may turn to the provider several times, to upload and then to ask, say.
    """

    __slots__ = ("_errors", "_made", "_now")

    def __init__(self) -> None:
        self._made: list[Try] = []
        self._now: Try | None = None
        """The one that is under way, if one is."""
        self._errors: list[BaseException] = []
        """What those made failed with. LiteLLM's functions hand their errors on, the first as well as the last."""

    @property
    def under_way(self) -> bool:
        return self._now is not None

    def begin(self) -> None:
        """LiteLLM turns to a provider."""
        if self._now is None:
            self._now = Try(perf_counter())
            self._made.append(self._now)

    def end(self, at: float, target: Target) -> None:
        """The attempt that is under way, if one is, has been answered: LiteLLM will ask something else."""
        if self._now is not None:
            self._now.ended, self._now.target = at, target
            self._now = None

    def fail(self, error: BaseException, at: float, target: Target, failure: Failure | None = None) -> None:
        """The attempt that is under way failed, or one did before LiteLLM had turned to a provider; `failure`: what is
        known of that, if more is than the error says.
        """
        failure = failure or readers.read_failure(error)
        failed = self._now
        if failed is None:
            failed = Try(at, reached=False)
            self._made.append(failed)
        failed.ended, failed.target, failed.failure = at, target, failure
        self._now = None
        self._errors.append(error)

    def error_made(self, error: BaseException, of: object, at: float, target: Target) -> None:
        """LiteLLM made its own error of one that came at that instant: it ends the attempt that is under way, or means
        the same attempt as the other.
        """
        if self.under_way:
            self.fail(error, at, target)
        elif error is not of and isinstance(of, BaseException) and self._failed_with(of):
            self._errors.append(error)

    def try_failed(self, error: BaseException, asked: Mapping[str, object], target: Target) -> None:
        """LiteLLM called itself, to try this once, with the parameters it `asked` with: they count where it failed
        before it turned to anyone.
        """
        now = perf_counter()
        if self.under_way:
            self.fail(error, now, target)
        elif not self._failed_with(error):
            self.fail(error, now, readers.read_target(asked, None))

    def _failed_with(self, error: BaseException) -> bool:
        """Whether it is known that an attempt did."""
        return any(each is error for each in self._errors)

    def forget_errors(self) -> None:
        """They hold on to all that LiteLLM was doing, and will not be handed on any more."""
        self._errors.clear()

    def add(self, began: float, target: Target, routing: Routing) -> Try:
        """One is made that is a call of its own. Who makes it says how it ends."""
        made = Try(began, target=target, routing=routing)
        self._made.append(made)
        return made

    def over(self, started: float, ended: float, target: Target, failure: Failure | None) -> Attempts | None:
        """All of them, now that the call is over; `None` where LiteLLM made none, for it had the answer."""
        if self._now is not None:
            self._now.ended, self._now.target, self._now.failure = ended, target, failure
        tried = [each for each in self._made if not each.needless]
        made = (
            Attempt(
                number=number,
                model=each.target.model,
                provider=each.target.provider,
                model_group=each.routing.model_group,
                model_id=each.routing.model_id,
                started=each.began - started,
                duration=(ended if each.ended is None else each.ended) - each.began if each.reached else None,
                failure=each.failure,
            )
            for number, each in enumerate(tried, 1)
        )
        return Attempts(made=tuple(made)) if tried else None
