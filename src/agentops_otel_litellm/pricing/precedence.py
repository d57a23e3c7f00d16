"""Which price decides the cost of a call: the first of these sources that has one.

1. The user's own prices: `AGENTOPS_PRICES`, a JSON file in the format of LiteLLM's price map.
   `create_user_price_processor` replaces the cost that the readers have read.
2. The cost that the provider or a gateway states in its response. LiteLLM puts it in place of its own calculation, and
   the readers read the result, so `Cost.source` is `litellm`, too.
3. The cost that LiteLLM calculates by its price map. If LiteLLM does so only after the span has ended,
   `readers/usage_and_cost.py` calculates it. `drop_unknown_cost` drops it if LiteLLM has no price for the model, or
   only an estimate of the usage.
4. The prices of the package genai-prices, if the cost is still unknown: `create_package_price_processor`. Importing it
   takes a quarter of a second, so a thread of its own imports it, with `genai_prices.py`, when it is first needed.
   Calls that end before that have no cost from it.

`processors/steps.py` calls these processors in this order. A stated price of 0 is a price. A cost that no source knows
is absent, not 0. A response from LiteLLM's cache used no tokens and cost nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from pathlib import Path

from agentops_otel_litellm.background import ReentrantEvent, start_thread
from agentops_otel_litellm.call import Call, Cost, Saved, Usage
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.operations import Unit, unit_of

logger = logging.getLogger(__name__)

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


# --- the user's prices ------------------------------------------------------------------------------------


Prices = Mapping[str, float]
"""Prices of a model in US dollars, by LiteLLM's names, such as `input_cost_per_token`."""

_EXAMPLE = '{"my-model": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}'
_MAX_WARNINGS, _MAX_QUOTED = 10, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The tokens of one side of a call, by the fields of `Usage`, and the names of their prices."""

    count: str
    price: str
    parts: Mapping[str, str]
    """Part of the count that can have a price of its own → the name of that price."""


SIDES = (
    Side(
        count="input",
        price="input_cost_per_token",
        parts={
            "cache_read": "cache_read_input_token_cost",
            "cache_write": "cache_creation_input_token_cost",
            "input_audio": "input_cost_per_audio_token",
            "input_image": "input_cost_per_image_token",
        },
    ),
    Side(
        count="output",
        price="output_cost_per_token",
        parts={
            "reasoning": "output_cost_per_reasoning_token",
            "output_audio": "output_cost_per_audio_token",
            "output_image": "output_cost_per_image_token",
        },
    ),
)
_PARTS_OF_COST = frozenset({"cache_read", "cache_write", "reasoning"})


# Price → the unit that it is for, and how many units a call used.
UNIT_PRICES: Mapping[str, tuple[Unit, Callable[[Call], float | None]]] = {
    "input_cost_per_character": (Unit.CHARACTER, lambda call: call.request.content_length if call.request else None),
    "input_cost_per_second": (Unit.SECOND, lambda call: call.usage.audio_seconds if call.usage else None),
    "input_cost_per_query": (Unit.QUERY, lambda call: call.response.search_units if call.response else None),
    "output_cost_per_image": (Unit.IMAGE, lambda call: call.response.images_count if call.response else None),
    "ocr_cost_per_page": (Unit.PAGE, lambda call: call.response.pages_count if call.response else None),
}

NAMES = (
    *(name for side in SIDES for name in (side.price, *side.parts.values())),
    *UNIT_PRICES,
)


def price(prices: Prices, call: Call) -> Cost | None:
    """The cost of the call, by tokens or by units. `None` if a price applies to tokens or units that were not counted,
    or if counted tokens or units have no price.
    """
    usage = call.usage
    unit = unit_of(call.operation)
    costs_by_unit = [
        prices[name] * number
        for name, (price_unit, count) in UNIT_PRICES.items()
        if name in prices and price_unit is unit and (number := count(call)) is not None
    ]
    if usage is not None and (usage.input or usage.output):
        if any(costs_by_unit):
            return None  # it is unknown whether the price per unit or the price per token applies
        return _cost_of_tokens(prices, usage, has_output=call.operation != "embeddings")
    return Cost(total=sum(costs_by_unit), source="user", per_unit=True) if costs_by_unit else None


def _cost_of_tokens(prices: Prices, usage: Usage, *, has_output: bool) -> Cost | None:
    """The cost of the tokens. `has_output` is whether the operation has output tokens, even if they were not
    counted.
    """
    parts: dict[str, float] = {}
    for side in SIDES:
        count: int | None = getattr(usage, side.count)
        if count is None and (side.count == "input" or (has_output and prices.get(side.price))):
            return None
        if count is not None:
            costs = _cost_of_side(prices, usage, side, count)
            if costs is None:
                return None
            parts |= costs
    return Cost(
        total=sum(parts[side.count] for side in SIDES if side.count in parts),
        source="user",
        input=parts.get("input"),
        output=parts.get("output"),
        cache_read=parts.get("cache_read"),
        cache_write=parts.get("cache_write"),
        reasoning=parts.get("reasoning"),
    )


def _cost_of_side(prices: Prices, usage: Usage, side: Side, count: int) -> dict[str, float] | None:
    """The cost of the input or the output, and of its parts. A part without a price of its own has the price of the
    side.
    """
    if not count:
        return {side.count: 0.0}
    side_price = prices.get(side.price)
    if side_price is None:
        return None
    parts: dict[str, float] = {}
    cost_of_parts, other_tokens = 0.0, count
    for part, name in side.parts.items():
        part_count: int | None = getattr(usage, part)
        part_price = prices.get(name)
        if part_count is not None and part in _PARTS_OF_COST:
            parts[part] = part_count * (side_price if part_price is None else part_price)
        if part_count and part_price is not None:
            cost_of_parts += part_count * part_price
            other_tokens -= part_count
    if other_tokens < 0:  # tokens can be in two parts: cached audio, for example
        return None
    return {side.count: cost_of_parts + other_tokens * side_price, **parts}


class UserPrices:
    """The prices of a file, by `provider/model` or `model`."""

    def __init__(self, models: Mapping[str, Prices]) -> None:
        self._models = models

    def of(self, call: Call) -> Prices | None:
        """The prices of the call's model: with its provider, as the application wrote it, or without a provider."""
        target = call.target
        written = call.request.model if call.request is not None else None
        names = (f"{target.provider}/{target.model}", written, target.model)
        return next((self._models[name] for name in names if name is not None and name in self._models), None)


def read_prices(path: str) -> UserPrices:
    """Read the prices in a JSON file. Invalid parts are logged, and the rest is used."""
    read = _read(path)
    if not isinstance(read, str):
        return _checked(path, read)
    logger.warning("AGENTOPS_PRICES: %s %s. Your own prices are not used.", path, read)
    return UserPrices({})


def why_unusable(path: str) -> str | None:
    """Why the whole file cannot be used, such as `is not JSON: …`; `None` if it can."""
    read = _read(path)
    return read if isinstance(read, str) else None


def _read(path: str) -> Mapping[str, object] | str:
    """The content of the file, or why it cannot be used."""
    try:
        content = json.loads(Path(path).expanduser().read_text("utf-8-sig"))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return "is not UTF-8"
    except json.JSONDecodeError as error:
        return f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RuntimeError) as error:  # nested too deep, a number that is too long, an invalid path
        return f"cannot be read ({type(error).__name__})"
    if isinstance(content, dict):
        return content
    return f"must be an object of models, such as {_EXAMPLE}, not {_quoted(content)}"


def _checked(path: str, content: Mapping[str, object]) -> UserPrices:
    """The valid prices in the content of a file. The invalid ones are logged."""
    faults: list[str] = []
    models = {model: prices for model, entry in content.items() if (prices := _prices(model, entry, faults))}
    for fault in faults[:_MAX_WARNINGS]:
        logger.warning("AGENTOPS_PRICES: %s: %s", path, fault)
    if len(faults) > _MAX_WARNINGS:
        logger.warning("AGENTOPS_PRICES: %s: %d more like these.", path, len(faults) - _MAX_WARNINGS)
    return UserPrices(models)


def _prices(model: str, entry: object, faults: list[str]) -> Prices:
    """The prices of a model; empty if one of them is invalid, because then the sum would be wrong. Other keys of
    LiteLLM's price map are not prices: they are logged and ignored.
    """
    if not isinstance(entry, dict):
        faults.append(f"{model!r} must be an object of prices, not {_quoted(entry)}. Your prices for it are not used.")
        return {}
    prices: dict[str, float] = {}
    usable = True
    for name, value in entry.items():
        if name not in NAMES:
            usable = usable and "cost" not in name
            faults.append(f"{model!r}: {name!r} is not a known price. Known prices: {', '.join(NAMES)}.")
        elif (known := _amount(value)) is not None:
            prices[name] = known
        else:
            usable = False
            faults.append(f"{model!r}: {name!r} must be a number of US dollars, 0 or more, not {_quoted(value)}.")
    if not usable:
        faults[-1] += " Your prices for this model are not used."
        return {}
    return prices


def _amount(value: object) -> float | None:
    """A price as a number; `None` if it is invalid."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        amount = float(value)
    except OverflowError:
        return None
    return amount if isfinite(amount) and amount >= 0 else None


def _quoted(value: object) -> str:
    """The value as it is in the file, truncated."""
    text = json.dumps(value)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
