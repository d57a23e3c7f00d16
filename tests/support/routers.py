"""Routers whose deployments fail or respond."""

from __future__ import annotations

from typing import Any, cast

from litellm import Router

from support.apps import MESSAGES, App, SyncApp
from support.servers.openai_provider import OpenAIProvider, Script

FAILURE = Script(status=500)


CANARY = "sk-canary-0123456789"


def deployment(group: str, model: str, name: str, base: str, **parameters: object) -> dict[str, object]:
    return {
        "model_name": group,
        "litellm_params": {"model": model, "api_base": base, "api_key": CANARY, **parameters},
        "model_info": {"id": name},
    }


def router(provider: OpenAIProvider, **settings: object) -> Router:
    """Two groups: `fast`, of two deployments of which the first is always chosen first, and `slow`."""
    base = provider.base_url
    deployments = [
        deployment("fast", "openai/gpt-4o", "fast-1", base, order=1),
        deployment("slow", "openai/gpt-4.1", "slow-1", base),
    ]
    made: Router = Router(model_list=cast("Any", deployments), **cast("Any", {"num_retries": 0, **settings}))
    return made


async def call_router(app: App, target: Router, **parameters: object) -> Any:  # noqa: ANN401 - any result
    call_parameters: dict[str, Any] = {"model": "fast", "messages": MESSAGES, **parameters}
    if isinstance(app, SyncApp):
        return target.completion(**call_parameters)
    return await target.acompletion(**call_parameters)
