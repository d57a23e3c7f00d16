"""Values of parameters must not be in logs or telemetry."""

from __future__ import annotations

import pytest

from support.apps import App
from support.recorder import Recorder
from support.secret_calls import CALL_PARAMETERS
from support.servers.openai_provider import OpenAIProvider


def test_logs_and_telemetry_quote_no_invalid_parameters(
    app: App, provider: OpenAIProvider, telemetry: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Readers may log unexpected parameters, but not their values."""
    invalid = {"seed": "canary-seed", "stop": {"canary": 1}, "temperature": "canary", "metadata": ["canary"]}
    parameters = {**CALL_PARAMETERS["completion"], **invalid}
    caplog.set_level("DEBUG", "agentops_otel_litellm")
    with pytest.raises(Exception):  # noqa: B017, PT011 - LiteLLM may raise any exception
        app.ask("completion", **parameters, logit_bias=object(), drop_params=object())
    assert provider.ledger is not None
    ours = [record for record in caplog.records if record.name.startswith("agentops_otel_litellm")]
    assert "canary" not in repr([record.getMessage() for record in ours])
    assert "canary" not in telemetry.everything()


@pytest.mark.parametrize("base", ["http://host:bad/v1", "http://[bad", "http://host:99999"])
def test_an_invalid_address_loses_only_its_attributes(app: App, telemetry: Recorder, base: str) -> None:
    """Provider and model are recorded."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - LiteLLM may raise any exception
        app.ask("completion", api_base=base)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.request.model"] == "gpt-4o"
    assert "server.port" not in attributes
