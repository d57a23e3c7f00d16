"""The user's own prices: a JSON file in the format of LiteLLM's price map, and the cost of a call by them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from agentops_otel_litellm.call import Call, Cost, Usage
from agentops_otel_litellm.operations import Unit, unit_of

logger = logging.getLogger(__name__)

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
