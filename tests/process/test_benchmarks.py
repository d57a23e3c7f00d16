"""The benchmarks run and print their tables. The figures of so few calls mean nothing and are not tested."""

from __future__ import annotations

import sys

import pytest

from support.launching import run
from support.project import ROOT


def tables(script: str, *options: str) -> dict[str, list[list[str]]]:
    """Run a benchmark. Returns the first cell of each row of its tables → the other cells, once for each row."""
    finished = run(sys.executable, str(ROOT / "benchmarks" / script), *options)
    assert finished.returncode == 0, finished.stderr
    rows: dict[str, list[list[str]]] = {}
    for line in finished.stdout.splitlines():
        if line.startswith("|") and not line.startswith("|--"):
            first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows.setdefault(first, []).append(cells)
    return rows


def number(cell: str) -> float:
    """Raises: `ValueError` if the cell has no figure."""
    return float(cell.replace(",", "").removesuffix(" bytes"))


def test_http_calls_prints_the_costs_of_each_case() -> None:
    options = ("--rounds", "1", "--pairs", "1", "--calls", "2", "--chunks", "5", "--subjects", "ours", "floor")
    rows = tables("http_calls.py", *options)
    assert set(rows) == {"subject", "ours", "floor"}
    assert len(rows["floor"]) == 2 * 10  # two clocks
    assert len(rows["ours"]) == len(rows["floor"]) + 2  # recorded content has no floor
    for name, measured in rows.items():
        for clock, added, alone, share, to_floor, to_peer in measured if name != "subject" else ():
            assert clock in ("thread", "process")
            assert number(alone) > 0
            assert number(share) == pytest.approx(number(added) / number(alone), abs=0.01)
            assert name == "ours" or number(to_floor) == 1
            assert not to_peer  # no peer was measured


def test_pauses_prints_the_delays_of_both_span_processors() -> None:
    rows = tables("pauses.py", "--rounds", "1", "--spans", "100")
    assert set(rows) == {"batch span processor", "ours", "SDK", "no export"}
    for name in ("ours", "SDK", "no export"):
        ((wake_ups, median, p99),) = rows[name]
        assert number(wake_ups) > 0
        assert number(p99) >= number(median)


def test_memory_prints_the_growth_and_the_size_of_waiting_calls() -> None:
    rows = tables("memory.py", "--calls", "20", "--streams", "3", "--waiting", "60")
    assert [cells[0] for cells in rows["ours"]] == ["resident memory, MB", "allocated blocks"]
    assert len(rows["LiteLLM alone"]) == 2
    for way in ("dropped", "closed", "broken out of", "cancelled", "never read"):
        assert len([number(cell) for cell in rows[way][0]]) == 5
    for queue in ("span processor", "metrics", "both"):
        ((without, with_content),) = rows[queue]
        assert number(without) > 0
        assert number(with_content) > 0
