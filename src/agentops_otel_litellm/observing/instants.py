"""When a stream's chunks came, in memory that does not grow with the stream."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil, log2
from operator import sub


class Instants:
    """The latest instants as they were, seconds on the monotonic clock; of those before, what was between them.

    The gaps of a short stream are exact. Those of a longer one are gathered in bands, each 2.2 % wide, and count as
    the mean of their band: their sum, their number and the longest of them stay exact. The bands begin at powers of
    two of 10 ms, as the buckets of the conventions' metrics do: each gap is in the bucket that it would have been in.
    """

    KEPT = 1_024
    """8 KiB: all of most streams."""

    __slots__ = ("_bands", "_first", "_gathered", "_kept", "_longest")

    def __init__(self) -> None:
        self._kept = array("d")
        self._first: float | None = None
        self._bands: dict[int, _Band] = {}
        self._gathered = 0
        self._longest = 0.0

    def add(self, at: float) -> None:
        self._kept.append(at)
        if len(self._kept) > self.KEPT:
            self._gather()

    def __len__(self) -> int:
        return self._gathered + len(self._kept)

    @property
    def first(self) -> float | None:
        return self._kept[0] if self._first is None and self._kept else self._first

    @property
    def latest(self) -> float | None:
        return self._kept[-1] if self._kept else None

    def gaps(self) -> Mapping[float, int]:
        """Seconds between one and the next → how often there were so many. No more are to be added afterwards."""
        if not self._bands:
            return Counter(self._gaps_kept())
        self._gather()
        gaps: Counter[float] = Counter()
        *others, last = (self._bands[index] for index in sorted(self._bands))
        for band in (*others, last.without(self._longest)):
            if band.count:
                gaps[band.total / band.count] += band.count
        gaps[self._longest] += 1
        return gaps

    def _gaps_kept(self) -> Iterable[float]:
        instants = sorted(self._kept)  # threads that share a stream may add theirs out of turn
        return map(sub, instants[1:], instants)

    def _gather(self) -> None:
        """Keep but the latest, and put the gaps before it in bands."""
        gaps = sorted(self._gaps_kept())
        if self._first is None:
            self._first = self._kept[0]
        self._gathered += len(gaps)
        self._kept = self._kept[-1:]
        self._longest = max([self._longest, *gaps[-1:]])
        while gaps:
            index = ceil(log2(max(gaps[0], _LEAST) / _ORIGIN) * _BANDS_PER_DOUBLING)
            end = bisect_right(gaps, _ORIGIN * 2 ** (index / _BANDS_PER_DOUBLING), 1)
            band = self._bands.setdefault(index, _Band())
            band.count += end
            band.total += sum(gaps[:end])
            del gaps[:end]


class _Band:
    """How many gaps are of about that length, and how long they are together."""

    __slots__ = ("count", "total")

    def __init__(self, count: int = 0, total: float = 0.0) -> None:
        self.count = count
        self.total = total

    def without(self, gap: float) -> _Band:
        return _Band(self.count - 1, self.total - gap)


_ORIGIN = 0.01
_BANDS_PER_DOUBLING = 32
_LEAST = _ORIGIN / 2**10
"""About 10 µs: what is shorter is in one band. From there to an hour there are 900."""
