"""What tracing costs: with us, with each peer that is installed, and the floor, in one run.

`python benchmarks/overhead.py --help` names the options. A `litellm.CustomLLM` handler answers, so no network is in
the figures. Each subject has a process of its own, in which batches with it and without it take turns: a subject's
cost is the median of their differences, so that neither a machine whose speed drifts nor a process that happens to
be slow is taken for a cost. The subject `nothing` shows what noise is left.

The floor is one span made by hand with the very attributes that we write, and the same metric values recorded, on
the calling thread. Two clocks: `thread` is the CPU time of the thread that makes the calls, what the app feels;
`process` is that of all threads, with exporting and the collection of metrics.
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
SUBJECTS = ("nothing", "floor", "ours", "ours, unsampled", "openinference", "openllmetry", "openlit")
CHUNKS = 100
PAIRS = 20
"""Pairs of batches in a round."""

CLOCKS = ("thread", "process")

Times = dict[str, float]


class Cost(NamedTuple):
    """CPU microseconds that a subject adds, by clock; and what LiteLLM takes without it."""

    thread: float
    process: float
    alone: float

    @classmethod
    def of(cls, without: Sequence[Times], with_it: Sequence[Times]) -> Cost:
        """From batches that were run in pairs."""
        thread, process = (
            statistics.median(one[clock] - other[clock] for one, other in zip(with_it, without, strict=True))
            for clock in CLOCKS
        )
        return cls(thread, process, statistics.median(one["thread"] for one in without))


class Worker:
    """A process that runs rounds of one subject when asked."""

    def __init__(self, subject: str) -> None:
        command = [sys.executable, str(WORKER), subject]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.available = self._answer() == {"ready": True}

    def round(self, **order: int) -> dict[str, list[Times]]:
        """CPU microseconds a call (and with `streams`, a chunk), `with` the subject and `without`, by clock."""
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
    without: dict[str, list[Times]] = {subject: [] for subject in workers}
    with_it: dict[str, list[Times]] = {subject: [] for subject in workers}
    for number in range(rounds + 1):
        for subject, worker in workers.items():
            taken = worker.round(pairs=PAIRS, **order)
            if number:  # the first warms up
                without[subject] += taken["without"]
                with_it[subject] += taken["with"]
    return {subject: Cost.of(without[subject], with_it[subject]) for subject in workers}


def show(title: str, table: Mapping[str, Cost]) -> None:
    """The table: what each subject adds in µs, and as ratios to the floor and to LiteLLM's own time."""
    print(f"\n### {title}\n")
    print(
        "| subject | adds, thread µs | adds, process µs | thread ÷ floor "
        "| LiteLLM alone, thread µs | thread ÷ LiteLLM |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    floor = table["floor"].thread if "floor" in table else None
    for subject, cost in table.items():
        of_floor = f"{cost.thread / floor:.2f}" if floor else ""
        print(
            f"| {subject} | {cost.thread:.1f} | {cost.process:.1f} | {of_floor} "
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
