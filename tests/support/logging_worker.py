"""LiteLLM's worker that makes callbacks of asynchronous calls."""

from __future__ import annotations

import time

from litellm.litellm_core_utils.thread_pool_executor import executor


def settle() -> None:
    """Wait until LiteLLM's queued logging handlers have run."""
    executor.submit(time.sleep, 0).result(timeout=10)
    time.sleep(0.05)
