"""An app of many kinds of calls under the launcher: AgentOps shows all of it, once, though its token ends meanwhile."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import entry_points

import litellm
import pytest

from agentops_otel_litellm.version import SCOPE
from support import releases
from support.launching import launch
from support.project import SUPPORT
from support.servers.agentops_platform import AgentOpsPlatform, without_suffix
from support.servers.agentops_reader import KIND, displayed_span, displayed_trace, findings, findings_outside_calls
from support.servers.openai_provider import JSON, OpenAIProvider, Script
from support.servers.otlp_receiver import ReceivedSpan

APP = SUPPORT / "mixed_app.py"
LINK = r"AgentOps: https://app\.agentops\.ai/sessions\?trace_id=([0-9a-f]{32})"
USAGE: JSON = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
USUAL = Script(usage=USAGE)
CALL = ("call_1", "look", ('{"at":', '"it"}'))
# What the provider does with each request, in order.
SCRIPTS = [
    USUAL,
    USUAL,
    Script(usage=USAGE, content=(), tool_calls=(CALL,)),
    USUAL,
    USUAL,
    Script(status=500),
    USUAL,
    Script(status=400),
    *[USUAL] * 3,
]
ENDS_BEFORE = 4
"""The request from which on the first token is not good any more."""
HELLO = [("system", "Be brief."), ("user", "Say hello.")]
ASKED_BACK = 'look({"at": "it"})'
WORLD = ["Hello, world!"]


class EndingToken(OpenAIProvider):
    """In the middle of what it is asked, what AgentOps was given is delivered, and the token ends."""

    def __init__(self, platform: AgentOpsPlatform) -> None:
        super().__init__()
        self._platform, self._asked = platform, 0

    def scripted(self, body: JSON) -> Script:
        self._asked += 1
        if self._asked == ENDS_BEFORE:
            self._platform.wait_for_spans(1)
            self._platform.revoke()
        return super().scripted(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    spans: list[ReceivedSpan]
    """All that came."""
    calls: list[ReceivedSpan]
    """What is shown as calls of models, in order."""
    authorizations: list[str | None]
    """With which exports came, in order."""
    stderr: str
    provider_tokens: int


@pytest.fixture(scope="module")
def run() -> Run:
    others = {each.name for each in entry_points(group="opentelemetry_instrumentor")} - {"agentops_litellm"}
    with AgentOpsPlatform() as platform, EndingToken(platform) as provider:
        provider.scripts(SCRIPTS)
        done = launch(
            sys.executable,
            str(APP),
            **platform.environment,
            PROVIDER=provider.base_url,
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=",".join(others),
            OTEL_SERVICE_NAME="mixed",
            AGENTOPS_EXPORT_FLUSH_INTERVAL="100",
            AGENTOPS_TRACE_NAME="nightly",
            AGENTOPS_DEFAULT_TAGS="eu,test",
            AGENTOPS_LOG_SESSION_REPLAY_URL="true",
        )
        assert done.returncode == 0, done.stderr
        counted = [int(str((exchange.usage or {}).get("total_tokens", 0))) for exchange in provider.ledger]
        spans = sorted(platform.spans, key=lambda span: span.start_ns)
        return Run(
            spans=spans,
            calls=[span for span in spans if span.attributes.get(KIND) == "llm"],
            authorizations=platform.authorizations,
            stderr=done.stderr,
            provider_tokens=sum(counted),
        )


# In the order in which calls are made: name, tokens, prompts, completions.
EXPECTED = [
    ("chat gpt-4o", 18, HELLO, WORLD),
    ("chat gpt-4o", 18, HELLO, WORLD),
    ("chat gpt-4o", 18, HELLO, ['look({"at": "it"})', 'look({"at":"it"})']),
    ("chat gpt-4o", 18, [*HELLO, ("assistant", ASKED_BACK), ("tool", "A cat.")], WORLD),
    ("embeddings text-embedding-3-small", 11, [("user", "one"), ("user", "two")], []),
    ("chat gpt-4.1", 18, HELLO, WORLD),
    ("chat gpt-4o", 0, HELLO, []),
    ("chat grey", 7, HELLO, ["Squawk!"]),
    ("chat gpt-4o", 18, HELLO, WORLD),
    ("chat gpt-4o", 18, HELLO, WORLD),
    ("chat gpt-4o", 18, HELLO, WORLD),
]


def test_calls_are_shown_whole(run: Run) -> None:
    """Each with its tokens, its prompts in order and its answer; nothing about it is shown wrong."""
    read = [(without_suffix(span), displayed_span(span.attributes)) for span in run.calls]
    assert [(name, r.tokens["total_tokens"], r.prompts, r.completions) for name, r in read] == EXPECTED
    assert [span.status for span in run.calls] == ["OK"] * 6 + ["ERROR"] + ["OK"] * 4
    error = "BadRequestError: the request is invalid (HTTP 400, openai)"
    assert run.calls[6].status_message == f"{error}: The server had an error while processing your request."
    for span in (span for span in run.spans if span.scope in {SCOPE, "app"}):
        wrong = [*findings(span.attributes, status=span.status, message=span.status_message)]
        assert [*wrong, *findings_outside_calls(span.attributes)] == [], span.name


def test_nothing_is_lost_or_told_twice(run: Run) -> None:
    """One trace: what the provider counted, and the app's own; what is not priced has no price."""
    names = Counter(without_suffix(span) for span in run.spans if span.scope in {SCOPE, "app"})
    assert names == Counter([name for name, *_ in EXPECTED] + ["nightly", "batch_completion gpt-4o"])
    assert len({span.span_id for span in run.spans}) == len(run.spans)
    read = displayed_trace(run.spans)
    assert (read.name, read.tags, read.calls) == ("nightly", ["eu", "test"], len(EXPECTED))
    assert read.tokens == run.provider_tokens + 7 == 8 * 18 + 11 + 7
    priced = [*["gpt-4o"] * 7, "gpt-4.1" if releases.FALLBACKS_HAVE_OWN_PRICES else "gpt-4o"]
    cost = sum(sum(litellm.cost_per_token(model, 11, 7)) for model in priced)
    cost += sum(litellm.cost_per_token("text-embedding-3-small", 11))
    assert read.cost == pytest.approx(cost)


def test_the_token_is_replaced(run: Run) -> None:
    """When the collector refuses it; and nobody is told, since nothing is amiss."""
    first, *_, last = run.authorizations
    assert first != last
    assert "to AgentOps" not in run.stderr


def test_the_trace_is_linked_to(run: Run) -> None:
    """Once."""
    assert re.findall(LINK, run.stderr) == list({span.trace_id for span in run.spans})
