"""What happens in the course of a call: LiteLLM's attempts at it, and the chunks of its stream, with their times."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil, log2
from operator import sub
from time import perf_counter
from typing import TYPE_CHECKING

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Attempt, Attempts, Failure, Routing, Target
from agentops_otel_litellm.invocation.finished_call import read_routing, read_target

if TYPE_CHECKING:
    from agentops_otel_litellm.invocation.invocation import Invocation

_UNKNOWN_TARGET, _NO_ROUTING = Target(), Routing()


# --- attempts -----------------------------------------------------------------------------------------------


class RunningAttempt:
    """An attempt that may not have ended. Times are seconds on the monotonic clock."""

    __slots__ = ("began", "ended", "failure", "from_cache", "routing", "sent_request", "target")

    def __init__(
        self,
        began: float,
        *,
        sent_request: bool = True,
        target: Target = _UNKNOWN_TARGET,
        routing: Routing = _NO_ROUTING,
    ) -> None:
        self.began = began
        """When LiteLLM sent a request to the provider, or when the attempt failed if it sent none."""
        self.ended: float | None = None
        self.sent_request = sent_request
        """Whether LiteLLM sent a request to the provider."""
        self.target = target
        self.routing = routing
        self.failure: Failure | None = None
        self.from_cache = False
        """Whether the response is from LiteLLM's cache, so that no provider was involved."""


class AttemptTracker:
    """LiteLLM's attempts at a call. The attempts of a route are calls, which have spans of their own.

    An attempt begins when LiteLLM sends a request to a provider, and ends when it fails or the call ends. LiteLLM may
    send several requests in one attempt, for instance to upload a file first.
    """

    __slots__ = ("_attempts", "_current", "_errors")

    def __init__(self) -> None:
        self._attempts: list[RunningAttempt] = []
        self._current: RunningAttempt | None = None
        """The attempt that has not ended, if there is one."""
        self._errors: list[BaseException] = []
        """The exceptions that ended attempts. An exception passes through several wrapped functions of LiteLLM, but is
        recorded only once.
        """

    @property
    def is_open(self) -> bool:
        """Whether an attempt has begun and not ended."""
        return self._current is not None

    def begin(self) -> None:
        """Begin an attempt, unless one is open, because LiteLLM sends a request to a provider."""
        if self._current is None:
            self._current = RunningAttempt(perf_counter())
            self._attempts.append(self._current)

    def end(self, at: float, target: Target) -> None:
        """End the open attempt, if there is one, as successful: LiteLLM makes a further request."""
        if self._current is not None:
            self._current.ended, self._current.target = at, target
            self._current = None

    def fail(self, error: BaseException, at: float, target: Target, failure: Failure | None = None) -> None:
        """End the open attempt, or add one that failed before LiteLLM sent a request.

        `failure` describes the error; without it, it is read from the error.
        """
        failure = failure or readers.read_failure(error)
        failed = self._current
        if failed is None:
            failed = RunningAttempt(at, sent_request=False)
            self._attempts.append(failed)
        failed.ended, failed.target, failed.failure = at, target, failure
        self._current = None
        self._errors.append(error)

    def add_mapped_error(self, error: BaseException, original: object, at: float, target: Target) -> None:
        """Record `error`, to which LiteLLM has mapped the exception `original`. If an attempt is open, `error` ends it.
        If `original` has ended the attempt, `error` is added to the exceptions of that attempt.
        """
        if self.is_open:
            self.fail(error, at, target)
        elif error is not original and isinstance(original, BaseException) and self._has_failed_with(original):
            self._errors.append(error)

    def fail_nested(self, error: BaseException, parameters: Mapping[str, object], target: Target) -> None:
        """Record that an attempt failed which LiteLLM made by calling itself, and which raised `error`.

        If it raised before it sent a request, the target is read from the `parameters` of that call.
        """
        now = perf_counter()
        if self.is_open:
            self.fail(error, now, target)
        elif not self._has_failed_with(error):
            self.fail(error, now, readers.read_target(parameters, None))

    def _has_failed_with(self, error: BaseException) -> bool:
        return any(each is error for each in self._errors)

    def forget_errors(self) -> None:
        """Release the exceptions that ended attempts, because their tracebacks keep LiteLLM's frames alive. They are no
        longer needed: LiteLLM raises none of them again.
        """
        self._errors.clear()

    def add(self, began: float, target: Target, routing: Routing) -> RunningAttempt:
        """Add an attempt that is a call of its own, and return it. The caller sets its end and its failure."""
        attempt = RunningAttempt(began, target=target, routing=routing)
        self._attempts.append(attempt)
        return attempt

    def finish(self, started: float, ended: float, target: Target, failure: Failure | None) -> Attempts | None:
        """Return all attempts of the finished call; `None` if there are none, for instance because the response was
        cached.
        """
        if self._current is not None:
            self._current.ended, self._current.target, self._current.failure = ended, target, failure
        made: list[Attempt] = []
        for each in self._attempts:
            if not each.from_cache:
                end = ended if each.ended is None else each.ended
                attempt = Attempt(
                    number=len(made) + 1,
                    model=each.target.model,
                    provider=each.target.provider,
                    model_group=each.routing.model_group,
                    model_id=each.routing.model_id,
                    started=each.began - started,
                    duration=end - each.began if each.sent_request else None,
                    failure=each.failure,
                )
                made.append(attempt)
        return Attempts(made=tuple(made)) if made else None


NO_ATTEMPTS = AttemptTracker()
"""The attempts of a call whose objects were released."""


def add_to_route(invocation: Invocation, route: Invocation) -> RunningAttempt | None:
    """Add a call to the attempts of the route around it, if it is a call of one of the Router's deployments.

    Other calls inside a route, for instance a call that chooses a deployment, have no id of a deployment. If an earlier
    attempt waits for the Router's decision on a cooldown, it is ended: the decision was that there is none.
    """
    routing = read_routing(invocation)
    if routing is None or routing.model_id is None:
        return None
    route.settle_attempt()
    return route.attempts.add(invocation.started, read_target(invocation), routing)


# --- chunks -------------------------------------------------------------------------------------------------


class ChunkTimes:
    """The times of the latest chunks, in seconds on the monotonic clock, and a summary of the gaps between earlier
    chunks.

    The gaps of a short stream are exact. The gaps of a longer stream are sorted into bands, each 2.2 % wide, of which
    only the number and the sum are stored, and every gap of a band has the mean of the band. The number of all gaps,
    their sum and the longest gap stay exact. The bounds of the buckets of the conventions' histograms, 10 ms times
    powers of two, are bounds of bands as well, so each gap is counted in its correct bucket.
    """

    MAX_EXACT = 1_024
    """Maximum number of exact times, which take 8 KiB. Most streams have fewer chunks."""

    __slots__ = ("_bands", "_first", "_longest", "_summarised_count", "latest_times")

    def __init__(self) -> None:
        self.latest_times = array("d")
        """The times that are not summarised. Whoever appends a time calls `summarise` beyond `MAX_EXACT` times."""
        self._first: float | None = None
        self._bands: dict[int, _Band] = {}
        self._summarised_count = 0
        self._longest = 0.0

    def add(self, at: float) -> None:
        """Add the time at which a chunk was received."""
        self.latest_times.append(at)
        if len(self.latest_times) > self.MAX_EXACT:
            self.summarise()

    def __len__(self) -> int:
        return self._summarised_count + len(self.latest_times)

    @property
    def first(self) -> float | None:
        return self.latest_times[0] if self._first is None and self.latest_times else self._first

    @property
    def latest(self) -> float | None:
        return self.latest_times[-1] if self.latest_times else None

    def gaps(self) -> Mapping[float, int]:
        """Return gap in seconds → number of such gaps. Call it after the last `add`."""
        if not self._bands:
            return Counter(self._exact_gaps())
        self.summarise()
        gaps: Counter[float] = Counter()
        *others, last = (self._bands[index] for index in sorted(self._bands))
        for band in (*others, last.without(self._longest)):
            if band.count:
                gaps[band.total / band.count] += band.count
        gaps[self._longest] += 1
        return gaps

    def _exact_gaps(self) -> Iterable[float]:
        chunk_times = sorted(self.latest_times)  # threads that share a stream may add times out of order
        return map(sub, chunk_times[1:], chunk_times)

    def summarise(self) -> None:
        """Add the gaps between the exact times to the bands, and keep only the latest time."""
        gaps = sorted(self._exact_gaps())
        if self._first is None:
            self._first = self.latest_times[0]
        self._summarised_count += len(gaps)
        self.latest_times = self.latest_times[-1:]
        self._longest = max([self._longest, *gaps[-1:]])
        while gaps:
            index = ceil(log2(max(gaps[0], _MIN_GAP) / _BASE_GAP) * _BANDS_PER_DOUBLING)
            end = bisect_right(gaps, _BASE_GAP * 2 ** (index / _BANDS_PER_DOUBLING), 1)
            band = self._bands.setdefault(index, _Band())
            band.count += end
            band.total += sum(gaps[:end])
            del gaps[:end]


class _Band:
    """Gaps of about the same length: their number, and their sum in seconds."""

    __slots__ = ("count", "total")

    def __init__(self, count: int = 0, total: float = 0.0) -> None:
        self.count = count
        self.total = total

    def without(self, gap: float) -> _Band:
        return _Band(self.count - 1, self.total - gap)


_BASE_GAP = 0.01
_BANDS_PER_DOUBLING = 32
_MIN_GAP = _BASE_GAP / 2**10
"""About 10 µs: all shorter gaps are in one band. There are 900 bands from here to an hour."""
