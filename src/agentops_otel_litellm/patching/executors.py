"""Carries the caller's context to functions that run in a `ThreadPoolExecutor`.

Otherwise, calls that a framework makes on threads, such as `dspy.Parallel`, would not be in the caller's trace. This is
done as soon as LiteLLM is instrumented, because a framework may import LiteLLM later, on one of these threads. So this
module imports nothing of this package that takes long.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.context import Context, attach, detach, get_current

MODULE = "concurrent.futures.thread"
LITELLMS_LOGGING = "litellm.litellm_core_utils.thread_pool_executor"
"""The module with the thread pool, `executor`, in which LiteLLM logs calls. It needs no context."""
Submit = Callable[..., object]


class ExecutorContext:
    """Replaces `ThreadPoolExecutor.submit` between `start` and `stop`."""

    def __init__(self) -> None:
        self._is_started = self._is_watching = False
        self._original: Submit | None = None
        self._replacement: Submit | None = None

    def start(self) -> None:
        """Replace the method now, or when its module is imported."""
        self._is_started = True
        if MODULE in sys.modules:
            self._replace(sys.modules[MODULE])
        elif not self._is_watching:  # an import hook cannot be removed, so it checks whether this was stopped
            self._is_watching = True
            wrapt.register_post_import_hook(self._replace, MODULE)

    def stop(self) -> None:
        """Restore the method, unless other code has replaced it since."""
        self._is_started = False
        executor = getattr(sys.modules.get(MODULE), "ThreadPoolExecutor", None)
        if executor is not None and self._original is not None and executor.submit is self._replacement:
            executor.submit = self._original
            self._original = self._replacement = None

    def _replace(self, module: ModuleType) -> None:
        if self._is_started and self._original is None:
            self._original = module.ThreadPoolExecutor.submit
            self._replacement = self._carrying(self._original)
            module.ThreadPoolExecutor.submit = self._replacement

    def _carrying(self, submit: Submit) -> Submit:
        @wraps(submit)
        def submit_with_context(*args: object, **kwargs: object) -> object:
            context = get_current() if self._is_started else None
            if not context or len(args) < 2:  # noqa: PLR2004 - the executor and the function
                return submit(*args, **kwargs)
            executor, function, *rest = args
            if executor is getattr(sys.modules.get(LITELLMS_LOGGING), "executor", None):
                return submit(*args, **kwargs)
            return submit(executor, run_in_context, context, function, *rest, **kwargs)

        return submit_with_context


def run_in_context(context: Context, function: Any, /, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - callable or not
    """Run a function in a context."""
    token = attach(context)
    try:
        return function(*args, **kwargs)
    finally:
        detach(token)


EXECUTORS = ExecutorContext()
