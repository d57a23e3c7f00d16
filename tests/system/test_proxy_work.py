"""The work of LiteLLM's proxy: the spans of each request, against the real proxy with Redis and an MCP server."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from support.proxy_files import running_proxy
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver, ReceivedSpan

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in ("apscheduler", "fastapi_sso", "mcp")),
    reason="litellm[proxy] is not installed: tox -e proxy",
)


@dataclass
class Answer:
    """The proxy's response to a request, and the spans of the request's trace."""

    status: int
    body: str
    spans: list[ReceivedSpan] = field(default_factory=list)

    def named(self, prefix: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.name.startswith(prefix)]

    def only(self, prefix: str) -> ReceivedSpan:
        (span,) = self.named(prefix)
        return span

    @property
    def root(self) -> ReceivedSpan:
        """The topmost span of this process."""
        ids = {span.span_id for span in self.spans}
        (root,) = (span for span in self.spans if span.parent_span_id not in ids)
        return root


class Proxy:
    """A client of the running proxy."""

    def __init__(self, url: str, collector: OTLPReceiver, provider: OpenAIProvider) -> None:
        self._url, self._collector, self.provider = url, collector, provider

    def ask(self, text: str = "Say hello.", key: str = "sk-canary-first", **parameters: object) -> Answer:
        messages = [{"role": "user", "content": f"canary-prompt {text}"}]
        return self.send("/v1/chat/completions", {"model": "fast", "messages": messages, **parameters}, key)

    def send(self, path: str, body: object, key: str) -> Answer:
        """Send a request in a trace of its own, and wait for the spans of this trace."""
        trace_id = uuid.uuid4().hex
        headers = {
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01",
        }
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(self._url + path, data, headers), timeout=60) as response:
                answer = Answer(response.status, response.read().decode())
        except HTTPError as error:
            answer = Answer(error.code, error.read().decode())
        answer.spans = self._spans_of(trace_id)
        return answer

    def _spans_of(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of a trace, when no more have arrived for a second."""
        found: list[ReceivedSpan] = []
        changed_at = time.monotonic()
        while time.monotonic() - changed_at < 1 or (not found and time.monotonic() - changed_at < 10):
            now = [span for span in self._collector.spans if span.trace_id == trace_id]
            if len(now) != len(found):
                found, changed_at = now, time.monotonic()
            time.sleep(0.05)
        return found

    @property
    def exported(self) -> bytes:
        """Everything that was exported so far: traces, metrics and logs."""
        return b"".join(request.body for request in self._collector.requests)


@pytest.fixture(scope="module", params=["instrumented", "own spans"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy, with OpenTelemetry's instrumentation of FastAPI and without it. Without it, newer releases of FastAPI
    make the SERVER span, and spans within it.
    """
    folder: Path = tmp_path_factory.mktemp("proxy")
    with OpenAIProvider() as provider, OTLPReceiver() as collector:
        variables = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        if request.param == "own spans":
            variables["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = "fastapi"
        with running_proxy(folder, provider.base_url, variables) as url:
            yield Proxy(url, collector, provider)


def requests_of(proxy: Proxy) -> int:
    return len(proxy.provider.ledger)


def test_a_request_shows_the_proxys_work(proxy: Proxy) -> None:
    """Authentication, rate limits, the cache, the route and the call, in this order."""
    answer = proxy.ask("in order", key="sk-canary-first")
    assert answer.status == 200
    spans = [answer.only(name) for name in ("authenticate", "check_rate_limits", "chat ", "cache_lookup")]
    assert answer.only("authenticate").attributes["litellm.check.outcome"] == "accepted"
    assert answer.only("cache_lookup").attributes["litellm.cache.hit"] is False
    starts = [span.start_ns for span in spans]
    assert starts == sorted(starts)
    assert all(span.start_ns < span.end_ns for span in spans)
    assert answer.root.kind == "SERVER"
    assert answer.only("cache_lookup").parent_span_id == answer.only("chat ").span_id


REJECTED = {
    "sk-canary-unknown": (401, "unknown_key", "auth", {}),
    "sk-canary-expired": (401, "expired_key", "auth", {}),
    "sk-canary-spent": (None, "over_budget", "quota", {}),
    "sk-canary-first": (None, "model_not_allowed", "auth", {"model": "reserved"}),
}


@pytest.mark.parametrize("key", REJECTED)
def test_a_rejected_key(proxy: Proxy, key: str) -> None:
    """The authentication and the request's span are errors with category and reason, and no model is called."""
    status, reason, category, parameters = REJECTED[key]
    before = requests_of(proxy)
    answer = proxy.ask(key=key, **parameters)
    assert status in {None, answer.status}
    assert answer.status >= 400
    check = answer.only("authenticate")
    assert check.attributes["litellm.check.outcome"] == "rejected"
    assert check.attributes["litellm.check.reason"] == reason
    assert check.attributes["llm.error.category"] == category
    assert_rejected(answer, reason, category)
    assert requests_of(proxy) == before
    assert answer.named("chat ") == answer.named("route ") == []


def assert_rejected(answer: Answer, reason: str, category: str) -> None:
    assert answer.root.status == "ERROR"
    assert answer.root.attributes["litellm.rejection.reason"] == reason
    assert answer.root.attributes["litellm.rejection.category"] == category
    assert answer.root.attributes["error.type"]


def test_a_rate_limit(proxy: Proxy) -> None:
    first = proxy.ask("once", key="sk-canary-second")
    assert first.only("check_rate_limits").attributes["litellm.check.outcome"] == "accepted"
    before = requests_of(proxy)
    second = proxy.ask("twice", key="sk-canary-second")
    assert second.status == 429
    # LiteLLM may reject a request by its headers, during authentication, or by its body.
    (check,) = (span for span in second.spans if span.attributes.get("litellm.check.outcome") == "rejected")
    assert check.attributes["litellm.check.reason"] == "over_rate_limit"
    assert_rejected(second, "over_rate_limit", "rate_limit")
    assert requests_of(proxy) == before
    assert second.named("chat ") == []


def test_a_guardrail_of_litellm(proxy: Proxy) -> None:
    """A content filter that needs no network: it blocks one text and masks another."""
    before = requests_of(proxy)
    blocked = proxy.ask("canary-forbidden", guardrails=["words"])
    assert blocked.status == 400
    run = blocked.only("apply_guardrail words")
    assert run.attributes["litellm.guardrail.mode"] == "pre_call"
    assert run.attributes["litellm.guardrail.provider"] == "litellm_content_filter"
    assert run.attributes["litellm.guardrail.verdict"] == "guardrail_intervened"
    assert run.status == "ERROR"
    assert_rejected(blocked, "guardrail", "content_filter")
    assert requests_of(proxy) == before
    assert blocked.named("chat ") == []
    masked = proxy.ask("canary-masked", guardrails=["words"])
    assert masked.status == 200
    assert masked.only("apply_guardrail words").attributes["litellm.guardrail.verdict"] == "success"
    assert masked.root.status == "UNSET"


def test_custom_guardrails_during_and_after_the_call(proxy: Proxy) -> None:
    answer = proxy.ask("guarded", guardrails=["during", "after"])
    assert answer.status == 200
    during, after = answer.only("apply_guardrail during"), answer.only("apply_guardrail after")
    assert during.attributes["litellm.guardrail.mode"] == "during_call"
    assert "litellm.guardrail.verdict" not in during.attributes  # LiteLLM has no record of it
    assert after.attributes["litellm.guardrail.mode"] == "post_call"
    assert after.attributes["litellm.guardrail.verdict"] == "success"
    assert after.attributes["litellm.guardrail.action"] == "allow"
    assert after.start_ns >= answer.only("chat ").end_ns
    blocked = proxy.ask("canary-forbidden during", guardrails=["during"])
    assert blocked.status == 400
    assert_rejected(blocked, "guardrail", "content_filter")


def test_a_cached_response(proxy: Proxy) -> None:
    proxy.ask("to be cached")
    time.sleep(1)  # LiteLLM writes the cache after the response
    before = requests_of(proxy)
    answer = proxy.ask("to be cached")
    assert answer.only("cache_lookup").attributes["litellm.cache.hit"] is True
    assert requests_of(proxy) == before


def test_mcp_tools(proxy: Proxy) -> None:
    listed = proxy.send("/mcp-rest/tools/list", None, "sk-canary-first")
    assert listed.status == 200
    tools: list[dict[str, Any]] = json.loads(listed.body)["tools"]
    lists = listed.named("tools/list")
    assert lists
    assert lists[-1].attributes["mcp.method.name"] == "tools/list"
    assert lists[-1].attributes["litellm.mcp.tools_count"] == 2
    names = {tool["name"].rpartition("-")[2]: tool for tool in tools}
    server_id = tools[0]["mcp_info"]["server_id"]
    called = call_tool(proxy, server_id, names["add"]["name"], {"first": 1, "second": 2})
    assert called.status == 200
    execution, request = called.only("execute_tool"), called.only("tools/call")
    assert execution.attributes["gen_ai.operation.name"] == "execute_tool"
    assert request.attributes["gen_ai.tool.name"] == "add"
    assert request.attributes["litellm.tool.is_error"] is False
    assert request.kind == "CLIENT"
    assert execution.start_ns <= request.start_ns < request.end_ns <= execution.end_ns
    failed = call_tool(proxy, server_id, names["fail"]["name"], {"text": "canary-argument"})
    assert failed.only("tools/call").attributes["error.type"] == "tool_error"
    assert failed.only("tools/call").status == "ERROR"


def call_tool(proxy: Proxy, server_id: str, name: str, arguments: object) -> Answer:
    body = {"server_id": server_id, "name": name, "arguments": arguments}
    return proxy.send("/mcp-rest/tools/call", body, "sk-canary-first")


def test_a_prompt(proxy: Proxy) -> None:
    answer = proxy.ask("with a prompt", prompt_id="greeting", prompt_variables={"name": "canary-name"})
    assert answer.status == 200
    prompt = answer.only("get_prompt greeting")
    assert prompt.attributes["gen_ai.prompt.name"] == "greeting"


def test_a_request_that_is_passed_through(proxy: Proxy) -> None:
    """The proxy's own work has spans, and so has the call, although no function of LiteLLM makes it."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "canary-passed"}]}
    answer = proxy.send("/passed", body, "sk-canary-first")
    assert answer.status == 200
    assert answer.only("authenticate").attributes["litellm.check.outcome"] == "accepted"
    assert answer.only("pass_through_endpoint").kind == "CLIENT"


def test_nothing_of_the_requests_is_recorded(proxy: Proxy) -> None:
    """Keys, prompts, texts of guardrails, arguments and results of tools, templates: everything that the tests above
    have sent has the word `canary`.
    """
    assert b"apply_guardrail" in proxy.exported
    assert b"canary" not in proxy.exported.lower()
