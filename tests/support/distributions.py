"""Installed packages, in a chosen order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from unittest.mock import patch

import pytest

from agentops_otel_litellm.sdk.distro import AgentOpsDistro

BOTH_DISTROS = ("agentops-otel-litellm", "opentelemetry-distro")


NOTICES = {
    BOTH_DISTROS: "Configuration of configurator not loaded, agentops already loaded\n",
    BOTH_DISTROS[::-1]: (
        "Configuration of configurator not loaded because agentops is set by OTEL_PYTHON_CONFIGURATOR\n"
    ),
}


def only_these(order: tuple[str, ...], folder: Path) -> str:
    """A PYTHONPATH on which these packages are found, in this order, before all others."""
    for name in order:
        found = distribution(name)
        metadata = folder / name / f"{name.replace('-', '_')}-{found.version}.dist-info"
        metadata.mkdir(parents=True)
        for file in ("METADATA", "entry_points.txt"):
            (metadata / file).write_text(found.read_text(file) or "", encoding="utf-8")
    return os.pathsep.join(str(folder / name) for name in order)


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restores the environment and the distro's instance at the end of the test."""
    monkeypatch.setattr(AgentOpsDistro, "_instance", None)
    with patch.dict(os.environ):
        yield
