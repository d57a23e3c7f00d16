"""Canaries in everything an app hands to LiteLLM, or a provider sends back: none of them leaves."""

from __future__ import annotations

import pytest

from support.apps import App
from support.recorder import Recorder
from support.secret_calls import CALL_PARAMETERS
from support.servers.openai_provider import OpenAIProvider


def test_a_fault_of_ours_quotes_nobody(
    app: App, provider: OpenAIProvider, telemetry: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Parameters that no reader expects are told of, if at all, without what they hold."""
    strange = {"seed": "canary-seed", "stop": {"canary": 1}, "temperature": "canary", "metadata": ["canary"]}
    given = {**CALL_PARAMETERS["completion"], **strange}
    caplog.set_level("DEBUG", "agentops_otel_litellm")
    with pytest.raises(Exception):  # noqa: B017, PT011 - LiteLLM may refuse them as it likes
        app.ask("completion", **given, logit_bias=object(), drop_params=object())
    assert provider.ledger is not None
    ours = [record for record in caplog.records if record.name.startswith("agentops_otel_litellm")]
    assert "canary" not in repr([record.getMessage() for record in ours])
    assert "canary" not in telemetry.everything()


@pytest.mark.parametrize("base", ["http://host:bad/v1", "http://[bad", "http://host:99999"])
def test_an_address_that_is_none_costs_only_itself(app: App, telemetry: Recorder, base: str) -> None:
    """Provider and model do not depend on it."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever LiteLLM's
        app.ask("completion", api_base=base)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.request.model"] == "gpt-4o"
    assert "server.port" not in attributes
