"""The directory whose `sitecustomize` is loaded by Python processes that the application starts, through PYTHONPATH.

`opentelemetry-instrument` puts a directory of its own there, whose `sitecustomize` starts OpenTelemetry in every Python
process. Child processes inherit PYTHONPATH, even if their Python does not have OpenTelemetry.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def prepare_child_processes() -> None:
    """Put this directory on PYTHONPATH, whose `sitecustomize` prints nothing in a Python without OpenTelemetry.

    Called at the end of the start-up, by the entry point `opentelemetry_post_instrument`. Does nothing if the launcher
    did not start this process, or is so old that it does not start OpenTelemetry in child processes.
    """
    from opentelemetry.instrumentation import auto_instrumentation

    launchers = str(Path(auto_instrumentation.__file__).resolve().parent)
    if launchers not in map(os.path.realpath, sys.path) or not hasattr(auto_instrumentation, "_initialize"):
        return
    ours = str(Path(__file__).parent)
    launchers_as_written = next(each for each in sys.path if os.path.realpath(each) == launchers)
    path = os.environ.get("PYTHONPATH")
    others = [] if path is None else path.split(os.pathsep)
    kept = [each for each in others if each not in (ours, launchers_as_written)]
    os.environ["PYTHONPATH"] = os.pathsep.join([ours, launchers_as_written, *kept])
