"""Which price decides the cost of a call: the first of these sources that has one.

1. The user's own prices (`AGENTOPS_PRICES`): `create_user_price_processor` replaces the cost that the readers have
   read.
2. The cost that the provider or a gateway states in its response. LiteLLM puts it in place of its own calculation, and
   the readers read the result, so `Cost.source` is `litellm`, too.
3. The cost that LiteLLM calculates by its price map. If LiteLLM does so only after the span has ended,
   `readers/usage_and_cost.py` calculates it. `drop_unknown_cost` drops it if LiteLLM has no price for the model, or
   only an estimate of the usage.
4. The prices of the package genai-prices, if the cost is still unknown: `create_package_price_processor`.

`processors/steps.py` calls these processors in this order. A stated price of 0 is a price. A cost that no source knows
is absent, not 0. A response from LiteLLM's cache used no tokens and cost nothing.

Importing genai-prices takes a quarter of a second, so a thread of its own imports it, with `genai_prices.py`, when it
is first needed. Calls that end before that have no cost from it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

from agentops_otel_litellm.background import ReentrantEvent, start_thread
from agentops_otel_litellm.call import Call, Cost, Saved
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.pricing.user_prices import UserPrices, price

# --- the user's price, and LiteLLM's ----------------------------------------------------------------------


_BILLED_UNITS = ("search_units", "pages_count")
"""Fields of a response with units other than tokens that providers report and bill."""


def create_user_price_processor(prices: UserPrices) -> Callable[[Call], Call]:
    """Return a processor that replaces LiteLLM's cost of a complete call, if the user's prices contain the call's
    model.
    """

    def apply_user_price(call: Call) -> Call:
        prices_of_model = prices.of(call) if _is_complete(call) else None
        cost = price(prices_of_model, call) if prices_of_model is not None else None
        return call if cost is None else replace(call, cost=cost)

    return apply_user_price


def drop_unknown_cost(call: Call) -> Call:
    """Drop LiteLLM's cost in two cases in which it is not the actual cost.

    If the provider reported neither tokens nor other units, and does not bill by a unit that needs no report, LiteLLM's
    cost is the price of LiteLLM's own estimate of the tokens. If the cost is 0 although the response is not from
    LiteLLM's cache, LiteLLM has no price for the model.
    """
    cost, response = call.cost, call.response
    if cost is None or cost.source != "litellm" or (response is not None and response.cache_hit):
        return call
    if cost.total and (
        cost.per_unit
        or call.usage is not None
        or any(getattr(response, billed, None) is not None for billed in _BILLED_UNITS)
    ):
        return call
    return replace(call, cost=None)


def create_package_price_processor(price: Callable[[Call], Cost | None]) -> Callable[[Call], Call]:
    """Return a processor that computes an unknown cost with `price`, if the provider reported the usage."""

    def apply_package_price(call: Call) -> Call:
        usage = call.usage
        if call.cost is not None or usage is None or usage.input is None or not _is_complete(call):
            return call
        cost = price(call)
        return call if cost is None else replace(call, cost=cost)

    return apply_package_price


def _is_complete(call: Call) -> bool:
    """Whether the call has succeeded, and its stream, if it has one, was read to its end. Otherwise the usage is
    unknown.
    """
    return call.failure is None and (call.stream is None or call.stream.outcome == "completed")


# --- responses from LiteLLM's cache, and estimates --------------------------------------------------------


def move_cached_usage_to_saved(call: Call) -> Call:
    """Move the usage and cost of a cached response, which are those of the original call, to `saved`.

    The call with the cached response then has no usage and a cost of 0. For a stream that LiteLLM replays from its
    cache, `saved` is unknown: LiteLLM does not store whether the tokens of the stream are the provider's count or an
    estimate, nor which of the tokens are billed at a lower price.
    """
    if call.response is None or not call.response.cache_hit:
        return call
    saved: Saved | None = None
    if call.stream is None and (call.usage is not None or call.cost is not None):
        saved = Saved(
            input=call.usage.input if call.usage else None,
            output=call.usage.output if call.usage else None,
            cost=call.cost.total or None if call.cost and call.usage else None,
        )
    return replace(call, usage=None, cost=Cost(total=0.0, source="litellm"), saved=saved)


def drop_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate of the usage, which the user has not enabled."""
    return call if call.estimate is None else replace(call, estimate=None)


def drop_unneeded_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate if the provider reported usage, or if the response is from LiteLLM's cache."""
    cached = call.response is not None and call.response.cache_hit
    return drop_estimate(call) if call.usage is not None or cached else call


# --- genai-prices -----------------------------------------------------------------------------------------


logger = logging.getLogger(__name__)

PACKAGE = "genai_prices"
CLIENT = "httpx2"
"""The HTTP client of the package. OpenAI's client uses it as soon as it is in `sys.modules`, even while a different
thread is still importing it.
"""


class PackagePrices:
    """The package's prices, if it is installed. With `live`, it downloads new prices every hour."""

    def __init__(self, *, live: bool = False, url: str | None = None) -> None:
        self._live, self._url = live, url
        self._price: Callable[[Call], Cost | None] | None = None
        self._loads: dict[str, object] = {}
        self.loaded = ReentrantEvent()
        """Whether the thread that imports the package has ended."""
        self._stop: Callable[[], None] | None = None
        self._is_closed = False
        self._is_forked = False
        FORK.register("prices", self._renew)
        with guard(f"importing {CLIENT}"):  # on the thread that imports LiteLLM, before the first call
            if find_spec(PACKAGE) is not None and find_spec(CLIENT) is not None:
                import_module(CLIENT)

    def _renew(self) -> None:
        """After a fork: the threads that import and download are in the parent only. The next call starts new ones."""
        self._loads = {}
        self._stop = None
        self._is_forked = True

    def close(self) -> None:
        """Stop the downloads, because LiteLLM is no longer instrumented."""
        self._is_closed = True
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()

    def prepare(self) -> None:
        """Start loading live prices when a call begins, so that they are loaded when the call ends."""
        if self._live:
            self._load_once()

    def price(self, call: Call) -> Cost | None:
        """The cost of the call; `None` if it is unknown, or while the package is being imported."""
        if self._price is None:
            self._load_once()
            return None
        return self._price(call)

    def _load_once(self) -> None:
        load = object()
        if self._loads.setdefault("load", load) is load:  # atomic: one thread only
            with suppress(RuntimeError):  # the program is ending
                start_thread(self._load, "agentops-prices")

    def _load(self) -> None:
        try:
            self._import()
        finally:
            self.loaded.set()

    def _import(self) -> None:
        """Import the package, and start its downloads if the prices are live."""
        with guard("importing genai-prices"):
            try:
                with IMPORTS.delay_forks():
                    from agentops_otel_litellm.pricing import genai_prices

                    genai_prices.import_lazy_modules()
            except ModuleNotFoundError as error:
                if error.name != PACKAGE:
                    raise
                if self._live:
                    logger.warning(
                        "AGENTOPS_LIVE_PRICES needs the package genai-prices, which is not installed: "
                        'pip install "agentops-otel-litellm[prices]".'
                    )
                return
            self._price = genai_prices.price
            if self._live:
                self._stop = genai_prices.keep_fresh(self._url, forked=self._is_forked)
                if self._is_closed:
                    self.close()
