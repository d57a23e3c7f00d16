"""What starting up costs: `opentelemetry-instrument python -c pass` with this distro and with the stock one, in turns.

    python -m venv ours && ours/bin/pip install . litellm
    python -m venv stock && stock/bin/pip install opentelemetry-distro opentelemetry-exporter-otlp-proto-http litellm
    python benchmarks/startup.py ours stock

Both send OTLP over HTTP to a port where nobody listens. CPU is that of the whole process, as the operating system
accounts for it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ENVIRONMENT = {
    "OTEL_SERVICE_NAME": "startup",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
}


def cpu_seconds(venv: Path, environment: Mapping[str, str]) -> float:
    """User and system time of one start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    programs = venv.resolve() / "bin"
    command: list[str | Path] = [programs / "opentelemetry-instrument", programs / "python", "-c", "pass"]
    subprocess.run(command, check=True, env=environment)  # noqa: S603 - what the user named
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours", type=Path, help="a virtual environment with this package")
    parser.add_argument("stock", type=Path, help="one with the stock distro")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args(arguments)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | ENVIRONMENT
    venvs = (options.ours, options.stock)
    for venv in venvs:
        cpu_seconds(venv, environment)  # warm up: bytecode and the disk's cache
    pairs = [tuple(cpu_seconds(venv, environment) for venv in venvs) for _ in range(options.runs)]
    ours, stock = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    print(f"CPU: ours {ours * 1e3:.0f} ms, stock {stock * 1e3:.0f} ms; ours ÷ stock {ratio:.2f} (median of pairs)")


if __name__ == "__main__":
    main()
