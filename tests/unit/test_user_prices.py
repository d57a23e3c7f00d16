"""The user's own prices: reading their file, and the cost of calls at these prices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agentops_otel_litellm.call import Call, Cost, Request, Response, Stream, Target, Timing, Usage
from agentops_otel_litellm.pricing.precedence import NAMES, UserPrices, create_user_price_processor, price, read_prices
from support.logged_warnings import LoggedWarnings
from support.price_files import (
    TOKENS,
    user_prices_file,  # noqa: F401 - a fixture
    write_prices,
)

CALL = Call(name="chat", operation="chat", timing=Timing(started_at=1), target=Target(provider="openai", model="mine"))
DETAIL_PRICES = {
    "cache_read_input_token_cost": 0.5,
    "cache_creation_input_token_cost": 3.0,
    "input_cost_per_audio_token": 7.0,
    "output_cost_per_reasoning_token": 11.0,
    "output_cost_per_audio_token": 13.0,
}


def test_all_known_prices_are_read(tmp_path: Path) -> None:
    """0 and integers are valid prices."""
    prices = read_prices(write_prices(tmp_path, {"mine": {name: number for number, name in enumerate(NAMES)}}))
    assert prices.of(CALL) == {name: float(number) for number, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"mine": {\n  "input_cost_per_token" 1e-6}}', "is not JSON: line 2, column 26: Expecting ':' delimiter"),
        ("", "is not JSON: line 1, column 1: Expecting value"),
        ("[1]", 'must be an object of models, such as {"my-model": {"input_cost_per_token": 1e-6, '),
        ("\x00", "is not JSON: line 1, column 1: Expecting value"),
        ("[" * 100_000, "cannot be read (RecursionError)"),
        ('{"mine": {"input_cost_per_token": ' + "9" * 5_000 + "}}", "cannot be read (ValueError)"),
    ],
    ids=["a colon too few", "nothing", "a list", "no text", "nested", "long"],
)
def test_an_invalid_file_is_ignored(tmp_path: Path, logged: LoggedWarnings, text: str, reason: str) -> None:
    """The warning has the file, the position and the reason."""
    path = write_prices(tmp_path, text)
    assert read_prices(path).of(CALL) is None
    (line,) = logged.take()
    assert line.startswith(f"AGENTOPS_PRICES: {path} {reason}")
    assert line.endswith("Your own prices are not used.")


def test_an_unreadable_file_is_ignored(tmp_path: Path, logged: LoggedWarnings) -> None:
    """A missing file, a directory, and a file that is not UTF-8."""
    assert read_prices(str(tmp_path / "missing.json")).of(CALL) is None
    assert read_prices(str(tmp_path)).of(CALL) is None
    (tmp_path / "latin").write_bytes(b'{"\xe9": {}}')
    assert read_prices(str(tmp_path / "latin")).of(CALL) is None
    assert [line.partition(" cannot be read: ")[2] or line.partition(" is ")[2] for line in logged.take()] == [
        "No such file or directory. Your own prices are not used.",
        "Is a directory. Your own prices are not used.",
        "not UTF-8. Your own prices are not used.",
    ]


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("0.1", '"0.1"'),
        (True, "true"),
        (None, "null"),
        (-1, "-1"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (10**400, "1000000000000000000000000000000000000000…"),
        ([1], "[1]"),
    ],
    ids=["text", "a boolean", "nothing", "negative", "no number", "infinite", "too large", "a list"],
)
def test_an_invalid_price_excludes_its_model(
    tmp_path: Path, logged: LoggedWarnings, value: object, quoted: str
) -> None:
    """The warning has the file, model, name, value and expected value. Other models' prices are used."""
    path = write_prices(tmp_path, {"other": {**TOKENS, "output_cost_per_token": value}, "mine": TOKENS})
    prices = read_prices(path)
    assert logged.take() == [
        (
            f"AGENTOPS_PRICES: {path}: 'other': 'output_cost_per_token' must be a number of US dollars, 0 or more, "
            f"not {quoted}. Your prices for this model are not used."
        )
    ]
    assert prices.of(CALL) == TOKENS
    assert prices.of(replace(CALL, target=Target(model="other"))) is None


def test_an_unknown_price_is_reported(tmp_path: Path, logged: LoggedWarnings) -> None:
    """An unknown name for a cost excludes the model, since it may be misspelt. Other unknown names do not."""
    path = write_prices(
        tmp_path, {"other": {**TOKENS, "input_cost": 1}, "mine": {**TOKENS, "max_tokens": 9}, "third": 1}
    )
    prices = read_prices(path)
    lines = logged.take()
    names = ", ".join(NAMES)
    unknown = f"'input_cost' is not a known price. Known prices: {names}. Your prices for this model are not used."
    assert lines == [
        f"AGENTOPS_PRICES: {path}: 'other': {unknown}",
        f"AGENTOPS_PRICES: {path}: 'mine': 'max_tokens' is not a known price. Known prices: {names}.",
        f"AGENTOPS_PRICES: {path}: 'third' must be an object of prices, not 1. Your prices for it are not used.",
    ]
    assert prices.of(CALL) == TOKENS


def test_the_number_of_warnings_is_limited(tmp_path: Path, logged: LoggedWarnings) -> None:
    """The last warning has the number of the others."""
    read_prices(write_prices(tmp_path, {str(number): number for number in range(50)}))
    lines = logged.take()
    assert len(lines) == 11
    assert lines[-1].endswith("40 more like these.")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("azure/mine", "ours/model", "mine"), "azure/mine"),
        (("ours/model", "mine", "azure/other"), "ours/model"),
        (("mine", "MINE"), "mine"),
        (("openai/mine", "min"), None),
    ],
)
def test_a_model_is_found_by_its_name(names: tuple[str, ...], expected: str | None) -> None:
    """First with its provider, then as the application passed it, then without prefix."""
    call = replace(CALL, target=Target(provider="azure", model="mine"), request=Request(model="ours/model"))
    prices = {name: {"input_cost_per_token": float(number)} for number, name in enumerate(names)}
    assert UserPrices(prices).of(call) == (None if expected is None else prices[expected])
    assert UserPrices(prices).of(Call(name="route", timing=Timing(started_at=1))) is None


@pytest.mark.parametrize(
    ("prices", "usage", "cost"),
    [
        (TOKENS, Usage(input=10, output=4), Cost(total=40.0, source="user", input=20.0, output=20.0)),
        (TOKENS, Usage(input=10, output=0), Cost(total=20.0, source="user", input=20.0, output=0.0)),
        (
            TOKENS,
            Usage(input=10, output=4, cache_read=3, reasoning=1, input_audio=2),
            Cost(total=40.0, source="user", input=20.0, output=20.0, cache_read=6.0, reasoning=5.0),
        ),
        (
            {**TOKENS, **DETAIL_PRICES},
            Usage(input=10, output=4, cache_read=3, cache_write=2, reasoning=1),
            Cost(
                total=17.5 + 26.0,
                source="user",
                input=5 * 2.0 + 3 * 0.5 + 2 * 3.0,
                output=3 * 5.0 + 11.0,
                cache_read=1.5,
                cache_write=6.0,
                reasoning=11.0,
            ),
        ),
        (
            {**TOKENS, **DETAIL_PRICES},
            Usage(input=10, output=4, input_audio=4, output_audio=4),
            Cost(total=6 * 2.0 + 4 * 7.0 + 4 * 13.0, source="user", input=40.0, output=52.0),
        ),
        ({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}, Usage(input=1, output=1), "free"),
        ({"input_cost_per_token": 2.0}, Usage(input=10, output=4), None),
        ({"output_cost_per_token": 2.0}, Usage(input=10, output=4), None),
        (TOKENS, Usage(output=4), None),
        (TOKENS, Usage(audio_seconds=4.0), None),
        ({**TOKENS, **DETAIL_PRICES}, Usage(input=10, output=4, cache_read=8, input_audio=8), None),
        ({"ocr_cost_per_page": 2.0}, Usage(input=10, output=4), None),
    ],
    ids=[
        "tokens",
        "no output",
        "details without prices",
        "details with prices",
        "audio",
        "free",
        "no price for the output",
        "no price for the input",
        "unknown input",
        "unknown tokens",
        "details that exceed the total",
        "a price for another unit",
    ],
)
def test_the_cost_of_tokens(prices: dict[str, float], usage: Usage, cost: Cost | str | None) -> None:
    """Details without a price of their own cost as much as other tokens. A missing price or count means no cost."""
    free = Cost(total=0.0, source="user", input=0.0, output=0.0)
    assert price(prices, replace(CALL, usage=usage)) == (free if cost == "free" else cost)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("input_cost_per_character", replace(CALL, operation="speech", request=Request(content_length=6))),
        ("input_cost_per_second", replace(CALL, operation="transcription", usage=Usage(audio_seconds=6.0))),
        ("input_cost_per_query", replace(CALL, operation="rerank", response=Response(search_units=6.0))),
        ("output_cost_per_image", replace(CALL, operation="image_edit", response=Response(images_count=6))),
        ("ocr_cost_per_page", replace(CALL, operation="ocr", response=Response(pages_count=6))),
    ],
)
def test_the_cost_of_other_units(name: str, call: Call) -> None:
    """Characters, seconds, queries, images and pages have prices per unit, if their number is known."""
    assert price({name: 0.5}, call) == Cost(total=3.0, source="user", per_unit=True)
    assert price({name: 0.5}, CALL) is None
    assert price({name: 0.5}, replace(call, operation="chat")) is None  # chats are billed by tokens
    both = replace(call, usage=Usage(input=1, output=1, audio_seconds=6.0))
    assert price({name: 0.5, "input_cost_per_token": 1.0, "output_cost_per_token": 1.0}, both) is None


def test_unknown_output_tokens_have_no_cost() -> None:
    """Unless output is free, or the operation has none, as embeddings."""
    prices = {"input_cost_per_token": 2.0, "output_cost_per_token": 5.0}
    call = replace(CALL, usage=Usage(input=10))
    assert price(prices, call) is None
    assert price(prices | {"output_cost_per_token": 0.0}, call) == Cost(total=20.0, source="user", input=20.0)
    assert price(prices, replace(call, operation="embeddings")) == Cost(total=20.0, source="user", input=20.0)


LITELLM_COST = Cost(total=0.25, source="litellm")
COMPLETED, CLOSED = (Stream(outcome=outcome, chunk_count=1) for outcome in ("completed", "closed"))


@pytest.mark.parametrize(
    ("call", "total"),
    [
        (replace(CALL, cost=LITELLM_COST), 40.0),
        (replace(CALL, stream=COMPLETED), 40.0),
        (replace(CALL, stream=CLOSED), None),
        (replace(CALL, cost=LITELLM_COST, target=Target(model="another")), 0.25),
        (replace(CALL, cost=LITELLM_COST, usage=None), 0.25),
    ],
    ids=["in place of LiteLLM's", "a stream", "an interrupted stream", "not in the file", "unknown tokens"],
)
def test_which_calls_get_the_users_price(call: Call, total: float | None) -> None:
    """Calls of models in the file, if all their tokens are known."""
    process = create_user_price_processor(UserPrices({"mine": TOKENS}))
    usage = (
        None
        if call.cost is LITELLM_COST and total == 0.25 and call.target == CALL.target
        else Usage(input=10, output=4)
    )
    cost = process(replace(call, usage=usage)).cost
    assert (None if cost is None else cost.total) == total


def test_no_password_in_the_path_is_logged(logged: LoggedWarnings) -> None:
    """The user may set a URL, although only a path is accepted."""
    read_prices("https://me:hunter2@prices.example/p.json?sig=canary#canary;key=canary")
    (line,) = logged.take()
    assert "AGENTOPS_PRICES: https://***@prices.example/p.json?*** cannot be read" in line
    assert "hunter2" not in line
    assert "canary" not in line
