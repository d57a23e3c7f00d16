"""The prices of the package genai-prices, for models that LiteLLM has no price of.

The package takes a quarter of a second to import, so a thread of its own imports it when it is first wanted. Until
then what it would be asked is not known.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from threading import Lock, Thread
from typing import TYPE_CHECKING

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.loading import LOADING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentops_otel_litellm.call import Call, Cost

logger = logging.getLogger(__name__)

PACKAGE = "genai_prices"
CLIENT = "httpx2"
"""What the package fetches with. OpenAI's client uses it as soon as `sys.modules` has it, also what there is of it
while another thread imports it.
"""


class PackagePrices:
    """Asks the package, where it is installed; where the prices are to be `live` it keeps them fresh, too."""

    def __init__(self, *, live: bool = False, url: str | None = None) -> None:
        self._live, self._url = live, url
        self._price: Callable[[Call], Cost | None] | None = None
        self._asked = Lock()
        self._is_forked = False
        with guard(f"importing {CLIENT}"):  # here, where LiteLLM itself is imported, and before there are calls
            if find_spec(PACKAGE) is not None and find_spec(CLIENT) is not None:
                import_module(CLIENT)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        """In the child: the threads that load and fetch stayed in the parent. The next call asks for new ones."""
        self._asked = Lock()
        self._is_forked = True

    def prepare(self) -> None:
        """A call begins: by its end, live prices are wanted."""
        if self._live:
            self._load_once()

    def price(self, call: Call) -> Cost | None:
        """What the call costs, as far as is known by now."""
        if self._price is None:
            self._load_once()
            return None
        return self._price(call)

    def _load_once(self) -> None:
        if self._asked.acquire(blocking=False):
            with suppress(RuntimeError):  # the program is ending
                Thread(target=self._load, name="agentops-prices", daemon=True).start()

    def _load(self) -> None:
        with guard("importing genai-prices"):
            try:
                with LOADING.here():
                    from agentops_otel_litellm.prices import package
            except ModuleNotFoundError as error:
                if error.name != PACKAGE:
                    raise
                if self._live:
                    logger.warning(
                        "AGENTOPS_LIVE_PRICES needs the package genai-prices, which is not installed: "
                        'pip install "agentops-otel-litellm[prices]".'
                    )
                return
            self._price = package.price
            if self._live:
                package.keep_fresh(self._url, forked=self._is_forked)
