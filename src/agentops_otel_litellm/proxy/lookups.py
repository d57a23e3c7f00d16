"""Look-ups before LiteLLM calls a model: in its response cache, and of prompts in a prompt manager."""

from __future__ import annotations

import sys
from dataclasses import replace
from time import time_ns
from typing import Any

from agentops_otel_litellm.proxy.traced_work import Arguments, traced_work
from agentops_otel_litellm.readers.values import field, text
from agentops_otel_litellm.work import CacheLookup, Prompt, Work

_PROXY = "litellm.proxy.proxy_server"


def _start_cache_lookup(_arguments: Arguments) -> Work | None:
    """A look-up of the proxy. In applications, the call itself shows whether the response is from the cache."""
    if _PROXY not in sys.modules:
        return None
    return Work(kind="cache", name="cache_lookup", started_at=time_ns())


def _end_cache_lookup(work: Work, result: object, error: BaseException | None) -> Work:
    return work if error is not None else replace(work, cache_lookup=CacheLookup(hit=result is not None))


trace_cache_lookup = traced_work("recording a cache look-up", _start_cache_lookup, _end_cache_lookup)


def _version(value: Any) -> str | None:  # noqa: ANN401 - as the application passes it
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def _start_prompt(arguments: Arguments) -> Work | None:
    """A prompt that LiteLLM fetches by its id. Without an id, LiteLLM fetches nothing."""
    spec: Any = arguments.get("prompt_spec")
    name = text(field(spec, "prompt_id")) or text(arguments.get("prompt_id"))
    if name is None:
        return None
    version = _version(arguments.get("prompt_version")) or _version(field(spec, "version"))
    manager = arguments.get("prompt_management_logger")
    prompt = Prompt(name=name, version=version, integration=None if manager is None else type(manager).__name__)
    return Work(kind="prompt", name=f"get_prompt {name}", prompt=prompt, started_at=time_ns())


trace_prompt = traced_work("recording a prompt", _start_prompt)
