"""What tracing costs: with us, with each peer that is installed, and the floor, in one run.

`python benchmarks/overhead.py --help` names the options. A `litellm.CustomLLM` handler answers, so no network is in
the figures. Each subject has a process of its own, in which batches with it, with the floor and with neither take
turns: a cost is the median of the differences, and its ratio to the floor is that of one process, so that neither a
machine whose speed drifts nor a process that happens to be slow is taken for a cost. The subject `nothing` shows what
noise is left.

The floor is one span made by hand with the very attributes and events that we write, and the same metric values
recorded, on the calling thread. Two clocks: `thread` is the CPU time of the thread that makes the calls, what the app
feels; `process` is that of all threads, with exporting and the collection of metrics.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

WORKER = Path(__file__).with_name("worker.py")
SUBJECTS = ("nothing", "ours", "ours, unsampled", "openinference", "openllmetry", "openlit")
CHUNKS = 100
TURNS = 21
"""Batches of each side in a round."""

CLOCKS = ("thread", "process")

Times = dict[str, float]


class Cost(NamedTuple):
    """CPU microseconds that a subject adds, by clock; what the floor adds and what LiteLLM takes in its process."""

    thread: float
    process: float
    floor: float
    alone: float

    @classmethod
    def of(cls, taken: Mapping[str, Sequence[Times]]) -> Cost:
        """From batches of the three sides, which were run in turns."""

        def added(side: str, clock: str) -> float:
            batches = zip(taken[side], taken["without"], strict=True)
            return statistics.median(one[clock] - other[clock] for one, other in batches)

        alone = statistics.median(one["thread"] for one in taken["without"])
        return cls(added("with", "thread"), added("with", "process"), added("floor", "thread"), alone)


class Worker:
    """A process that runs rounds of one subject when asked."""

    def __init__(self, subject: str) -> None:
        command = [sys.executable, str(WORKER), subject]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.available = self._answer() == {"ready": True}

    def round(self, **order: int) -> dict[str, list[Times]]:
        """CPU microseconds a call (a chunk, where they are asked for) by clock, for each side's batches."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        return {}


def costs(workers: Mapping[str, Worker], rounds: int, order: Mapping[str, int]) -> dict[str, Cost]:
    """What each subject adds, by the medians over the rounds."""
    taken: dict[str, dict[str, list[Times]]] = {subject: {} for subject in workers}
    for number in range(rounds + 1):
        for subject, worker in workers.items():
            for side, batches in worker.round(turns=TURNS, **order).items():
                if number:  # the first warms up
                    taken[subject].setdefault(side, []).extend(batches)
    return {subject: Cost.of(sides) for subject, sides in taken.items()}


def show(title: str, table: Mapping[str, Cost]) -> None:
    """The table: what each subject adds in µs, and as ratios to the floor and to LiteLLM's own time."""
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
    workers = {subject: Worker(subject) for subject in SUBJECTS if subject in options.only}
    for subject in [subject for subject, worker in workers.items() if not worker.available]:
        print(f"{subject}: not installed here, left out")
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
