"""The instrumentor: early or late, once, and undone; and what the app finds in its place."""

from __future__ import annotations

import subprocess
import sys


def test_importing_us_imports_neither_litellm_nor_the_sdk() -> None:
    """Programs that do not use them do not pay for them."""
    code = "import sys, agentops_otel_litellm; print({'litellm', 'opentelemetry.sdk', 'rich'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
