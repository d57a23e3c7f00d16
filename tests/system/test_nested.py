"""With other instrumentations of what LiteLLM calls: a call of LiteLLM's is one span, and all others keep theirs.

They change providers' clients for good, so each has a process of its own; `tox -e nested` has them all.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from typing import TypedDict

import pytest

from support.project import SUPPORT
from support.requirements import is_installed
from support.servers.openai_provider import OpenAIProvider
from support.servers.wire import Reply, WireProvider

MODULES = {
    "openllmetry": "opentelemetry.instrumentation.openai",
    "openai-v2": "opentelemetry.instrumentation.openai_v2",
    "openai-v2-latest": "opentelemetry.instrumentation.openai_v2",
    "genai-openai": "opentelemetry.instrumentation.genai.openai",
    "agentops": "agentops.instrumentation.providers.openai",
    "openllmetry-anthropic": "opentelemetry.instrumentation.anthropic",
    "genai-anthropic": "opentelemetry.instrumentation.genai.anthropic",
    "agentops-anthropic": "agentops.instrumentation.providers.anthropic",
}
HTTP = {"opentelemetry.instrumentation.httpx", "opentelemetry.instrumentation.aiohttp_client"}
OURS = "agentops_otel_litellm"
CHATS = ("chat", "chat, async", "stream", "stream, async")
EMBEDDINGS = ("embedding", "embedding, async")
DIRECT = ("direct", "direct, raw", "direct, async")
CALLBACKS = ("callback", "callback, async", "callback of a failure", "callback of a failure, async")


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


class LoggedWarnings(TypedDict):
    name: str
    by: str
    above: str | None


@functools.cache
def played(instrumentation: str, order: str) -> dict[str, list[LoggedWarnings]]:
    """What came of each thing that the app did."""
    app = SUPPORT / "nested_app.py"
    with WireProvider() if instrumentation.endswith("anthropic") else OpenAIProvider() as provider:
        if isinstance(provider, WireProvider):
            provider.reply("/nowhere/v1/messages", Reply(status=404, body={"error": {"message": "no"}}))
            provider.reply("/v1/messages", Reply(body=MESSAGE))
        url = provider.base_url if isinstance(provider, OpenAIProvider) else provider.url
        run = subprocess.run(
            [sys.executable, app, instrumentation, order, url],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        )
    assert run.returncode == 0, run.stderr
    results: dict[str, list[LoggedWarnings]] = json.loads(run.stdout.splitlines()[-1])
    return results


@pytest.fixture(
    params=[
        f"{name} {order}"
        for name in MODULES
        for order in ("first", "last")
        if order == "first" or not name.endswith("anthropic")  # LiteLLM does not call Anthropic's client
    ]
)
def results(request: pytest.FixtureRequest) -> dict[str, list[LoggedWarnings]]:
    """Of each instrumentation, with us before it and after it."""
    name, order = request.param.split()
    for module in (MODULES[name], *HTTP):
        if not is_installed(module):
            pytest.skip(f"{module} is not installed: `tox -e nested`")
    if name.startswith("openai-v2") and not is_installed("opentelemetry.util.genai.instruments"):
        pytest.skip("opentelemetry-instrumentation-openai-v2 does not work with this opentelemetry-util-genai")
    return played(name, order)


def chat(results: dict[str, list[LoggedWarnings]]) -> str:
    """The name of the span of a chat."""
    name = results["chat"][-1]["name"]
    assert name in {"chat gpt-4o", "chat claude-haiku-4-5"}
    return name


def test_a_call_of_litellms_is_one_span(results: dict[str, list[LoggedWarnings]]) -> None:
    """Ours, with the HTTP client's beneath it."""
    names = dict.fromkeys(CHATS, chat(results))
    names |= dict.fromkeys(EMBEDDINGS, "embeddings text-embedding-3-small")
    names["text"] = "text_completion gpt-3.5-turbo-instruct"
    done = names.keys() & results.keys()
    assert len(done) in {2, len(names)}  # Anthropic's and OpenAI's
    for what in done:
        *http, ours = results[what]
        assert (ours["name"], ours["by"], ours["above"]) == (names[what], OURS, None), what
        assert http, what
        assert all(span["by"] in HTTP and span["above"] == names[what] for span in http), what


def test_a_call_of_the_client_keeps_its_span(results: dict[str, list[LoggedWarnings]]) -> None:
    """Theirs, as without us."""
    for what in DIRECT:
        assert any(span["by"] not in HTTP and span["above"] is None for span in results[what]), what
        assert all(span["by"] != OURS for span in results[what]), what


def test_a_call_in_a_callback_keeps_its_span(results: dict[str, list[LoggedWarnings]]) -> None:
    """Theirs, beneath the call of LiteLLM's that the callback is told of."""
    for what in CALLBACKS:
        models = [span for span in results[what] if span["by"] not in HTTP]
        (ours,) = (span for span in models if span["by"] == OURS)
        assert (ours["name"], ours["above"]) == (chat(results), None), what
        assert any(span["by"] != OURS and span["above"] == ours["name"] for span in models), what
