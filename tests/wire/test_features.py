"""A release of LiteLLM that lacks a function that is patched: one warning, when the feature that needs it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, cast

import litellm
import pytest
from litellm import Router

from agentops_otel_litellm import instrumentor
from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
from agentops_otel_litellm.patching import patch_points
from agentops_otel_litellm.patching.patch_points import (
    CALLS,
    CONSEQUENCES,
    COOLDOWNS,
    ERRORS,
    LOGGING,
    PATCH_POINTS,
    ROUTES,
)
from support.apps import MESSAGES
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider, Script

pytestmark = pytest.mark.usefixtures("restored_callbacks")  # a Router registers itself with LiteLLM
Lacking = Callable[[str], AbstractContextManager[Recorder]]


@pytest.fixture
def lacking(instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch) -> Lacking:
    """A block in which LiteLLM lacks the functions that a feature needs."""

    @contextmanager
    def lacking(feature: str) -> Iterator[Recorder]:
        rows = tuple(replace(seam, name="moved") if seam.feature == feature else seam for seam in PATCH_POINTS)
        recorder = Recorder()
        with instrumented_with(recorder):
            LiteLLMInstrumentor().uninstrument()
            with monkeypatch.context() as patch:
                for module in (instrumentor, patch_points):
                    patch.setattr(module, "PATCH_POINTS", rows)
                LiteLLMInstrumentor().instrument(**recorder.providers)
                yield recorder
                LiteLLMInstrumentor().uninstrument()
            LiteLLMInstrumentor().instrument(**recorder.providers)

    return lacking


def call(provider: OpenAIProvider) -> None:
    litellm.completion(model="openai/gpt-4o", messages=MESSAGES, api_base=provider.base_url, api_key="k", max_retries=0)


def route(provider: OpenAIProvider) -> None:
    parameters = {"model": "openai/gpt-4o", "api_base": provider.base_url, "api_key": "k"}
    router = Router([cast("Any", {"model_name": "fast", "litellm_params": parameters})], num_retries=0)
    router.completion(model="fast", messages=cast("Any", MESSAGES))


def fail(use: Callable[[OpenAIProvider], None]) -> Callable[[OpenAIProvider], None]:
    def failing(provider: OpenAIProvider) -> None:
        provider.script(Script(status=500))
        with pytest.raises(litellm.InternalServerError):
            use(provider)

    return failing


USES: dict[str, tuple[Callable[[OpenAIProvider], None] | None, Callable[[OpenAIProvider], None]]] = {
    LOGGING: (None, call),
    ERRORS: (call, fail(call)),
    ROUTES: (call, route),
    COOLDOWNS: (route, fail(route)),
}
"""Feature → what the application may do without it, and what uses it."""


@pytest.mark.parametrize("feature", USES)
def test_the_warning_waits_for_the_use_and_comes_once(
    lacking: Lacking, provider: OpenAIProvider, logged: LoggedWarnings, feature: str
) -> None:
    harmless, use = USES[feature]
    with lacking(feature):
        if harmless is not None:
            harmless(provider)
        assert logged.take() == []
        use(provider)
        use(provider)
        (line,) = logged.take()
    assert f"lacks functions that this package patches for {feature}: {CONSEQUENCES[feature]}." in line


def test_a_release_without_the_decorator(lacking: Lacking, provider: OpenAIProvider, logged: LoggedWarnings) -> None:
    """Calls are recorded from what LiteLLM logs, and the first of them warns."""
    with lacking(CALLS) as recorder:
        for count in (1, 2):
            call(provider)
            recorder.wait_for_spans(count)
        (line,) = logged.take()
    assert CONSEQUENCES[CALLS] in line
    assert len(recorder.spans()) == len(provider.ledger) == 2
