"""Memory: whether it is flat over many calls and abandoned streams, and how many bytes a waiting call takes.

    python benchmarks/memory.py
    python benchmarks/memory.py --calls 1000000 --streams 10000

LiteLLM calls a provider on loopback, all in one process. Three tables:

- Calls: the resident memory and the allocated blocks of Python at ten points of a run, and their growth per call in the
  second half of the run: first of LiteLLM alone, which grows as well, then with this package.
- Abandoned streams: the growth per stream for each way in which an application leaves a stream before its end. Each
  stream must have been exported as one span.
- Waiting calls: the bytes of Python's objects that are freed per call when the span processor exports its queue, when
  the metrics are collected, and when both happen. A call that waits for both has only one record. The prompt has 1,000
  characters; with content, it is recorded.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from processes import Worker, provider

CHUNKS = 20
POINTS = 10
WAYS = ("dropped", "closed", "broken out of", "cancelled", "never read")
QUEUES = {"span processor": (True, False), "metrics": (False, True), "both": (True, True)}
"""Queue → whether calls wait as spans, and whether they wait for the metrics."""

Memory = Mapping[str, float]


def show_calls(worker: Worker, calls: int) -> None:
    print(f"### {calls:,} calls\n\n| | unit | after each tenth of the calls | growth per call, second half |")
    print("|---|---|---|--:|", flush=True)
    half = POINTS // 2
    for name, is_traced in (("LiteLLM alone", False), ("ours", True)):
        result = worker.request(measure="grow", calls=calls, points=POINTS, is_traced=is_traced)["result"]
        per_call = {
            key: (result[-1][key] - result[half - 1][key]) / (calls * (POINTS - half) / POINTS) for key in result[0]
        }
        megabytes = ", ".join(f"{memory['megabytes']:.1f}" for memory in result)
        blocks = ", ".join(f"{memory['blocks']:,.0f}" for memory in result)
        print(f"| {name} | resident memory, MB | {megabytes} | {per_call['megabytes'] * 1e6:.1f} bytes |")
        print(f"| {name} | allocated blocks | {blocks} | {per_call['blocks']:.3f} |", flush=True)


def show_streams(worker: Worker, streams: int) -> None:
    print(f"\n### {streams:,} abandoned streams\n")
    print(
        "| abandoned | resident memory before, MB | after, MB | allocated blocks before | after | blocks per stream |"
    )
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for way in WAYS:
        result: Mapping[str, Memory] = worker.request(measure="abandon", way=way, streams=streams)["result"]
        before, after = result["before"], result["after"]
        print(
            f"| {way} | {before['megabytes']:.1f} | {after['megabytes']:.1f} | {before['blocks']:,.0f} "
            f"| {after['blocks']:,.0f} | {(after['blocks'] - before['blocks']) / streams:.3f} |",
            flush=True,
        )


def show_waiting(worker: Worker, calls: int) -> None:
    print(f"\n### {calls:,} waiting calls\n\n| queue | bytes per call | with content |\n|---|--:|--:|", flush=True)
    for name, (with_spans, with_metrics) in QUEUES.items():
        taken = []
        for with_content in (False, True):
            queues = {"with_spans": with_spans, "with_metrics": with_metrics, "with_content": with_content}
            taken.append(worker.request(measure="wait", calls=calls, **queues)["result"]["bytes"])
        print(f"| {name} | {taken[0]:,.0f} | {taken[1]:,.0f} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000, help="default: 100,000; 0 leaves out the table")
    parser.add_argument("--streams", type=int, default=1_000, help="of each way (default: 1,000; 0: no table)")
    parser.add_argument("--waiting", type=int, default=10_000, help="waiting calls (default: 10,000; 0: no table)")
    options = parser.parse_args(arguments)
    tables = ((show_calls, options.calls), (show_streams, options.streams), (show_waiting, options.waiting))
    with provider(CHUNKS) as url:
        worker = Worker("memory_worker.py", url)
        try:
            assert worker.is_ready()
            for show, count in tables:
                if count:
                    show(worker, count)
        finally:
            worker.stop()


if __name__ == "__main__":
    main()
