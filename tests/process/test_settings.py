"""The settings: what is read, what is told of values that cannot be used, and where a vocabulary is declared."""

from __future__ import annotations

import sys

import litellm
import pytest

from agentops_otel_litellm import semconv
from agentops_otel_litellm.call import Usage
from agentops_otel_litellm.semconv.convention import Table, Vocabulary
from support.conformance import Emitted
from support.instrumented import Reinstrument
from support.launching import launch
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider
from support.settings_environment import no_earlier_warnings  # noqa: F401 - a fixture


def test_a_vocabulary_is_one_line(
    provider: OpenAIProvider,
    instrumented_with: Reinstrument,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    emitted: Emitted,
) -> None:
    """One in the registry can be chosen, and is in the table of settings."""
    mine = Vocabulary(Table(Usage, {"mine.tokens": "total"}))
    monkeypatch.setitem(semconv.VOCABULARIES, "mine", mine)
    monkeypatch.setenv("AGENTOPS_SEMCONV", "mine")
    with instrumented_with(Recorder()) as recorder:
        messages = [{"role": "user", "content": "Hi"}]
        litellm.completion("openai/gpt-4o", messages, api_base=provider.base_url, api_key="sk-a-key")
        monkeypatch.delenv("AGENTOPS_SEMCONV")
        assert attributes_of(recorder.span())["mine.tokens"] == 18
    assert emitted.take() != []  # which is of nobody's conventions
    from agentops_otel_litellm.__main__ import main

    main(["settings"])
    assert "`langwatch`, `mine`," in capsys.readouterr().out


def test_reading_them_loads_no_vocabulary() -> None:
    """A program that never uses LiteLLM does not pay for the vocabularies, whatever is set."""
    code = "import sys; print('agentops_otel_litellm.semconv' in sys.modules, 'rich' in sys.modules)"
    variables = {"AGENTOPS_SEMCONV": "gen_ai", "OTEL_TRACES_EXPORTER": "agentops", "OTEL_SERVICE_NAME": "a-test"}
    done = launch(sys.executable, "-c", code, **variables)
    assert done.stdout == "False False\n"
