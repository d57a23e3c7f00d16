"""LiteLLM's caches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import litellm
import pytest
from litellm.caching import caching_handler
from litellm.types.caching import LiteLLMCacheType

from support.apps import App

CALLBACKS = ("input_callback", "success_callback", "_async_success_callback")
"""Where a `litellm.Cache` enters itself when it is made."""


def local(_request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"type": "local"}


def disk(request: pytest.FixtureRequest) -> dict[str, Any]:
    pytest.importorskip("diskcache")
    if "disk" not in {kind.value for kind in LiteLLMCacheType}:
        pytest.skip("newer releases of LiteLLM have no cache on disk")
    directory: Path = request.getfixturevalue("tmp_path")
    return {"type": "disk", "disk_cache_dir": str(directory)}


@pytest.fixture(params=[local])
def cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """LiteLLM's cache is on, and empty."""
    where: Callable[[pytest.FixtureRequest], dict[str, Any]] = request.param
    for name in CALLBACKS:
        monkeypatch.setattr(litellm, name, list(getattr(litellm, name)))
    made: Any = litellm.Cache(namespace=str(uuid4()), **where(request))
    monkeypatch.setattr(litellm, "cache", made)
    yield
    if where is disk:
        made.cache.disk_cache.close()


async def wait_for_cache_writes() -> None:
    """Wait for the tasks in which LiteLLM writes asynchronous responses to the cache, and empty its in-memory copy."""
    deadline = time.perf_counter() + 5
    while has_pending_cache_writes() and time.perf_counter() < deadline:  # noqa: ASYNC110 - LiteLLM's tasks set no event
        await asyncio.sleep(0.005)
    if hasattr(caching_handler, "in_memory_cache_obj"):  # older releases keep nothing
        caching_handler.in_memory_cache_obj.flush_cache()


def has_pending_cache_writes() -> bool:
    try:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
    except RuntimeError:  # a synchronous app has none
        return False
    return any("cache" in str(task.get_coro()) for task in tasks)


def read_twice(app: App, operation: str, **parameters: object) -> list[litellm.ModelResponseStream]:
    async def scenario() -> list[litellm.ModelResponseStream]:
        await app.rest(await app.stream(operation, **parameters))
        await wait_for_cache_writes()
        return await app.rest(await app.stream(operation, **parameters))

    return app.run(scenario())
