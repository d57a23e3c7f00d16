"""The prices of the package genai-prices: for what LiteLLM has no price of, and never on the app's thread."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from importlib import import_module
from types import ModuleType

import litellm
import pytest
from opentelemetry.context import Context, get_current

from agentops_otel_litellm import pricing
from agentops_otel_litellm.call import Call, Cost, Response, Stream, Target, Timing, Usage
from agentops_otel_litellm.invocation.context import is_suppressed
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.pricing.precedence import PackagePrices, create_package_price_processor
from support.apps import App, SyncApp
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Attributes, Recorder
from support.servers.openai_provider import OpenAIProvider
from support.servers.wire import Reply, WireProvider

CALL = Call(
    name="chat",
    operation="chat",
    timing=Timing(started_at=int(datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp() * 1e9)),
    target=Target(provider="openai", model="gpt-4o"),
    usage=Usage(input=1000, output=100, cache_read=200),
)
# By the package's list: dollars for a million tokens of input, of the cache, and of output.
PRICE = (800 * 2.5 + 200 * 1.25 + 100 * 10) / 1e6


def wait_for(is_done: Callable[[], object]) -> None:
    patience = time.monotonic() + 10
    while not is_done():
        assert time.monotonic() < patience
        time.sleep(0.005)


def wait_for_package() -> None:
    """Until the thread that imports the package has ended."""
    assert TRACING.telemetry is not None
    assert TRACING.telemetry._package_prices.loaded.wait(10)


THEIRS, OURS = "genai_prices", "agentops_otel_litellm.pricing.genai_prices"


@pytest.fixture
def installed() -> Iterator[None]:
    """The package can be imported, and has not been yet."""

    def taken() -> dict[str, ModuleType]:
        vars(pricing).pop("genai_prices", None)
        return {
            name: sys.modules.pop(name)
            for name in list(sys.modules)
            if name.partition(".")[0] == THEIRS or name == OURS
        }

    before = taken()
    yield
    updater = sys.modules.get(f"{THEIRS}.update_prices")
    if updater is not None and updater._shared_updater.fetcher is not None:
        updater._shared_updater.fetcher.stop()
    taken()
    sys.modules.update(before)


def loaded(package: PackagePrices) -> PackagePrices:
    wait_for(lambda: package.price(replace(CALL, usage=None)) is None and package._price is not None)
    return package


# --- prices -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("installed")
def test_the_first_call_does_not_wait() -> None:
    """It asks for the package and has no price; once that is imported, by a thread of its own, calls have one."""
    package = PackagePrices()
    assert "genai_prices" not in sys.modules
    began = time.perf_counter()
    assert package.price(CALL) is None
    assert time.perf_counter() - began < 0.05
    cost = loaded(package).price(CALL)
    assert cost is not None
    assert cost.total == pytest.approx(PRICE, rel=0, abs=1e-12)
    assert (cost.source, cost.price_map, cost.price_map_date) == ("genai_prices", "bundled", None)
    assert cost.input == pytest.approx((800 * 2.5 + 200 * 1.25) / 1e6)
    assert cost.output == pytest.approx(100 * 10 / 1e6)


def test_what_others_look_for_is_not_imported_meanwhile(provider: OpenAIProvider) -> None:
    """OpenAI's client uses what is there of `httpx2`, which the package needs, while another thread imports it: calls
    that are made just then would fail.
    """
    program = f"""
        import sys, threading
        from importlib.abc import MetaPathFinder

        class Noting(MetaPathFinder):
            names = {{}}

            def find_spec(self, name, path, target=None):
                self.names.setdefault(name, threading.current_thread().name)

        sys.meta_path.insert(0, Noting())
        from agentops_otel_litellm import LiteLLMInstrumentor
        LiteLLMInstrumentor().instrument(skip_dep_check=True)
        assert "httpx2" not in Noting.names
        import litellm
        messages = [dict(role="user", content="?")]
        litellm.completion("openai/unheard-of", messages, api_key="k", api_base={provider.base_url!r})
        from agentops_otel_litellm.patching.traced_functions import TRACING
        assert TRACING.telemetry._package_prices.loaded.wait(30)
        print("genai_prices" in sys.modules, Noting.names["httpx2"])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "True MainThread\n", done.stderr


@pytest.mark.usefixtures("installed")
def test_what_it_does_not_know() -> None:
    """A provider, model or price that it does not know, and counts that contradict each other, have no price."""
    package = loaded(PackagePrices())
    unknown = (
        replace(CALL, target=Target(provider="hosted_vllm", model="gpt-4o")),
        replace(CALL, target=Target(provider="openai", model="nonesuch")),
        replace(CALL, target=Target(model="gpt-4o")),
        replace(CALL, target=Target(provider="openai")),
        replace(CALL, target=Target(provider="github_copilot", model="gpt-4o")),
        replace(CALL, usage=Usage(input=10, output=1, cache_read=20)),
        replace(CALL, response=Response(service_tier="priority")),
        replace(CALL, usage=None),
    )
    assert [package.price(call) for call in unknown] == [None] * len(unknown)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "call",
    [
        replace(CALL, target=Target(provider="text-completion-openai", model="gpt-4o")),
        replace(CALL, target=Target(provider="azure", model="gpt-4o")),
        replace(CALL, target=Target(provider="openai", model="mine"), response=Response(model="gpt-4o-2024-08-06")),
        replace(CALL, response=Response(model="mine", service_tier="default")),
    ],
    ids=["completions", "azure", "the model that answered", "the model that was asked"],
)
def test_what_it_knows_by_another_name(call: Call) -> None:
    """LiteLLM's providers are found, and a model by what it calls itself or was called."""
    cost = loaded(PackagePrices()).price(call)
    assert cost is not None
    assert cost.total == pytest.approx(PRICE, rel=0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        (CALL, True),
        (replace(CALL, stream=Stream(outcome="completed", chunk_count=1)), True),
        (replace(CALL, stream=Stream(outcome="closed", chunk_count=1)), False),
        (replace(CALL, usage=None), False),
        (replace(CALL, usage=Usage(output=1)), False),
        (replace(CALL, cost=Cost(total=0.0, source="litellm")), False),
    ],
    ids=["unmapped", "streamed", "cut", "not counted", "counted in part", "priced"],
)
def test_when_it_is_asked(call: Call, *, asked: bool) -> None:
    """Only for what the provider counted in full and nobody has priced."""
    cost = Cost(total=1.0, source="genai_prices")
    assert (create_package_price_processor(lambda _: cost)(call).cost is cost) is asked


# --- whole apps ---------------------------------------------------------------------------------------------


@pytest.fixture
def unmapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A LiteLLM that does not know the price of a model."""
    monkeypatch.setattr(litellm, "model_cost", {})
    forget = getattr(litellm.utils, "_invalidate_model_cost_lowercase_map", lambda: None)
    forget()


@pytest.fixture(autouse=True)
def _mapped_again() -> Iterator[None]:
    yield
    getattr(litellm.utils, "_invalidate_model_cost_lowercase_map", lambda: None)()


def prices_of(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if "cost" in name}


@pytest.mark.usefixtures("installed", "unmapped")
def test_a_model_that_litellm_does_not_know(app: App, instrumented_with: Reinstrument) -> None:
    """Its calls are priced once the package is imported, which the first of them has asked for."""
    with instrumented_with(Recorder()) as telemetry:
        app.ask()
        assert prices_of(telemetry.attributes()) == {}
        wait_for_package()
        telemetry.forget()
        app.ask()
        told = prices_of(telemetry.attributes())
    total = (7 * 2.5 + 4 * 1.25 + 7 * 10) / 1e6
    assert told["agentops.cost.total"] == pytest.approx(total, rel=0, abs=1e-12)
    assert told["agentops.cost.source"] == "genai_prices"
    assert told["agentops.cost.price_map"] == "bundled"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("genai_prices")]


@pytest.mark.usefixtures("installed")
def test_an_app_that_does_not_need_it(app: App, instrumented_with: Reinstrument) -> None:
    """It is not imported for calls that LiteLLM has priced, that failed or that nobody counted."""
    with instrumented_with(Recorder()):
        app.ask()
        app.read()
        with pytest.raises(litellm.exceptions.BadRequestError):
            app.ask(model="nonesuch/mine")
    assert "genai_prices" not in sys.modules
    assert not [thread for thread in threading.enumerate() if thread.name == "agentops-prices"]


@pytest.mark.usefixtures("unmapped")
def test_an_app_without_it(app: App, instrumented_with: Reinstrument) -> None:
    """Where the package is not installed there is no price, and no word of it."""
    with instrumented_with(Recorder()) as telemetry:
        for _ in range(2):
            app.ask()
            wait_for_package()
        assert [prices_of(dict(span.attributes or {})) for span in telemetry.spans()] == [{}, {}]


# --- live prices --------------------------------------------------------------------------------------------


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_LIVE_PRICES", "true")


@pytest.mark.usefixtures("live")
def test_live_prices_without_the_package(
    provider: OpenAIProvider, instrumented_with: Reinstrument, logged: LoggedWarnings
) -> None:
    """One line says what to install."""
    with instrumented_with(Recorder()):
        for _ in range(2):
            SyncApp(provider).ask()
        wait_for_package()
    (line,) = logged.take()
    assert line == (
        "AGENTOPS_LIVE_PRICES needs the package genai-prices, which is not installed: "
        'pip install "agentops-otel-litellm[prices]".'
    )


def listed(*, input_mtok: int = 1_000_000) -> list[object]:
    """The package's list, with one model and its dollars for a million tokens."""
    prices = {"input_mtok": input_mtok, "output_mtok": 2_000_000}
    model = {"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": prices}
    return [{"id": "openai", "name": "OpenAI", "api_pattern": "https://api.openai.com", "models": [model]}]


LISTED = listed()


@pytest.mark.usefixtures("installed")
def test_live_prices_are_fetched(wire: WireProvider) -> None:
    """As soon as a call begins, and once, in the background; prices then have the day on which they were fetched."""
    wire.reply("/data.json", Reply(body=LISTED))
    package = PackagePrices(live=True, url=f"{wire.url}/data.json")
    assert wire.ledger == []
    for _ in range(3):
        package.prepare()
    loaded(package)

    def fetched() -> Cost | None:
        cost = package.price(replace(CALL, usage=Usage(input=10, output=1)))
        return cost if cost is not None and cost.price_map == "remote" else None

    wait_for(fetched)
    cost = fetched()
    assert cost is not None
    assert (cost.total, cost.input, cost.output) == (12.0, 10.0, 2.0)
    assert cost.price_map_date in {(datetime.now(timezone.utc) - timedelta(days=1)).date().isoformat(), today()}
    assert [exchange.path for exchange in wire.ledger] == ["/data.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_fetches_its_own(wire: WireProvider) -> None:
    """The parent's thread stayed there: the child has the parent's prices until a call begins, then fetches some."""
    wire.reply_once("/data.json", Reply(body=LISTED))
    wire.reply("/data.json", Reply(body=listed(input_mtok=3_000_000)))
    program = """
        import os, sys, time
        from agentops_otel_litellm.call import Call, Target, Timing, Usage
        from agentops_otel_litellm.pricing.precedence import PackagePrices

        def wait_for(total):
            patience = time.monotonic() + 10
            while getattr(package.price(call), "total", None) != total:
                assert time.monotonic() < patience, package.price(call)
                time.sleep(0.005)

        package = PackagePrices(live=True, url=sys.argv[1])
        call = Call(
            name="chat",
            operation="chat",
            timing=Timing(started_at=time.time_ns()),
            target=Target(provider="openai", model="gpt-4o"),
            usage=Usage(input=10, output=0),
        )
        package.prepare()
        wait_for(10.0)
        child = os.fork()
        if child == 0:
            try:
                assert package.price(call).total == 10.0
                package.prepare()
                wait_for(30.0)
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    python = [sys.executable, "-W", "ignore::DeprecationWarning"]  # 3.12 warns of forks with threads
    command = [*python, "-c", textwrap.dedent(program), f"{wire.url}/data.json"]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "0\n"
    assert [exchange.path for exchange in wire.ledger] == ["/data.json"] * 2


@pytest.mark.usefixtures("installed")
def test_the_requests_for_prices_are_not_the_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instrumentations of HTTP clients leave them alone."""
    package = PackagePrices(live=True)
    contexts: list[Context] = []
    updates = import_module(f"{THEIRS}.update_prices")
    monkeypatch.setattr(updates.UpdatePrices, "fetch", lambda _self: contexts.append(get_current()))
    package.prepare()
    wait_for(lambda: contexts)
    assert is_suppressed(contexts[0])


@pytest.mark.usefixtures("installed", "live", "unmapped")
def test_an_app_with_live_prices(
    provider: OpenAIProvider, instrumented_with: Reinstrument, wire: WireProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first call has them asked for, and once they have come calls are priced by them."""
    wire.reply("/data.json", Reply(body=LISTED))
    updates = import_module(f"{THEIRS}.update_prices")
    monkeypatch.setattr(
        updates.UpdatePrices.__init__, "__defaults__", (3600, f"{wire.url}/data.json", updates.httpx2.Timeout(5))
    )
    with instrumented_with(Recorder()) as telemetry:
        SyncApp(provider).ask()
        wait_for(lambda: updates.data_snapshot._custom_snapshot)
        telemetry.forget()
        SyncApp(provider).ask()
        told = prices_of(telemetry.attributes())
    assert len(wire.ledger) == 1
    assert (told["agentops.cost.total"], told["agentops.cost.price_map"]) == (11 + 7 * 2, "remote")


def today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
