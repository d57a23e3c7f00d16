"""The user's own prices: how their file is read, and what calls cost at them."""

from __future__ import annotations

import pytest

from support.apps import App, SyncApp
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.price_files import (
    user_prices_file,  # noqa: F401 - a fixture
)
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("model", "total"), [("openai/gpt-4o", 11 * 0.5 + 7 * 2.0), ("openai/mine", 11 * 2.0 + 7 * 5.0)]
)
@pytest.mark.usefixtures("user_prices_file")
def test_the_users_price_goes_before_litellms(
    app: App,
    instrumented_with: Reinstrument,
    model: str,
    total: float,
    *,
    stream: bool,
) -> None:
    """Of a model that LiteLLM knows, too; and the span says whose price it is."""
    with instrumented_with(Recorder()) as telemetry:
        if stream:
            app.read(model=model, stream_options={"include_usage": True})
        else:
            app.ask(model=model)
        attributes = telemetry.attributes()
    assert attributes["agentops.cost.total"] == attributes["gen_ai.usage.cost.amount"] == pytest.approx(total)
    assert attributes["agentops.cost.source"] == "user"
    assert attributes["agentops.cost.input"] == pytest.approx(total - cost_of_output(attributes))
    assert "agentops.cost.price_map" not in attributes


def cost_of_output(attributes: dict[str, object]) -> float:
    cost = attributes["agentops.cost.output"]
    assert isinstance(cost, float)
    return cost


def test_an_app_whose_prices_cannot_be_read(
    provider: OpenAIProvider,
    instrumented_with: Reinstrument,
    monkeypatch: pytest.MonkeyPatch,
    logged: LoggedWarnings,
) -> None:
    """It is told once, and runs at LiteLLM's prices."""
    monkeypatch.setenv("AGENTOPS_PRICES", "nowhere/prices.json")
    with instrumented_with(Recorder()) as telemetry:
        monkeypatch.delenv("AGENTOPS_PRICES")
        SyncApp(provider).ask()
        assert telemetry.attributes()["agentops.cost.source"] == "litellm"
    assert logged.take() == [
        "AGENTOPS_PRICES: nowhere/prices.json cannot be read: No such file or directory. Your own prices are not used."
    ]
