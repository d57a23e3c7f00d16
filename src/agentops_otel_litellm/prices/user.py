"""The user's own prices: a JSON file in the shape of LiteLLM's price map, and what a call costs at them."""

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
"""What a model costs, in US dollars, by LiteLLM's names: `input_cost_per_token`."""

_EXAMPLE = '{"my-model": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}'
_TOLD_LIMIT, _SHOWN = 10, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is counted on one side of a call, in the fields of `Usage`, and the names of the prices."""

    count: str
    price: str
    apart: Mapping[str, str]
    """Parts of the count that may have a price of their own."""


SIDES = (
    Side(
        count="input",
        price="input_cost_per_token",
        apart={
            "cache_read": "cache_read_input_token_cost",
            "cache_write": "cache_creation_input_token_cost",
            "input_audio": "input_cost_per_audio_token",
            "input_image": "input_cost_per_image_token",
        },
    ),
    Side(
        count="output",
        price="output_cost_per_token",
        apart={
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
    *(name for side in SIDES for name in (side.price, *side.apart.values())),
    *UNIT_PRICES,
)


def price(prices: Prices, call: Call) -> Cost | None:
    """What the call costs, by its tokens or by the piece; `None` where what has a price was not counted, or what was
    counted has no price.
    """
    usage = call.usage
    unit = unit_of(call.operation)
    known = [
        prices[name] * number
        for name, (priced, count) in UNIT_PRICES.items()
        if name in prices and priced is unit and (number := count(call)) is not None
    ]
    if usage is not None and (usage.input or usage.output):
        if any(known):
            return None  # which of the two is meant is not to be seen
        return _of_tokens(prices, usage, writes=call.operation != "embeddings")
    return Cost(total=sum(known), source="user", per_unit=True) if known else None


def _of_tokens(prices: Prices, usage: Usage, *, writes: bool) -> Cost | None:
    """`writes`: whether there is an output, counted or not."""
    parts: dict[str, float] = {}
    for side in SIDES:
        count: int | None = getattr(usage, side.count)
        if count is None and (side.count == "input" or (writes and prices.get(side.price))):
            return None
        if count is not None:
            spent = _of_side(prices, usage, side, count)
            if spent is None:
                return None
            parts |= spent
    return Cost(
        total=sum(parts[side.count] for side in SIDES if side.count in parts),
        source="user",
        input=parts.get("input"),
        output=parts.get("output"),
        cache_read=parts.get("cache_read"),
        cache_write=parts.get("cache_write"),
        reasoning=parts.get("reasoning"),
    )


def _of_side(prices: Prices, usage: Usage, side: Side, count: int) -> dict[str, float] | None:
    """The side as a whole and its parts. What has no price of its own costs what the side's tokens do."""
    if not count:
        return {side.count: 0.0}
    otherwise = prices.get(side.price)
    if otherwise is None:
        return None
    parts: dict[str, float] = {}
    whole, rest = 0.0, count
    for part, name in side.apart.items():
        of_part: int | None = getattr(usage, part)
        each = prices.get(name)
        if of_part is not None and part in _PARTS_OF_COST:
            parts[part] = of_part * (otherwise if each is None else each)
        if of_part and each is not None:
            whole += of_part * each
            rest -= of_part
    if rest < 0:  # sounds that were cached, say, are in two parts
        return None
    return {side.count: whole + rest * otherwise, **parts}


class UserPrices:
    """The prices of a file, by `provider/model` or `model`."""

    def __init__(self, models: Mapping[str, Prices]) -> None:
        self._models = models

    def of(self, call: Call) -> Prices | None:
        """Those of the call's model: with its provider, as the app wrote it, or alone."""
        target = call.target
        asked = call.request.model if call.request is not None else None
        names = (f"{target.provider}/{target.model}", asked, target.model)
        return next((self._models[name] for name in names if name is not None and name in self._models), None)


def read_prices(path: str) -> UserPrices:
    """The prices in a JSON file. What cannot be used is told of, and the rest is used."""
    read = _read(path)
    if not isinstance(read, str):
        return _checked(path, read)
    logger.warning("AGENTOPS_PRICES: %s %s. No prices of yours are used.", path, read)
    return UserPrices({})


def why_unusable(path: str) -> str | None:
    """What is wrong with the whole file: `is not JSON: …`."""
    read = _read(path)
    return read if isinstance(read, str) else None


def _read(path: str) -> Mapping[str, object] | str:
    """What is in the file, or why that cannot be used."""
    try:
        told = json.loads(Path(path).expanduser().read_text("utf-8-sig"))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return "is not UTF-8"
    except json.JSONDecodeError as error:
        return f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RuntimeError) as error:  # nested too deep, a number too long, a path that is none
        return f"cannot be read ({type(error).__name__})"
    if isinstance(told, dict):
        return told
    return f"must be an object of models, such as {_EXAMPLE}, not {_shown(told)}"


def _checked(path: str, told: Mapping[str, object]) -> UserPrices:
    faults: list[str] = []
    models = {model: prices for model, given in told.items() if (prices := _prices(model, given, faults))}
    for fault in faults[:_TOLD_LIMIT]:
        logger.warning("AGENTOPS_PRICES: %s: %s", path, fault)
    if len(faults) > _TOLD_LIMIT:
        logger.warning("AGENTOPS_PRICES: %s: %d more like these.", path, len(faults) - _TOLD_LIMIT)
    return UserPrices(models)


def _prices(model: str, given: object, faults: list[str]) -> Prices:
    """Those of a model: none, where one of them is not what it seems, for then the sum would not be. What else
    LiteLLM's map says of a model is no price, and is only told of.
    """
    if not isinstance(given, dict):
        faults.append(f"{model!r} must be an object of prices, not {_shown(given)}. It is not used.")
        return {}
    prices: dict[str, float] = {}
    usable = True
    for name, value in given.items():
        if name not in NAMES:
            usable = usable and "cost" not in name
            faults.append(f"{model!r}: {name!r} is not known. It takes {', '.join(NAMES)}.")
        elif (known := _amount(value)) is not None:
            prices[name] = known
        else:
            usable = False
            faults.append(f"{model!r}: {name!r} takes a number of US dollars, 0 or more, not {_shown(value)}.")
    if not usable:
        faults[-1] += " The model is not used."
        return {}
    return prices


def _amount(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        amount = float(value)
    except OverflowError:
        return None
    return amount if isfinite(amount) and amount >= 0 else None


def _shown(value: object) -> str:
    """As it stands in the file, cut to a bearable length."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
