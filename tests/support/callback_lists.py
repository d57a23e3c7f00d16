"""LiteLLM's lists of callbacks."""

from __future__ import annotations

import asyncio

from support.apps import App

LISTS = (
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
    "_async_input_callback",
)


async def call_and_wait_for_logging(app: App, **parameters: object) -> None:
    """Call a chat, and wait for LiteLLM's logging worker, which is a task of the loop."""
    try:
        await app.call(**parameters)  # type: ignore[arg-type]  # none is the operation
    finally:
        if app.style == "async":
            await asyncio.sleep(0.1)
