"""ChunkTimes: the times at which a stream's chunks were received, in memory that does not grow with the stream."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil, log2
from operator import sub


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
