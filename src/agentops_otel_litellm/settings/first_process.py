"""Which process of an application is the first. Only the first one logs lines about the environment at start-up.

The child processes that it starts inherit the environment, and would repeat the lines.
"""

from __future__ import annotations

import logging
import os
import sys

FIRST_PROCESS = "AGENTOPS_OTEL_LITELLM_FIRST_PROCESS"
"""Variable with the id of the process that logged the start-up lines. The distro sets it, for child processes."""

_LOADER = "opentelemetry.instrumentation.auto_instrumentation._load"


def mark_first_process() -> None:
    """Set the variable that marks child processes as not the first."""
    os.environ.setdefault(FIRST_PROCESS, str(os.getpid()))


def is_first_process() -> bool:
    """Whether this process is the first one: it is not a child of a process that has set up this package."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        return False
    own = str(os.getpid())
    return os.environ.get(FIRST_PROCESS, own) == own


def quiet_child_process() -> None:
    """In a child process, keep OpenTelemetry from logging the installed configurators that it does not load. The first
    process has logged them.
    """
    if not is_first_process():
        logging.getLogger(_LOADER).addFilter(_is_no_start_up_line)


def _is_no_start_up_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Configuration of %s not loaded")


def warn_at_start_up(logger: logging.Logger, message: str, *values: object) -> None:
    """Log a warning about the environment. Child processes inherit the environment, and would repeat it."""
    if is_first_process():
        logger.warning(message, *values, stacklevel=2)
