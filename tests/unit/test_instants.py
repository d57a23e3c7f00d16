"""Times of chunks: exact for a short stream, and in bounded memory for a long one."""

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
"""The ratio between the limits of a band; gaps in one band are counted together."""


def chunk_times_with(gaps: Sequence[float]) -> tuple[ChunkTimes, list[float]]:
    """Chunk times with these gaps, and the gaps as differences of floating-point times."""
    at = list(accumulate(gaps, initial=1_000.0))
    chunk_times = ChunkTimes()
    for each in at:
        chunk_times.add(each)
    return chunk_times, [after - before for before, after in pairwise(at)]


def spread(count: int, seed: int = 1) -> list[float]:
    """Realistic gaps: most about 20 ms, some 0, a few several seconds."""
    chance = random.Random(seed)
    return [min(chance.lognormvariate(-4, 1.5), 60.0) * (chance.random() > 0.05) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 100, ChunkTimes.MAX_EXACT - 1])
def test_gaps_of_a_short_stream_are_exact(count: int) -> None:
    chunk_times, gaps = chunk_times_with(spread(count))
    assert (len(chunk_times), chunk_times.first, chunk_times.latest) == (
        count + 1,
        1_000.0,
        1_000.0 + sum(gaps) or None,
    )
    assert chunk_times.gaps() == Counter(gaps)


def test_a_stream_without_chunks_has_no_times() -> None:
    chunk_times = ChunkTimes()
    assert (len(chunk_times), chunk_times.first, chunk_times.latest, chunk_times.gaps()) == (0, None, None, {})


def in_order(gaps: Counter[float]) -> Iterator[float]:
    return (gap for gap in sorted(gaps) for _ in range(gaps[gap]))


@pytest.mark.parametrize("count", [ChunkTimes.MAX_EXACT, ChunkTimes.MAX_EXACT + 1, 5_000, 50_000])
def test_gaps_of_a_long_stream_are_rounded_to_narrow_bands(count: int) -> None:
    """Their number, sum and maximum are exact, and each gap is counted in the right bucket of the histogram."""
    chunk_times, gaps = chunk_times_with(spread(count))
    assert (len(chunk_times), chunk_times.first) == (count + 1, 1_000.0)
    assert chunk_times.latest == pytest.approx(1_000.0 + sum(gaps))
    recorded = Counter(chunk_times.gaps())
    assert recorded.total() == count
    assert max(recorded) == max(gaps)
    assert math.fsum(recorded.elements()) == pytest.approx(math.fsum(gaps), rel=1e-9)
    for gap, actual in zip(in_order(recorded), sorted(gaps), strict=True):
        assert actual / BAND - 1e-5 <= gap <= actual * BAND + 1e-5
    buckets = [Counter(bisect_left(SECONDS, gap) for gap in each) for each in (recorded.elements(), gaps)]
    assert buckets[0] == buckets[1]


def test_memory_does_not_grow_with_the_stream() -> None:
    """1,000,000 chunks take no more memory than 100,000."""

    def size(chunk_times: ChunkTimes) -> int:
        bands = [chunk_times._bands, *chunk_times._bands.values(), *chunk_times._bands]
        return sum(map(sys.getsizeof, (chunk_times.latest_times, *bands)))

    gaps = spread(100_000)
    chunk_times, _ = chunk_times_with(gaps)
    sizes = [size(chunk_times)]
    for _ in range(9):
        for at in accumulate(gaps, initial=chunk_times.latest):
            chunk_times.add(at)
        sizes.append(size(chunk_times))
    assert len(chunk_times) == 1_000_010
    assert max(sizes) < 100_000
    assert len(chunk_times.latest_times) <= ChunkTimes.MAX_EXACT
    assert abs(sizes[-1] - sizes[0]) <= 16_384  # the size of the exact times varies


def test_times_may_be_added_out_of_order() -> None:
    """Threads may do so. No gap is negative, and none is lost."""
    for count in (3, ChunkTimes.MAX_EXACT + 3):
        chunk_times = ChunkTimes()
        for number in range(count):
            chunk_times.add(float(number ^ 1))
        gaps = Counter(chunk_times.gaps())
        assert min(gaps) >= 0
        assert gaps.total() == count - 1
