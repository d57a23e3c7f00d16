"""A microscope: what this package, its peers and the floor add to a call of a handler that returns at once.

`http_calls.py` measures calls as applications make them. This file measures without HTTP, so that small differences of
the same code are visible: the provider is a `litellm.CustomLLM` handler. `python benchmarks/overhead.py --help` lists
the options.

Each subject has a process of its own. In it, batches with the subject, with the floor and with neither take turns, and
the added time is the median of the differences between batches. So neither a machine that changes its speed nor a slow
process is counted as a cost. The subject `nothing` shows the remaining noise.

The floor is one span made by hand, with the attributes and events that this package writes. It records the same metric
values, on the calling thread. There are two clocks: `thread` is the CPU time of the thread that makes the calls.
`process` is the CPU time of all threads, with encoding the spans and collecting the metrics.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from processes import Worker

SUBJECTS = ("nothing", "ours", "ours, unsampled", "openinference", "openllmetry", "openlit")
CHUNKS = 100
TURNS = 21
"""Batches of each side in a round."""

CLOCKS = ("thread", "process")

Times = dict[str, float]


class Cost(NamedTuple):
    """CPU microseconds: what a subject adds by each clock, what the floor adds, and what LiteLLM alone takes."""

    thread: float
    process: float
    floor: float
    alone: float

    @classmethod
    def of(cls, taken: Mapping[str, Sequence[Times]]) -> Cost:
        """Computes the costs from the batches of the three sides, which took turns."""

        def added(side: str, clock: str) -> float:
            batches = zip(taken[side], taken["without"], strict=True)
            return statistics.median(one[clock] - other[clock] for one, other in batches)

        alone = statistics.median(one["thread"] for one in taken["without"])
        return cls(added("with", "thread"), added("with", "process"), added("floor", "thread"), alone)


def costs(workers: Mapping[str, Worker], rounds: int, order: Mapping[str, int]) -> dict[str, Cost]:
    """What each subject adds. A median is taken over the batches of all rounds."""
    taken: dict[str, dict[str, list[Times]]] = {subject: {} for subject in workers}
    for number in range(rounds + 1):
        for subject, worker in workers.items():
            for side, batches in worker.request(turns=TURNS, **order).items():
                if number:  # the first round warms up
                    taken[subject].setdefault(side, []).extend(batches)
    return {subject: Cost.of(sides) for subject, sides in taken.items()}


def show(title: str, table: Mapping[str, Cost]) -> None:
    """Print a table: what each subject adds in µs, and the ratios to the floor and to LiteLLM's own time."""
    print(f"\n### {title}\n")
    print(
        "| subject | adds, thread µs | adds, process µs | floor adds, thread µs | thread ÷ floor "
        "| LiteLLM alone, thread µs | thread ÷ LiteLLM |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for subject, cost in table.items():
        print(
            f"| {subject} | {cost.thread:.1f} | {cost.process:.1f} | {cost.floor:.1f} | {cost.thread / cost.floor:.2f} "
            f"| {cost.alone:.1f} | {cost.thread / cost.alone:.3f} |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", nargs="*", choices=SUBJECTS, default=SUBJECTS, metavar="SUBJECT")
    options = parser.parse_args(arguments)
    workers = {subject: Worker("worker.py", subject) for subject in SUBJECTS if subject in options.only}
    for subject in [subject for subject, worker in workers.items() if not worker.is_ready()]:
        print(f"{subject} is not installed")
        workers.pop(subject).stop()
    show("A call", costs(workers, options.rounds, {"calls": 10, "characters": 100}))
    show(f"A chunk, in streams of {CHUNKS}", costs(workers, options.rounds, {"chunks": CHUNKS}))
    sized: dict[str, Worker] = {subject: workers[subject] for subject in ("nothing", "ours") if subject in workers}
    long, many = {"calls": 10, "characters": 1_000_000}, {"calls": 10, "characters": 100, "messages": 200}
    show("A call with a prompt of 1,000,000 characters", costs(sized, options.rounds, long))
    show("A call with 200 messages", costs(sized, options.rounds, many))
    for worker in workers.values():
        worker.stop()


if __name__ == "__main__":
    main()
