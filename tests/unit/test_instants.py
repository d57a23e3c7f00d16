"""Times of chunks: exact for a short stream, and in bounded memory for a long one."""

from __future__ import annotations

import math
import random
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest

from agentops_otel_litellm.invocation.timeline import ChunkTimes, SortedGaps
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
    assert list(chunk_times.gaps()) == sorted(gaps)


def test_a_stream_without_chunks_has_no_times() -> None:
    chunk_times = ChunkTimes()
    assert (len(chunk_times), chunk_times.first, chunk_times.latest) == (0, None, None)
    assert list(chunk_times.gaps()) == []


@pytest.mark.parametrize("count", [ChunkTimes.MAX_EXACT, ChunkTimes.MAX_EXACT + 1, 5_000, 50_000])
def test_gaps_of_a_long_stream_are_rounded_to_narrow_bands(count: int) -> None:
    """Their number, sum and maximum are exact, and each gap is counted in the right bucket of the histogram."""
    chunk_times, gaps = chunk_times_with(spread(count))
    assert (len(chunk_times), chunk_times.first) == (count + 1, 1_000.0)
    assert chunk_times.latest == pytest.approx(1_000.0 + sum(gaps))
    recorded = list(chunk_times.gaps())
    assert len(recorded) == len(chunk_times.gaps()) == count
    assert recorded == sorted(recorded)
    assert max(recorded) == max(gaps)
    assert math.fsum(recorded) == pytest.approx(math.fsum(gaps), rel=1e-9)
    for gap, actual in zip(recorded, sorted(gaps), strict=True):
        assert actual / BAND - 1e-5 <= gap <= actual * BAND + 1e-5
    buckets = [Counter(bisect_left(SECONDS, gap) for gap in each) for each in (recorded, gaps)]
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
        gaps = list(chunk_times.gaps())
        assert min(gaps) >= 0
        assert len(gaps) == count - 1


@pytest.mark.parametrize(
    ("gaps", "percentiles"),
    [
        ({0.25: 1}, (0.25, 0.25, 0.25)),
        ({0.25: 1, 0.5: 1}, (0.25, 0.5, 0.5)),
        ({0.25: 99, 4.0: 1}, (0.25, 0.25, 0.25)),
        ({0.25: 98, 4.0: 2}, (0.25, 0.25, 4.0)),
        ({0.25: 94, 0.5: 1, 4.0: 5}, (0.25, 0.5, 4.0)),
        ({float(length): 1 for length in range(1, 101)}, (50.0, 95.0, 99.0)),
        ({float(length): 10**6 for length in range(1, 101)}, (50.0, 95.0, 99.0)),
    ],
)
def test_percentiles_are_measured_gaps(gaps: dict[float, int], percentiles: tuple[float, ...]) -> None:
    """A percentile is the shortest gap that so many percent of the gaps do not exceed. `gaps` is length → number."""
    in_order = SortedGaps(list(gaps), list(accumulate(gaps.values())))
    assert tuple(map(in_order.percentile, (0.5, 0.95, 0.99))) == percentiles


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 400, 20_000])
def test_percentiles_and_sample_of_gaps(count: int) -> None:
    """The percentiles are those of the nearest-rank method. A sample of 20 gaps has the shape of all gaps: each is the
    middle one of a twentieth of them.
    """
    chunk_times, _ = chunk_times_with(spread(count))
    gaps = chunk_times.gaps()
    in_order = list(gaps)
    for share in (0.5, 0.95, 0.99):
        assert gaps.percentile(share) == in_order[math.ceil(share * count) - 1]
    sample = gaps.sample(20)
    if count <= 20:
        assert sample == tuple(in_order)
        return
    assert len(sample) == 20
    for number, gap in enumerate(sample):
        middle = (number + 0.5) * count / 20
        assert in_order[math.floor(middle - 0.5)] <= gap <= in_order[min(math.ceil(middle), count - 1)]
