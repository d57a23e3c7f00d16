"""The instants of a stream: exact of a short one, and of a long one in memory that does not grow with it."""

from __future__ import annotations

import math
import random
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import pytest

from agentops_otel_litellm.invocation.timeline import ChunkTimes
from agentops_otel_litellm.semconv.instruments import SECONDS

BAND = 2 ** (1 / 32)
"""By how much gaps may differ that count as alike."""


def instants_of(gaps: Sequence[float]) -> tuple[ChunkTimes, list[float]]:
    """What takes the instants between which there were these gaps, and the gaps as the clock's numbers have them."""
    at = list(accumulate(gaps, initial=1_000.0))
    instants = ChunkTimes()
    for each in at:
        instants.add(each)
    return instants, [after - before for before, after in pairwise(at)]


def spread(count: int, seed: int = 1) -> list[float]:
    """Gaps as streams have them: about 20 ms, some at once, a few of seconds."""
    chance = random.Random(seed)
    return [min(chance.lognormvariate(-4, 1.5), 60.0) * (chance.random() > 0.05) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 100, ChunkTimes.MAX_EXACT - 1])
def test_of_a_short_stream_all_is_exact(count: int) -> None:
    """Each gap is as it was."""
    instants, gaps = instants_of(spread(count))
    assert (len(instants), instants.first, instants.latest) == (count + 1, 1_000.0, 1_000.0 + sum(gaps) or None)
    assert instants.gaps() == Counter(gaps)


def test_without_an_instant_there_is_nothing() -> None:
    """A stream of which nothing came."""
    instants = ChunkTimes()
    assert (len(instants), instants.first, instants.latest, instants.gaps()) == (0, None, None, {})


def in_order(gaps: Counter[float]) -> Iterator[float]:
    return (gap for gap in sorted(gaps) for _ in range(gaps[gap]))


@pytest.mark.parametrize("count", [ChunkTimes.MAX_EXACT, ChunkTimes.MAX_EXACT + 1, 5_000, 50_000])
def test_of_a_long_stream_gaps_are_in_narrow_bands(count: int) -> None:
    """Number, sum and the longest are exact, and each gap is told to within its band, in the bucket it belongs to."""
    instants, gaps = instants_of(spread(count))
    assert (len(instants), instants.first) == (count + 1, 1_000.0)
    assert instants.latest == pytest.approx(1_000.0 + sum(gaps))
    told = Counter(instants.gaps())
    assert told.total() == count
    assert max(told) == max(gaps)
    assert math.fsum(told.elements()) == pytest.approx(math.fsum(gaps), rel=1e-9)
    for gap, of in zip(in_order(told), sorted(gaps), strict=True):
        assert of / BAND - 1e-5 <= gap <= of * BAND + 1e-5
    buckets = [Counter(bisect_left(SECONDS, gap) for gap in each) for each in (told.elements(), gaps)]
    assert buckets[0] == buckets[1]


def test_memory_does_not_grow_with_the_stream() -> None:
    """Of a million chunks there is not more than of a hundred thousand."""

    def size(instants: ChunkTimes) -> int:
        bands = [instants._bands, *instants._bands.values(), *instants._bands]
        return sum(map(sys.getsizeof, (instants.latest_times, *bands)))

    gaps = spread(100_000)
    instants, _ = instants_of(gaps)
    sizes = [size(instants)]
    for _ in range(9):
        for at in accumulate(gaps, initial=instants.latest):
            instants.add(at)
        sizes.append(size(instants))
    assert len(instants) == 1_000_010
    assert max(sizes) < 100_000
    assert len(instants.latest_times) <= ChunkTimes.MAX_EXACT
    assert abs(sizes[-1] - sizes[0]) <= 16_384  # as much as of those kept


def test_threads_may_add_theirs_out_of_turn() -> None:
    """A gap is never negative, nor is one lost."""
    for count in (3, ChunkTimes.MAX_EXACT + 3):
        instants = ChunkTimes()
        for number in range(count):
            instants.add(float(number ^ 1))
        gaps = Counter(instants.gaps())
        assert min(gaps) >= 0
        assert gaps.total() == count - 1
