"""The distro and its configurator: what is warned of, what the resource says, and who wins beside another distro."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.distributions import (
    NOTICES,
    isolated_environment,  # noqa: F401 - a fixture
    only_these,
)
from support.launching import launch
from support.servers.otlp_receiver import OTLPReceiver


@pytest.mark.parametrize("order", NOTICES, ids=" before ".join)
def test_beside_another_distro(order: tuple[str, str], tmp_path: Path) -> None:
    """Whichever is found first, ours configures the SDK, with OTLP over HTTP, and nothing of ours is printed."""
    code = (
        "from importlib.metadata import entry_points\n"
        "from opentelemetry import trace\n"
        "print(*(entry_point.dist.name for entry_point in entry_points(group='opentelemetry_distro')))\n"
        "trace.get_tracer('app').start_span('a span').end()"
    )
    with OTLPReceiver() as backend:
        done = launch(
            sys.executable,
            "-c",
            code,
            PYTHONPATH=only_these(order, tmp_path),
            OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
            OTEL_SERVICE_NAME="a-test",
        )
    assert (done.stdout, done.stderr) == (f"{' '.join(order)}\n", NOTICES[order])
    assert [span.resource["telemetry.distro.name"] for span in backend.spans] == ["agentops-otel-litellm"]
