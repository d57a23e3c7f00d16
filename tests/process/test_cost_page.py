"""`docs/cost.md` says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from agentops_otel_litellm.call import Call, Request, Target, Timing
from agentops_otel_litellm.pricing.precedence import NAMES, read_prices
from agentops_otel_litellm.semconv.llm import LLM
from agentops_otel_litellm.settings import Settings
from support.launching import LAUNCHER, launch
from support.logged_warnings import LoggedWarnings
from support.project import ROOT

PAGE = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
(PRICES,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_is_a_file_of_prices(tmp_path: Path, logged: LoggedWarnings) -> None:
    """It can be copied as it is."""
    path = tmp_path / "prices.json"
    path.write_text(PRICES, "utf-8")
    prices = read_prices(str(path))
    assert logged.take() == []
    call = Call(name="chat", timing=Timing(started_at=1), target=Target(provider="openai", model="gpt-4o-mini"))
    assert prices.of(call) is not None
    assert prices.of(
        Call(name="chat", timing=Timing(started_at=1), request=Request(model="openai/text-embedding-3-small"))
    )


def test_the_commands_do_what_they_say(tmp_path: Path) -> None:
    """The prices are those of the program: of 14 tokens of input and 6 of output, and of 2 that were embedded."""
    (tmp_path / "prices.json").write_text(PRICES, "utf-8")
    prices = str(tmp_path / "prices.json")
    shown = launch("python", "examples/quickstart.py", PATH=str(LAUNCHER.parent), AGENTOPS_PRICES=prices).stderr
    assert "AGENTOPS_PRICES=prices.json opentelemetry-instrument python examples/quickstart.py" in PAGE
    printed = re.findall(r"(?:gpt-4o-mini|3-small) .*?((?:< )?\$[\d.]+)", shown)
    assert printed[:3] == ["< $0.0001"] * 3


def test_the_names_are_all_there() -> None:
    """Each price that can be given, each attribute and each setting is named."""
    names = {*re.findall(r"`([a-z_]+_cost\w*|cache\w+_cost|\w*cost_per_\w+)`", PAGE)}
    assert names == set(NAMES)
    written = {f"agentops.cost{name}" for name in re.findall(r"`(?:agentops\.cost)?(\.[a-z_]+)`", PAGE)}
    assert written | {"agentops.trace.cost"} == {
        name for name in LLM if name.startswith(("agentops.cost.", "agentops.trace."))
    }
    assert {"AGENTOPS_PRICES", "AGENTOPS_LIVE_PRICES"} <= set(re.findall(r"\b(AGENTOPS_\w+)", PAGE))
    assert Settings().prices is None
