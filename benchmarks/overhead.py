"""What tracing costs: LiteLLM alone, with us, with each peer that is installed, and the floor, in one run.

`python benchmarks/overhead.py --help` names the options. A `litellm.CustomLLM` handler answers, so no network is in
the figures. Each subject has a process of its own; their rounds take turns, so that a machine whose speed drifts
slows all of them. A subject's cost is the median over the rounds of its time less that of LiteLLM alone.

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

WORKER = Path(__file__).with_name("worker.py")
SUBJECTS = ("alone", "alone again", "floor", "ours", "ours, unsampled", "openinference", "openllmetry", "openlit")
CHUNKS = 200

Times = dict[str, float]


class Worker:
    """A process that runs rounds of one subject when asked."""

    def __init__(self, subject: str) -> None:
        command = [sys.executable, str(WORKER), subject]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.available = self._answer() == {"ready": True}

    def round(self, **order: int) -> Times:
        """CPU microseconds a call (and with `streams`, a chunk), by clock."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        times: Times = self._answer()
        return times

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, float] = json.loads(line)
                return answer
        return {}


def costs(workers: Mapping[str, Worker], rounds: int, order: Mapping[str, int]) -> dict[str, Times]:
    """Median cost of each subject over LiteLLM alone, and `alone` itself, in µs."""
    for worker in workers.values():
        worker.round(**order)  # warm up
    taken: dict[str, list[Times]] = {subject: [] for subject in workers}
    for _ in range(rounds):
        for subject, worker in workers.items():
            taken[subject].append(worker.round(**order))
    table: dict[str, Times] = {}
    for subject, times in taken.items():
        base = [dict.fromkeys(one, 0.0) for one in times] if subject == "alone" else taken["alone"]
        table[subject] = {
            clock: statistics.median(mine[clock] - alone[clock] for mine, alone in zip(times, base, strict=True))
            for clock in times[0]
        }
    return table


def show(title: str, table: Mapping[str, Times]) -> None:
    """The table in µs; `alone` in full, the others by what they add, and as ratios to the floor and to LiteLLM."""
    print(f"\n### {title}\n")
    print("| subject | thread µs | process µs | thread ÷ floor | thread ÷ LiteLLM alone |")
    print("|---|--:|--:|--:|--:|")
    floor, alone = table.get("floor", {}).get("thread"), table["alone"]["thread"]
    for subject, times in table.items():
        added = "" if subject == "alone" else "+"
        of_floor = f"{times['thread'] / floor:.2f}" if floor and subject != "alone" else ""
        print(
            f"| {subject} | {added}{times['thread']:.1f} | {added}{times['process']:.1f} | {of_floor} "
            f"| {times['thread'] / alone:.3f} |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="*", choices=SUBJECTS, default=SUBJECTS, metavar="SUBJECT")
    options = parser.parse_args(arguments)
    workers = {subject: Worker(subject) for subject in SUBJECTS if subject in options.only or subject == "alone"}
    for subject in [subject for subject, worker in workers.items() if not worker.available]:
        print(f"{subject}: not installed here, left out")
        workers.pop(subject).stop()
    show("A call", costs(workers, options.rounds, {"calls": 100, "characters": 100}))
    show(f"A chunk, in streams of {CHUNKS}", costs(workers, options.rounds, {"streams": 4, "chunks": CHUNKS}))
    sized: dict[str, Worker] = {subject: workers[subject] for subject in ("alone", "ours") if subject in workers}
    long, many = {"calls": 50, "characters": 1_000_000}, {"calls": 50, "characters": 100, "messages": 200}
    show("A call with a prompt of 1,000,000 characters", costs(sized, options.rounds, long))
    show("A call with 200 messages", costs(sized, options.rounds, many))
    for worker in workers.values():
        worker.stop()


if __name__ == "__main__":
    main()
