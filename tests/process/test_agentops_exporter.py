"""The AgentOps exporter against the platform's contract on loopback: tokens, refusals, and what is told of them."""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

import pytest

from support.launching import launch
from support.project import ROOT
from support.servers.agentops_pages import page_span, project, rows
from support.servers.agentops_platform import AgentOpsPlatform, without_suffix
from support.servers.openai_provider import OpenAIProvider


def test_zero_code() -> None:
    """A program that knows nothing of all this delivers its call, compressed; nothing else is sent anywhere."""
    code = """
import os
from litellm import completion
messages = [{"role": "user", "content": "Hi"}]
completion("openai/gpt-4o", messages, api_base=os.environ["PROVIDER"], api_key="sk-a-key")
"""
    with AgentOpsPlatform() as platform, OpenAIProvider() as openai:
        variables = {**platform.environment, "PROVIDER": openai.base_url}
        done = launch(sys.executable, "-c", code, OTEL_SERVICE_NAME="a-test", **variables)
    assert done.returncode == 0, done.stderr
    assert "AgentOps" not in done.stderr
    (span,) = platform.spans
    assert (without_suffix(span), span.resource["service.name"]) == ("chat gpt-4o", "a-test")
    (request,) = platform.requests
    assert request.headers["authorization"] == f"Bearer {platform.tokens[0]}"
    assert request.headers["content-encoding"] == "gzip"
    assert platform.KEY.encode() not in request.body
    assert len(platform.token_requests) == 1


@pytest.mark.parametrize("exporter", ["none", "agentops"])
def test_it_is_imported_only_where_it_is_chosen(exporter: str) -> None:
    """Other apps do not pay for it. Chosen without a key, it says nothing before there is a span."""
    code = "import sys; print('agentops_otel_litellm.exporters.agentops' in sys.modules)"
    done = launch(sys.executable, "-c", code, OTEL_TRACES_EXPORTER=exporter)
    assert done.stdout == f"{exporter == 'agentops'}\n"
    assert "AGENTOPS_API_KEY" not in done.stderr


STREAM = """
import os
from litellm import completion
messages = [{"role": "user", "content": "Hi"}]
stream = completion("openai/gpt-4o", messages, stream=True, api_base=os.environ["PROVIDER"], api_key="sk-a-key")
print([bool(getattr(chunk, "usage", None)) for chunk in stream])
"""


@pytest.mark.parametrize(
    ("environment", "options", "tokens"),
    [({}, {"include_usage": True}, 18), ({"AGENTOPS_STREAM_USAGE": "false"}, None, 0)],
    ids=["by default", "switched off"],
)
def test_streams_have_tokens(environment: dict[str, str], options: object, tokens: int) -> None:
    """The usage is requested, and hidden from the application, which has not requested it."""
    with AgentOpsPlatform() as platform, OpenAIProvider() as openai:
        variables = {**platform.environment, "PROVIDER": openai.base_url, **environment}
        done = launch(sys.executable, "-c", STREAM, OTEL_SERVICE_NAME="a-test", **variables)
    assert done.returncode == 0, done.stderr
    (exchange,) = openai.ledger
    assert exchange.body.get("stream_options") == options
    page = page_span(platform.spans[0])
    assert page.tokens["total_tokens"] == tokens
    assert bool(page.cost) is bool(tokens)
    assert done.stdout == f"{[False] * 6}\n"


def test_the_picture_is_that_of_the_quickstart() -> None:
    """`docs/agentops.svg` has the names, texts, tokens and cost that AgentOps displays of it."""
    picture = ET.parse(ROOT / "docs" / "agentops.svg")
    texts = [each.text or "" for each in picture.iter() if each.tag.endswith(("text", "title"))]
    with AgentOpsPlatform() as platform:
        variables = {
            "AGENTOPS_AUTO_START_SESSION": "true",
            "AGENTOPS_DEFAULT_TAGS": "nightly",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
            "OTEL_SERVICE_NAME": "a-test",
        }
        done = launch("python", "examples/quickstart.py", **variables, **platform.environment)
    assert done.returncode == 0, done.stderr
    pages = [page_span(span) for span in sorted(platform.spans, key=lambda span: span.start_ns)]
    (row,) = rows(platform.spans)
    drawn = pages[3]
    expected = [row.name, *row.tags, *(page.preview for page in pages), f"LLM: {drawn.name}", drawn.model]
    expected += [f"${row.cost:.7f}", f"${drawn.cost:.7f}", str(project(platform.spans).tokens), str(row.model_calls)]
    expected += [str(drawn.tokens[name]) for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    expected += [text for _, text in drawn.prompts]
    assert [each for each in expected if each not in texts] == []
