"""With other instrumentations of what LiteLLM calls: a call of LiteLLM's is one span, and all others keep theirs.

They change OpenAI's client for good, so each has a process of its own; `tox -e nested` has them all.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import pytest

from servers.openai_provider import OpenAIProvider

MODULES = {
    "openllmetry": "opentelemetry.instrumentation.openai",
    "openai-v2": "opentelemetry.instrumentation.openai_v2",
    "openai-v2-latest": "opentelemetry.instrumentation.openai_v2",
    "genai-openai": "opentelemetry.instrumentation.genai.openai",
    "agentops": "agentops.instrumentation.providers.openai",
}
HTTP = {"opentelemetry.instrumentation.httpx", "opentelemetry.instrumentation.aiohttp_client"}
OURS = "agentops_otel_litellm"
CALLS = {
    "chat": "chat gpt-4o",
    "chat, async": "chat gpt-4o",
    "stream": "chat gpt-4o",
    "stream, async": "chat gpt-4o",
    "embedding": "embeddings text-embedding-3-small",
    "embedding, async": "embeddings text-embedding-3-small",
    "text": "text_completion gpt-3.5-turbo-instruct",
}
DIRECT = ("direct", "direct, raw", "direct, async")
CALLBACKS = ("callback", "callback, async", "callback of a failure", "callback of a failure, async")


class Told(TypedDict):
    name: str
    by: str
    above: str | None


def has(*modules: str) -> bool:
    try:
        return all(importlib.util.find_spec(module) is not None for module in modules)
    except ModuleNotFoundError:
        return False


@functools.cache
def played(instrumentation: str, order: str) -> dict[str, list[Told]]:
    """What came of each thing that the app did."""
    app = Path(__file__).with_name("nested_app.py")
    with OpenAIProvider() as provider:
        run = subprocess.run(
            [sys.executable, app, instrumentation, order, provider.base_url],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        )
    assert run.returncode == 0, run.stderr
    results: dict[str, list[Told]] = json.loads(run.stdout.splitlines()[-1])
    return results


@pytest.fixture(params=[f"{name} {order}" for name in MODULES for order in ("first", "last")])
def results(request: pytest.FixtureRequest) -> dict[str, list[Told]]:
    """Of each instrumentation, with us before it and after it."""
    name, order = request.param.split()
    for module in (MODULES[name], *HTTP):
        if not has(module):
            pytest.skip(f"{module} is not installed: `tox -e nested`")
    if name.startswith("openai-v2") and not has("opentelemetry.util.genai.instruments"):
        pytest.skip("opentelemetry-instrumentation-openai-v2 does not work with this opentelemetry-util-genai")
    return played(name, order)


def test_a_call_of_litellms_is_one_span(results: dict[str, list[Told]]) -> None:
    """Ours, with the HTTP client's beneath it."""
    for what, name in CALLS.items():
        *http, ours = results[what]
        assert (ours["name"], ours["by"], ours["above"]) == (name, OURS, None), what
        assert http, what
        assert all(span["by"] in HTTP and span["above"] == name for span in http), what


def test_a_call_of_the_client_keeps_its_span(results: dict[str, list[Told]]) -> None:
    """Theirs, as without us."""
    for what in DIRECT:
        *http, theirs = results[what]
        assert theirs["by"] not in {OURS, *HTTP}, what
        assert theirs["above"] is None, what
        assert all(span["by"] in HTTP and span["above"] == theirs["name"] for span in http), what


def test_a_call_in_a_callback_keeps_its_span(results: dict[str, list[Told]]) -> None:
    """Theirs, beneath the call of LiteLLM's that the callback is told of."""
    for what in CALLBACKS:
        models = [span for span in results[what] if span["by"] not in HTTP]
        assert len(models) == 2, what
        (ours,) = (span for span in models if span["by"] == OURS)
        (theirs,) = (span for span in models if span["by"] != OURS)
        assert (ours["name"], ours["above"]) == ("chat gpt-4o", None), what
        assert theirs["above"] == "chat gpt-4o", what
