"""The attempts of a call and the chunks of its stream, with their times."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
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
    """An attempt, in progress or ended. Times are seconds on the monotonic clock."""

    __slots__ = ("began", "ended", "failure", "fallback_depth", "from_cache", "routing", "sent_request", "target")

    def __init__(
        self,
        began: float,
        *,
        sent_request: bool = True,
        target: Target = _UNKNOWN_TARGET,
        routing: Routing = _NO_ROUTING,
        fallback_depth: int = 0,
    ) -> None:
        self.began = began
        """When LiteLLM sent the request to the provider. If it sent none: when the attempt failed."""
        self.ended: float | None = None
        self.sent_request = sent_request
        """Whether LiteLLM sent a request to the provider before the attempt ended."""
        self.target = target
        self.routing = routing
        self.fallback_depth = fallback_depth
        """In a route: how many times the Router has fallen back before the attempt."""
        self.failure: Failure | None = None
        self.from_cache = False
        """Whether the response is from LiteLLM's cache, so that no provider was involved."""


class AttemptTracker:
    """The attempts of a call. Each attempt of a route is itself a call, with its own span.

    An attempt begins when LiteLLM sends a request to a provider, and ends when it fails or the call ends. LiteLLM may
    send several requests in one attempt, for instance to upload a file first.
    """

    __slots__ = ("_attempts", "_current", "_errors")

    def __init__(self) -> None:
        self._attempts: list[RunningAttempt] = []
        self._current: RunningAttempt | None = None
        """The attempt that has not ended, if there is one."""
        self._errors: list[BaseException] = []
        """The exceptions that ended attempts. An exception passes through several wrapped functions of LiteLLM, so it
        is looked up here to record the failure only once.
        """

    @property
    def is_open(self) -> bool:
        """Whether an attempt has begun and not ended."""
        return self._current is not None

    @property
    def sent_request(self) -> bool:
        """Whether LiteLLM sent a request in at least one attempt."""
        return any(each.sent_request for each in self._attempts)

    @property
    def last_failure(self) -> Failure | None:
        """The failure of the last attempt; `None` if it has not failed, or if there is none."""
        return self._attempts[-1].failure if self._attempts else None

    def begin(self, *, sends_request: bool = True) -> None:
        """Begin an attempt when LiteLLM sends a request to a provider. If an attempt is open, the request is a part of
        it. `sends_request` is false if LiteLLM uses a mock response instead.
        """
        if self._current is None:
            self._current = RunningAttempt(perf_counter(), sent_request=sends_request)
            self._attempts.append(self._current)

    def end(self, at: float, target: Target) -> None:
        """End the open attempt, if there is one, as successful, although the call goes on with a further request."""
        if self._current is not None:
            self._current.ended, self._current.target = at, target
            self._current = None

    def fail(self, error: BaseException, at: float, target: Target, failure: Failure | None = None) -> None:
        """End the open attempt as failed. If none is open, add an attempt that failed before LiteLLM sent a request.

        `failure` describes `error`. If it is `None`, it is read from `error`.
        """
        failed = self._current
        failure = failure or readers.read_failure(error, sent_request=failed is not None)
        if failed is None:
            failed = RunningAttempt(at, sent_request=False)
            self._attempts.append(failed)
        failed.ended, failed.target, failed.failure = at, target, failure
        self._current = None
        self._errors.append(error)

    def add_mapped_error(self, error: BaseException, original: object, at: float, target: Target) -> None:
        """Record `error`, the exception of LiteLLM to which LiteLLM has mapped the exception `original`.

        If an attempt is open, `error` ends it. If `original` has ended an attempt, `error` stands for the same failure,
        so that it ends no further attempt.
        """
        if self.is_open:
            self.fail(error, at, target)
        elif error is not original and isinstance(original, BaseException) and self._has_failed_with(original):
            self._errors.append(error)

    def fail_nested(self, error: BaseException, parameters: Mapping[str, object], target: Target) -> None:
        """Record a failed attempt that LiteLLM made by calling one of its own functions, which raised `error`.

        If the function sent no request, `target` is of an earlier attempt, so the target is read from `parameters`, the
        arguments of the function.
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

    def add(self, began: float, target: Target, routing: Routing, fallback_depth: int) -> RunningAttempt:
        """Add an attempt of a route, and return it. The attempt's own call sets its end and its failure."""
        attempt = RunningAttempt(began, target=target, routing=routing, fallback_depth=fallback_depth)
        self._attempts.append(attempt)
        return attempt

    def finish(self, started: float, ended: float, target: Target, failure: Failure | None) -> Attempts | None:
        """Return all attempts of the finished call; `None` if there are none, for instance because the response was
        cached, and no fallback was used. The times are on the monotonic clock. `target` and `failure` are those of the
        call.
        """
        if self._current is not None:  # the last attempt ends with the call
            self._current.ended, self._current.target, self._current.failure = ended, target, failure
        made: list[Attempt] = []
        depth, fallback_used = 0, None
        for each in self._attempts:
            # The Router also falls back without a failed attempt, for instance if all deployments are in cooldown.
            is_fallback, depth = each.fallback_depth > depth, each.fallback_depth
            fallback_used = fallback_used or is_fallback or None
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
                    kind="fallback" if is_fallback else None,
                )
                made.append(attempt)
        return Attempts(made=tuple(made), fallback_used=fallback_used) if made or fallback_used else None


NO_ATTEMPTS = AttemptTracker()
"""Replaces the attempts of a call after its end, so that their objects can be freed."""


def add_to_route(invocation: Invocation, route: Invocation) -> RunningAttempt | None:
    """Add a call of one of the Router's deployments to the attempts of its route, and return the attempt.

    Return `None` for any other call inside the route, for instance a call of a model that chooses the deployment.
    """
    routing = read_routing(invocation)
    if routing is None or routing.model_id is None:  # not a call of a deployment
        return None
    route.settle_attempt()  # the Router makes a new attempt, so it has set no cooldown after the last one
    depth = readers.read_fallback_depth(invocation.parameters)
    return route.attempts.add(invocation.started, read_target(invocation), routing, depth)


# --- chunks -------------------------------------------------------------------------------------------------


class ChunkTimes:
    """The times of a stream's latest chunks, in seconds on the monotonic clock, and a histogram of the gaps between the
    earlier chunks.

    The gaps of a short stream are exact. The gaps of a longer stream are sorted into bands, each 2.2 % wide. A band
    stores only the number and the sum of its gaps, and each of its gaps is reported as their mean. The number of all
    gaps, their sum and the longest gap stay exact. Each bucket bound of the metrics' histograms, 10 ms times a power of
    two, is also the bound of a band. So each gap is counted in the correct bucket.
    """

    MAX_EXACT = 1_024
    """Maximum number of exact times, which take 8 KiB. Most streams have fewer chunks."""

    __slots__ = ("_bands", "_first", "_longest", "_summarised_count", "latest_times")

    def __init__(self) -> None:
        self.latest_times = array("d")
        """The times whose gaps are not in bands yet. Code that appends a time must call `summarise` if there are more
        than `MAX_EXACT`.
        """
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

    def gaps(self) -> SortedGaps:
        """Return the gaps, in seconds. Call this after the last `add`."""
        if not self._bands:
            return SortedGaps(sorted(self._exact_gaps()))
        self.summarise()
        *others, last = (self._bands[index] for index in sorted(self._bands))
        # The longest gap is added with its exact value.
        bands = [band for band in (*others, last.without(self._longest)) if band.count]
        lengths = [*(band.total / band.count for band in bands), self._longest]
        return SortedGaps(lengths, [*accumulate(band.count for band in bands), len(self) - 1])

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


class SortedGaps(Sequence[float]):
    """The gaps of a stream, from the shortest to the longest: `gaps[rank]` for a rank from 0 to `len(gaps) - 1`.

    `lengths` are the different lengths in seconds, in ascending order. `ends` are the numbers of gaps up to each
    length; by default, each length occurs once.
    """

    __slots__ = ("_ends", "_lengths")

    def __init__(self, lengths: Sequence[float], ends: Sequence[int] | None = None) -> None:
        self._lengths, self._ends = lengths, ends

    def __len__(self) -> int:
        return len(self._lengths) if self._ends is None else self._ends[-1]

    def __getitem__(self, rank: int) -> float:  # type: ignore[override]  # no slices
        return self._lengths[rank if self._ends is None else bisect_right(self._ends, rank)]

    def __iter__(self) -> Iterator[float]:
        return iter(self._lengths) if self._ends is None else super().__iter__()

    def percentile(self, share: float) -> float:
        """The percentile by the nearest-rank method, for a share from 0 to 1: 0.95 is the 95th percentile."""
        return self[max(ceil(share * len(self)) - 1, 0)]

    def sample(self, size: int) -> tuple[float, ...]:
        """At most `size` gaps: all gaps, or those with evenly spread ranks, so that they have about the same median and
        percentiles.
        """
        count = len(self)
        if count <= size:
            return tuple(self)
        ranks = [(2 * number + 1) * count // (2 * size) for number in range(size)]
        if self._ends is None:
            return tuple(map(self._lengths.__getitem__, ranks))
        return tuple(map(self.__getitem__, ranks))


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
"""About 10 µs: all shorter gaps are in one band. From here to an hour, there are 900 bands."""
