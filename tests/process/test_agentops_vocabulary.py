"""AgentOps' names: what its backend and its page make of real calls that really crossed the wire."""

from __future__ import annotations

from support.agentops_calls import (
    TOKEN_COUNTS,
    agentops,  # noqa: F401 - a fixture
)
from support.launching import PRELUDE, launch
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.agentops_reader import displayed_span
from support.servers.openai_provider import OpenAIProvider


def test_an_app_with_a_key_is_shown(provider: OpenAIProvider) -> None:
    """Without a change to it, and without what it says."""
    program = f"{PRELUDE}\ncompletion(**chat)"
    with AgentOpsPlatform() as platform:
        launch(
            *("python", "-c", program),
            PROVIDER=provider.base_url,
            OTEL_TRACES_EXPORTER="agentops",
            **platform.environment,
        )
        (span,) = platform.wait_for_spans(1)
    read = displayed_span(span.attributes)
    assert (read.type, read.tokens, span.status) == ("request", TOKEN_COUNTS, "OK")
    assert read.request_model == "gpt-4o-2024-08-06"  # that of the response, which AgentOps must not price
    assert (read.prompts, read.completions) == ([], [])
    assert read.cost
