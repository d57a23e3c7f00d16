"""Servers that are stopped by signals: every call is delivered, and the exit code is what it is without us.

Each server is a package of its own: `tox -e servers` installs them. Without them only plain Python is stopped here.
"""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.server_apps import CALLS, MODEL, SERVERS, stop
from support.servers.otlp_receiver import OTLPReceiver

pytestmark = pytest.mark.skipif(os.name != "posix", reason="servers are stopped in another way here")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_stopped(name: str, number: signal.Signals, tmp_path: Path) -> None:
    missing = [module for module in SERVERS[name].needs if find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: tox -e servers")
    folders = [tmp_path / "without", tmp_path / "with"]
    for folder in folders:
        folder.mkdir()
    without = stop(name, number, folders[0], None)
    with OTLPReceiver() as collector:
        stopped = stop(name, number, folders[1], collector.url)
        delivered = [span for span in collector.spans if span.attributes.get("gen_ai.request.model") == MODEL]
    assert stopped.code == without.code, stopped.errors
    assert len(delivered) == CALLS
