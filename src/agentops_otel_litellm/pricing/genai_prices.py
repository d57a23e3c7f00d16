"""Computes the cost of a call with the package genai-prices. Only this module imports the package."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from importlib import reload
from math import isclose

from genai_prices import UpdatePrices, Usage, calc_price, update_prices
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import PriceCalculation
from opentelemetry.instrumentation.utils import suppress_instrumentation

from agentops_otel_litellm import call as calls
from agentops_otel_litellm.call import Call, Cost

# LiteLLM's name of a provider → the package's name, if they differ.
PROVIDERS = {
    "codestral": "mistral",
    "fireworks_ai": "fireworks",
    "voyage": "voyageai",
}
# Field of `Usage` → field of the package's usage.
COUNTS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "input_audio": "input_audio_tokens",
    "output_audio": "output_audio_tokens",
}
_ORDINARY_TIERS = frozenset({None, "default", "standard"})


def price(call: Call) -> Cost | None:
    """The cost of the call. `None` if the package does not know the provider or the model, or lacks one of the prices,
    such as that of the call's service tier.
    """
    usage, provider, response = call.usage, call.target.provider, call.response
    if usage is None or provider is None or (response and response.service_tier not in _ORDINARY_TIERS):
        return None
    counts = {name: count for field, name in COUNTS.items() if (count := getattr(usage, field)) is not None}
    at = datetime.fromtimestamp(call.timing.started_at / 1e9, timezone.utc)
    for model in (response.model if response else None, call.target.model):
        with suppress(LookupError, ValueError):  # an unknown model, or contradictory counts
            if model is not None:
                provider_id = PROVIDERS.get(provider, provider)
                priced = calc_price(Usage(**counts), model, provider_id=provider_id, genai_request_timestamp=at)
                return _cost(priced, usage)
    return None


def _cost(priced: PriceCalculation, usage: calls.Usage) -> Cost | None:
    """Convert the package's result to a `Cost`; `None` if input or output has tokens without a price, or a price but an
    unknown number of tokens.
    """
    prices = priced.model_price
    if (usage.input and prices.input_mtok is None) or (usage.output and prices.output_mtok is None):
        return None
    if usage.output is None and prices.output_mtok:
        return None
    total, of_input, of_output = map(float, (priced.total_price, priced.input_price, priced.output_price))
    cost = Cost(total=total, source="genai_prices", price_map="bundled")
    if priced.auto_update_timestamp is not None:
        cost = replace(cost, price_map="remote", price_map_date=priced.auto_update_timestamp.date().isoformat())
    if isclose(of_input + of_output, total, rel_tol=0, abs_tol=1e-12):
        cost = replace(cost, input=of_input, output=None if usage.output is None else of_output)
    return cost


class _UntracedUpdater(UpdatePrices):
    """The package's updater, which downloads prices. Its requests are not traced."""

    def fetch(self) -> DataSnapshot | None:
        with suppress_instrumentation():
            return super().fetch()


def import_lazy_modules() -> None:
    """Compute a price, so that genai-prices imports now what it otherwise imports during the first traced call.

    If the process forked during such an import, the child could never import these modules. The caller delays forks.
    """
    usage = calls.Usage(input=1, output=1, cache_read=1)
    timing = calls.Timing(started_at=0)
    price(Call(name="", target=calls.Target(provider="openai", model="gpt-4o"), timing=timing, usage=usage))


def keep_fresh(url: str | None = None, *, forked: bool = False) -> Callable[[], None]:
    """Download prices now and every hour, from `url` or else from the package's default URL. Returns a function that
    stops the downloads.

    `forked` is whether this process was forked. Then the package's module is reloaded first, because it still refers to
    the parent's thread.
    """
    if forked:
        reload(update_prices)
    updater = _UntracedUpdater() if url is None else _UntracedUpdater(url=url)
    updater.start()
    return updater.stop
