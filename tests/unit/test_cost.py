"""The parts of a cost, from LiteLLM's cost breakdown."""

from __future__ import annotations

import pytest

from agentops_otel_litellm.call import Cost, Usage
from agentops_otel_litellm.readers.usage_and_cost import with_cost_parts

USAGE = Usage(input=10, output=5)


class Logging:
    """A logging object with a cost breakdown."""

    def __init__(self, **breakdown: object) -> None:
        self.cost_breakdown = breakdown


@pytest.mark.parametrize(
    ("breakdown", "usage"),
    [
        ({}, USAGE),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 2.0}, None),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 2.0}, Usage(audio_seconds=2.0)),
        ({"total_cost": 4.0, "input_cost": 2.0, "output_cost": 2.0}, USAGE),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 1.0}, USAGE),
        ({"total_cost": 3.0, "input_cost": 0.0, "output_cost": 3.0}, USAGE),
        ({"total_cost": 3.0, "input_cost": 3.0, "output_cost": 0.0}, USAGE),
        ({"total_cost": 3.0, "input_cost": "1", "output_cost": None}, USAGE),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 1.0, "additional_costs": {"flat": 1.0}}, USAGE),
    ],
    ids=[
        "nothing",
        "unknown tokens",
        "not in tokens",
        "for another total",
        "less than the total",
        "the provider's own price",
        "free output",
        "not numbers",
        "with other costs",
    ],
)
def test_incomplete_cost_parts_are_left_out(breakdown: dict[str, object], usage: Usage | None) -> None:
    """If they do not add up to the total, none is recorded."""
    cost = Cost(total=3.0, source="litellm")
    assert with_cost_parts(cost, usage, Logging(**breakdown)) == cost


def test_details_that_exceed_their_part_are_left_out() -> None:
    """LiteLLM calculates them separately from the total."""
    breakdown = {"total_cost": 3.0, "input_cost": 1.0, "output_cost": 2.0}
    logging = Logging(**breakdown, cache_read_cost=0.6, cache_creation_cost=0.6, reasoning_cost=2.5)
    parts = with_cost_parts(Cost(total=3.0, source="litellm"), USAGE, logging)
    assert (parts.input, parts.output) == (1.0, 2.0)
    assert (parts.cache_read, parts.cache_write, parts.reasoning, parts.tools) == (None, None, None, None)


def test_tool_costs_are_a_separate_part() -> None:
    """The cost of a provider's tools is neither input nor output."""
    logging = Logging(total_cost=3.5, input_cost=1.0, output_cost=2.0, tool_usage_cost=0.5)
    parts = with_cost_parts(Cost(total=3.5, source="litellm"), USAGE, logging)
    assert (parts.input, parts.output, parts.tools) == (1.0, 2.0, 0.5)
