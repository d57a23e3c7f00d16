"""What tracing adds to calls over HTTP and to the chunks of streams: this package, its peers and the floor in one run.

    python benchmarks/http_calls.py

LiteLLM calls a provider on loopback (`provider.py`) through its own HTTP clients; `http_cases.py` lists the cases. The
peers that are installed take part. `floor` creates the same spans by hand, with the attributes and events that this
package writes, and records as many values of the same metrics.

- Each subject has a process of its own. In it, blocks of calls with the subject and blocks without it take turns, and
  the first call of each block is not counted. Enabling and disabling the subject replaces functions of LiteLLM, after
  which even LiteLLM's own code is slower for a while: with one call for each block, by up to 10 %. The blocks measure
  the steady state.
- The added time is the mean of the middle half of the differences of such pairs.
- Processes differ, and a machine can change its speed. So subjects are compared by the share: the added time, divided
  by the time that LiteLLM alone takes in the same process. The ratios to the floor and to the leanest peer are ratios
  of shares.
- Two clocks measure CPU time: `thread` is the time of the thread that calls LiteLLM (the event loop's thread in async
  cases), until 3 ms after the call. `process` is the time of all threads, with encoding the spans and collecting the
  metrics. Sending them is not included.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from http_cases import CASES, Case
from processes import Worker, provider
from subjects import PEERS, SUBJECTS

CLOCKS = ("thread", "process")
Times = dict[str, float]
"""Clock → microseconds."""


class Cost(NamedTuple):
    """Microseconds of CPU time for a call or a chunk, by one clock."""

    added: float
    alone: float
    """What LiteLLM takes in the same process without the subject."""

    @property
    def share(self) -> float:
        return self.added / self.alone

    @classmethod
    def of(cls, blocks: Mapping[str, Sequence[Times]], clock: str) -> Cost:
        traced, alone = ([times[clock] for times in blocks[side]] for side in ("with", "without"))
        return cls(middle_mean([one - other for one, other in zip(traced, alone, strict=True)]), middle_mean(alone))


def middle_mean(values: Sequence[float]) -> float:
    """The mean of the middle half of the values."""
    quarter = len(values) // 4
    return statistics.mean(sorted(values)[quarter : len(values) - quarter])


class Options(argparse.Namespace):
    """The options of the command line."""

    rounds: int
    pairs: int
    calls: int
    chunks: int
    subjects: list[str]
    cases: list[str]


def measure(case: Case, workers: Mapping[str, Worker], options: Options) -> dict[str, dict[str, Cost]]:
    """Subject → clock → cost. The subjects take turns, and the first round warms up."""
    blocks: dict[str, dict[str, list[Times]]] = {name: {} for name in workers if name in case.subjects}
    for number in range(options.rounds + 1):
        for name, measured in blocks.items():
            pairs = options.pairs if number else 1
            calls = workers[name].request(case=case.name, pairs=pairs, calls=options.calls, chunks=options.chunks)
            if number:
                for side, times in calls.items():
                    measured.setdefault(side, []).extend(times)
    return {name: {clock: Cost.of(measured, clock) for clock in CLOCKS} for name, measured in blocks.items()}


def show(case: Case, costs: Mapping[str, Mapping[str, Cost]]) -> None:
    """Print a table: one row for each subject and clock."""
    print(f"\n### {case.name[0].upper()}{case.name[1:]}\n")
    print("| subject | clock | added, µs | LiteLLM alone, µs | added ÷ LiteLLM | ÷ floor | ÷ leanest peer |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name, by_clock in costs.items():
        for clock, cost in by_clock.items():
            floor = costs["floor"][clock].share if "floor" in costs else None
            peer = min((costs[peer][clock].share for peer in PEERS if peer in costs), default=None)
            ratios = " | ".join("" if other is None else f"{cost.share / other:.2f}" for other in (floor, peer))
            print(
                f"| {name} | {clock} | {cost.added:.1f} | {cost.alone:,.0f} | {cost.share:.3f} | {ratios} |", flush=True
            )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="turns of each subject in a case (default: 10)")
    parser.add_argument("--pairs", type=int, default=4, help="pairs of blocks in a turn (default: 4)")
    parser.add_argument("--calls", type=int, default=5, help="calls in a block (default: 5)")
    parser.add_argument("--chunks", type=int, default=100, help="chunks of a stream (default: 100)")
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--cases", nargs="+", default=[""], metavar="TEXT", help="only cases whose name has this text")
    options = parser.parse_args(arguments, Options())
    if options.calls < 2:  # noqa: PLR2004 - the first call of a block is not counted
        parser.error("--calls must be at least 2")
    with provider(options.chunks) as url:
        workers = {name: Worker("http_worker.py", name, url) for name in options.subjects}
        try:
            for name in [name for name, worker in workers.items() if not worker.is_ready()]:
                print(f"{name} is not installed")
                workers.pop(name).stop()
            for case in CASES:
                if any(text in case.name for text in options.cases):
                    show(case, measure(case, workers, options))
        finally:
            for worker in workers.values():
                worker.stop()


if __name__ == "__main__":
    main()
