"""The cost of a call. It is from the first of these sources that has one:

1. The user's own prices: `AGENTOPS_PRICES`, a JSON file in the format of LiteLLM's price map.
   `create_user_price_processor` replaces the cost that the readers have read from LiteLLM.
2. The cost that the provider or a gateway states in its response (`readers/stated_prices.py`). A price that the
   application has set in LiteLLM for the call, or for the Router's deployment, has priority.
3. The cost that LiteLLM calculates with its price map. If LiteLLM does so only after the span has ended,
   `readers/usage_and_cost.py` calculates it. `drop_unknown_cost` drops it if LiteLLM has no price for the model, or
   only an estimate of the usage.
4. The prices of the package genai-prices: `create_package_price_processor`. Importing the package takes a quarter of a
   second, so a background thread does it when a call first needs it. Calls that end earlier get no cost from it.

`processors/steps.py` runs these processors in this order. A price of 0 in a source is a price. If no source has a
price, the cost is absent, not 0. A response from LiteLLM's cache has no usage and costs nothing.
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
from agentops_otel_litellm.settings.parsing import masked

logger = logging.getLogger(__name__)

# --- the user's price, and LiteLLM's ----------------------------------------------------------------------


_BILLED_UNITS = ("search_units", "pages_count")
"""Fields of a response with the number of units, other than tokens, that the provider has billed."""


def create_user_price_processor(prices: UserPrices) -> Callable[[Call], Call]:
    """Return a processor that replaces LiteLLM's cost of a complete call if `prices` contain the call's model."""

    def apply_user_price(call: Call) -> Call:
        prices_of_model = prices.of(call) if _is_complete(call) else None
        cost = price(prices_of_model, call) if prices_of_model is not None else None
        return call if cost is None else replace(call, cost=cost)

    return apply_user_price


def drop_unknown_cost(call: Call) -> Call:
    """Drop the cost that LiteLLM calculated, in the two cases in which it is not the actual cost.

    A calculated cost of 0 means that LiteLLM has no price for the model, except if somebody has stated the price 0, and
    for a response from its cache, which cost nothing. If the provider reported no quantity that it bills, LiteLLM has
    priced its own estimate of the tokens.
    """
    cost, response = call.cost, call.response
    if cost is None or cost.source != "litellm" or cost.certain or (response is not None and response.cache_hit):
        return call
    # A cost per unit, such as per image, does not depend on what the provider reports.
    if cost.total and (
        cost.per_unit
        or call.usage is not None
        or any(getattr(response, billed, None) is not None for billed in _BILLED_UNITS)
    ):
        return call
    return replace(call, cost=None)


def create_package_price_processor(price: Callable[[Call], Cost | None]) -> Callable[[Call], Call]:
    """Return a processor that sets an unknown cost to the result of `price`, if the provider reported the usage."""

    def apply_package_price(call: Call) -> Call:
        usage = call.usage
        if call.cost is not None or usage is None or usage.input is None or not _is_complete(call):
            return call
        cost = price(call)
        return call if cost is None else replace(call, cost=cost)

    return apply_package_price


def _is_complete(call: Call) -> bool:
    """Whether the call has succeeded and any stream was read to its end. Otherwise the usage may be incomplete."""
    return call.failure is None and (call.stream is None or call.stream.outcome == "completed")


# --- responses from LiteLLM's cache, and estimates --------------------------------------------------------


def move_cached_usage_to_saved(call: Call) -> Call:
    """Move the usage and cost of a response from LiteLLM's cache to `saved`, because they are those of the original
    call. This call has no usage, and a cost of 0.
    """
    if call.response is None or not call.response.cache_hit:
        return call
    # For a stream from the cache, `saved` is unknown: LiteLLM does not store whether its tokens were counted by the
    # provider or estimated, nor which of them are billed at a lower price.
    saved: Saved | None = None
    if call.stream is None and (call.usage is not None or call.cost is not None):
        saved = Saved(
            input=call.usage.input if call.usage else None,
            output=call.usage.output if call.usage else None,
            cost=call.cost.total or None if call.cost and (call.usage or call.cost.certain) else None,
        )
    return replace(call, usage=None, cost=Cost(total=0.0, source="litellm"), saved=saved)


def drop_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate of the usage. This is used if the user has not enabled estimates."""
    return call if call.estimate is None else replace(call, estimate=None)


def drop_unneeded_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate if the provider reported usage, or if the response is from LiteLLM's cache."""
    cached = call.response is not None and call.response.cache_hit
    return drop_estimate(call) if call.usage is not None or cached else call


# --- genai-prices -----------------------------------------------------------------------------------------


PACKAGE = "genai_prices"
CLIENT = "httpx2"
"""The HTTP client that the package uses."""


class PackagePrices:
    """Prices calls with genai-prices, if that package is installed. With `live`, it downloads new prices every hour."""

    def __init__(self, *, live: bool = False, url: str | None = None) -> None:
        self._live, self._url = live, url
        self._price: Callable[[Call], Cost | None] | None = None
        self._loads: dict[str, object] = {}
        self.loaded = ReentrantEvent()
        """Set when the thread that imports the package has ended."""
        self._stop: Callable[[], None] | None = None
        self._is_closed = False
        self._is_forked = False
        FORK.register("prices", self._renew)
        # OpenAI's client uses this HTTP client as soon as it is in `sys.modules`, even if its import on another thread
        # is incomplete. So it is imported here, on the thread that imports LiteLLM, before the first call.
        with guard(f"importing {CLIENT}"):
            if find_spec(PACKAGE) is not None and find_spec(CLIENT) is not None:
                import_module(CLIENT)

    def _renew(self) -> None:
        """Prepare a forked process, which lacks the threads that import and download. The next call starts new ones."""
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
        """Start to load live prices. It is called when a call begins, so that they are available when the call ends."""
        if self._live:
            self._load_once()

    def price(self, call: Call) -> Cost | None:
        """The cost of the call; `None` if it is unknown, or if the package is not imported yet."""
        if self._price is None:
            self._load_once()
            return None
        return self._price(call)

    def _load_once(self) -> None:
        load = object()
        if self._loads.setdefault("load", load) is load:  # `setdefault` is atomic, so this is true for one thread only
            with suppress(RuntimeError):  # no thread can be started when the program is ending
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
"""The prices of a model: LiteLLM's name of a price, such as `input_cost_per_token` → US dollars."""

_EXAMPLE = '{"my-model": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}'
_MAX_WARNINGS, _MAX_QUOTED = 10, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The input or the output of a call, and LiteLLM's names of the prices of its tokens."""

    count: str
    """The field of `Usage` with the number of tokens."""
    price: str
    """The name of the price of a token."""
    parts: Mapping[str, str]
    """Field of `Usage` with tokens that can have a different price, such as cached ones → the name of that price."""


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


# Name of a price per unit → the unit, and function that returns how many units a call used.
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
    """The cost of the call by the user's prices: of its tokens, or of other units. `None` if the number of tokens or
    units is unknown, or if some of them have no price.
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
    """The cost of the tokens. `has_output` is whether the operation has output tokens at all, counted or not."""
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
    """The costs of the input or the output, and of its parts, by field of `Cost`; `None` if they cannot be calculated.

    A part without its own price has the price of the side.
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
    if other_tokens < 0:  # some tokens, such as cached audio, are in two parts, so the cost would be wrong
        return None
    return {side.count: cost_of_parts + other_tokens * side_price, **parts}


class UserPrices:
    """The prices of models in the user's file, in which a model is named `provider/model` or `model`."""

    def __init__(self, models: Mapping[str, Prices]) -> None:
        self._models = models

    def of(self, call: Call) -> Prices | None:
        """The prices of the call's model; `None` if the file does not have it. It is looked up with its provider, then
        as the application wrote it, then without its provider.
        """
        target = call.target
        written = call.request.model if call.request is not None else None
        names = (f"{target.provider}/{target.model}", written, target.model)
        return next((self._models[name] for name in names if name is not None and name in self._models), None)


def read_prices(path: str) -> UserPrices:
    """Read the prices in a JSON file. A warning is logged for invalid parts, and the rest is used."""
    content_or_reason = _read(path)
    if not isinstance(content_or_reason, str):
        return _checked(path, content_or_reason)
    printable = masked("AGENTOPS_PRICES", path)
    logger.warning("AGENTOPS_PRICES: %s %s. Your own prices are not used.", printable, content_or_reason)
    return UserPrices({})


def why_unusable(path: str) -> str | None:
    """The reason why no part of the file can be used, such as `is not JSON: …`; `None` if there is none."""
    content_or_reason = _read(path)
    return content_or_reason if isinstance(content_or_reason, str) else None


def _read(path: str) -> Mapping[str, object] | str:
    """Return the object in a JSON file. If that fails, return the reason instead, a `str` such as `is not UTF-8`."""
    try:
        content = json.loads(Path(path).expanduser().read_text("utf-8-sig"))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return "is not UTF-8"
    except json.JSONDecodeError as error:
        return f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RuntimeError) as error:  # JSON nested too deep, a number with too many digits, an invalid path
        return f"cannot be read ({type(error).__name__})"
    if isinstance(content, dict):
        return content
    return f"must be an object of models, such as {_EXAMPLE}, not {_quoted(content)}"


def _checked(path: str, content: Mapping[str, object]) -> UserPrices:
    """Return the valid prices in the content of a file. A warning is logged for each invalid one."""
    faults: list[str] = []
    path = masked("AGENTOPS_PRICES", path)
    models = {model: prices for model, entry in content.items() if (prices := _prices(model, entry, faults))}
    for fault in faults[:_MAX_WARNINGS]:
        logger.warning("AGENTOPS_PRICES: %s: %s", path, fault)
    if len(faults) > _MAX_WARNINGS:
        logger.warning("AGENTOPS_PRICES: %s: %d more like these.", path, len(faults) - _MAX_WARNINGS)
    return UserPrices(models)


def _prices(model: str, entry: object, faults: list[str]) -> Prices:
    """Return the prices of a model, and add what is wrong with them to `faults`.

    The result is empty if one price is invalid or unknown, because the cost would be wrong without it. Other keys, such
    as LiteLLM's `max_tokens`, are ignored.
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
    """The value as JSON text, truncated, to quote it in a warning."""
    text = json.dumps(value)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
