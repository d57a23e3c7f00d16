"""Delivering telemetry before a child process of `multiprocessing` ends.

A forked child ends with `os._exit`, without `atexit` handlers: only the finalizers of `multiprocessing` run. The
finalizers of the parent are removed in the child, so a finalizer is registered in each child.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial, wraps
from types import MappingProxyType, ModuleType
from typing import Any

import wrapt

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.sdk.flush import flush_before_end, time_limit
from agentops_otel_litellm.settings import sdk_is_disabled

LAST = -1_000_000
"""The priority of a finalizer that runs after the application's, which may make calls."""


class Child:
    """The object that `multiprocessing` passes to `add_flush` in each forked child. `multiprocessing` has only a weak
    reference to it.
    """

    def __init__(self) -> None:
        self.time_limit = 0.0
        self.installed_in: int | None = None
        """The process in which the launcher or `init()` called `arrange`."""

    def arrange(self, environment: Mapping[str, str]) -> None:
        """Deliver telemetry at the end of child processes that the modules in `MODULES` start, even if these modules
        are imported later.
        """
        self.time_limit = time_limit(environment)
        if self.installed_in is not None or sdk_is_disabled(environment):
            return
        self.installed_in = os.getpid()
        for module, arrange in MODULES.items():
            wrapt.register_post_import_hook(partial(_guarded, arrange), module)

    def flush(self) -> None:
        """Deliver the finished telemetry of this process."""
        flush_before_end(self.time_limit)


def _add_finalizer(module: ModuleType) -> None:
    """Flush when a forked child process ends. `module` is `multiprocessing.util`, which billiard's processes use as
    well.
    """

    def add_flush(child: Child) -> None:
        if child.installed_in != os.getpid():  # else it was spawned, not forked, and `atexit` handlers run
            module.Finalize(None, child.flush, exitpriority=LAST)

    module.register_after_fork(CHILD, add_flush)


def _flush_before_exit(module: ModuleType) -> None:
    """Flush when a worker ends. `module` is `billiard.pool`, whose workers, such as Celery's, run no finalizers."""
    do_exit = module.Worker._do_exit  # noqa: SLF001 - billiard has no other way

    @wraps(do_exit)
    def flushing(worker: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - billiard's
        on_exit = worker.on_exit

        def flush_on_exit(*about: object) -> None:
            try:
                if on_exit is not None:  # Celery's: functions of the application run there
                    on_exit(*about)
            finally:
                CHILD.flush()

        worker.on_exit = flush_on_exit
        return do_exit(worker, *args, **kwargs)

    module.Worker._do_exit = flushing  # noqa: SLF001


def _guarded(arrange: Callable[[ModuleType], None], module: ModuleType) -> None:
    with guard("preparing the delivery at the end of child processes"):
        arrange(module)


MODULES: Mapping[str, Callable[[ModuleType], None]] = MappingProxyType(
    {
        "multiprocessing.util": _add_finalizer,
        "billiard.pool": _flush_before_exit,
    }
)
"""Module that starts child processes → the function that patches it, once it is imported."""

CHILD = Child()
