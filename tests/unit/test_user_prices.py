"""The user's own prices: how their file is read, and what calls cost at them."""

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
OTHERS = {
    "cache_read_input_token_cost": 0.5,
    "cache_creation_input_token_cost": 3.0,
    "input_cost_per_audio_token": 7.0,
    "output_cost_per_reasoning_token": 11.0,
    "output_cost_per_audio_token": 13.0,
}


def test_prices_are_read(tmp_path: Path) -> None:
    """Every price that is known is accepted, 0 and whole numbers too."""
    prices = read_prices(write_prices(tmp_path, {"mine": {name: number for number, name in enumerate(NAMES)}}))
    assert prices.of(CALL) == {name: float(number) for number, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    ("text", "why"),
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
def test_a_file_that_cannot_be_used(tmp_path: Path, logged: LoggedWarnings, text: str, why: str) -> None:
    """One line says which file, where in it and why; the app runs without."""
    path = write_prices(tmp_path, text)
    assert read_prices(path).of(CALL) is None
    (line,) = logged.take()
    assert line.startswith(f"AGENTOPS_PRICES: {path} {why}")
    assert line.endswith("Your own prices are not used.")


def test_a_file_that_is_not_there(tmp_path: Path, logged: LoggedWarnings) -> None:
    """So it is of one that is missing, that is a directory, or that is not text."""
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
    ("value", "shown"),
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
def test_a_price_that_is_none(tmp_path: Path, logged: LoggedWarnings, value: object, shown: str) -> None:
    """It is told with its file, model, name, what it takes and what it was; the other models' prices are used."""
    path = write_prices(tmp_path, {"other": {**TOKENS, "output_cost_per_token": value}, "mine": TOKENS})
    prices = read_prices(path)
    assert logged.take() == [
        (
            f"AGENTOPS_PRICES: {path}: 'other': 'output_cost_per_token' must be a number of US dollars, 0 or more, "
            f"not {shown}. Your prices for this model are not used."
        )
    ]
    assert prices.of(CALL) == TOKENS
    assert prices.of(replace(CALL, target=Target(model="other"))) is None


def test_a_name_that_is_not_known(tmp_path: Path, logged: LoggedWarnings) -> None:
    """A price of another name could be a slip: the model is not used. What else LiteLLM's map says is only told."""
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


def test_many_faults_are_counted(tmp_path: Path, logged: LoggedWarnings) -> None:
    """A file with nothing right in it does not fill the log."""
    read_prices(write_prices(tmp_path, {str(number): number for number in range(50)}))
    lines = logged.take()
    assert len(lines) == 11
    assert lines[-1].endswith("40 more like these.")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("azure/mine", "ours/model", "mine"), "azure/mine"),
        (("ours/model", "mine", "azure/other"), "ours/model"),
        (("mine", "MINE"), "mine"),
        (("openai/mine", "min"), None),
    ],
)
def test_a_model_is_found_by_its_name(names: tuple[str, ...], found: str | None) -> None:
    """With its provider first, then as the app wrote it, then alone."""
    call = replace(CALL, target=Target(provider="azure", model="mine"), request=Request(model="ours/model"))
    user_prices_file = {name: {"input_cost_per_token": float(number)} for number, name in enumerate(names)}
    assert UserPrices(user_prices_file).of(call) == (None if found is None else user_prices_file[found])
    assert UserPrices(user_prices_file).of(Call(name="route", timing=Timing(started_at=1))) is None


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
            {**TOKENS, **OTHERS},
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
            {**TOKENS, **OTHERS},
            Usage(input=10, output=4, input_audio=4, output_audio=4),
            Cost(total=6 * 2.0 + 4 * 7.0 + 4 * 13.0, source="user", input=40.0, output=52.0),
        ),
        ({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}, Usage(input=1, output=1), "free"),
        ({"input_cost_per_token": 2.0}, Usage(input=10, output=4), None),
        ({"output_cost_per_token": 2.0}, Usage(input=10, output=4), None),
        (TOKENS, Usage(output=4), None),
        (TOKENS, Usage(audio_seconds=4.0), None),
        ({**TOKENS, **OTHERS}, Usage(input=10, output=4, cache_read=8, input_audio=8), None),
        ({"ocr_cost_per_page": 2.0}, Usage(input=10, output=4), None),
    ],
    ids=[
        "tokens",
        "no output",
        "details without prices",
        "details with prices",
        "sound",
        "free",
        "no price of the output",
        "no price of the input",
        "input not counted",
        "tokens not counted",
        "details that are more than the whole",
        "a price of something else",
    ],
)
def test_tokens(prices: dict[str, float], usage: Usage, cost: Cost | str | None) -> None:
    """Each kind at its price, and at its side's where it has none; else there is no price."""
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
def test_pieces(name: str, call: Call) -> None:
    """What is not sold by the token has its price by the piece, where the pieces were counted."""
    assert price({name: 0.5}, call) == Cost(total=3.0, source="user", per_unit=True)
    assert price({name: 0.5}, CALL) is None
    assert price({name: 0.5}, replace(call, operation="chat")) is None  # which is sold otherwise
    both = replace(call, usage=Usage(input=1, output=1, audio_seconds=6.0))
    assert price({name: 0.5, "input_cost_per_token": 1.0, "output_cost_per_token": 1.0}, both) is None


def test_an_output_that_was_not_counted_has_no_price() -> None:
    """Nor has the call, where it has one that costs something; embeddings have none."""
    prices = {"input_cost_per_token": 2.0, "output_cost_per_token": 5.0}
    call = replace(CALL, usage=Usage(input=10))
    assert price(prices, call) is None
    assert price(prices | {"output_cost_per_token": 0.0}, call) == Cost(total=20.0, source="user", input=20.0)
    assert price(prices, replace(call, operation="embeddings")) == Cost(total=20.0, source="user", input=20.0)


LITELLMS = Cost(total=0.25, source="litellm")
COMPLETED, CLOSED = (Stream(outcome=outcome, chunk_count=1) for outcome in ("completed", "closed"))


@pytest.mark.parametrize(
    ("call", "total"),
    [
        (replace(CALL, cost=LITELLMS), 40.0),
        (replace(CALL, stream=COMPLETED), 40.0),
        (replace(CALL, stream=CLOSED), None),
        (replace(CALL, cost=LITELLMS, target=Target(model="another")), 0.25),
        (replace(CALL, cost=LITELLMS, usage=None), 0.25),
    ],
    ids=["before LiteLLM's", "a stream", "a stream that was cut", "not listed", "not counted"],
)
def test_when_it_is_the_price(call: Call, total: float | None) -> None:
    """For the models that are listed, of what was counted in full."""
    process = create_user_price_processor(UserPrices({"mine": TOKENS}))
    usage = (
        None if call.cost is LITELLMS and total == 0.25 and call.target == CALL.target else Usage(input=10, output=4)
    )
    cost = process(replace(call, usage=usage)).cost
    assert (None if cost is None else cost.total) == total
