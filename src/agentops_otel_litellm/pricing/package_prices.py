"""Loads the package genai-prices, whose prices are used for models that have no price in LiteLLM.

Importing the package takes a quarter of a second, so a thread of its own imports it, with `genai_prices.py`, when it is
first needed. Calls that end before that have no cost from it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agentops_otel_litellm.background import ReentrantEvent, start_thread
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentops_otel_litellm.call import Call, Cost

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
