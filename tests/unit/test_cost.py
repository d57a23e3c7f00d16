"""What calls cost: LiteLLM's own figure, of each provider and operation, and how LiteLLM got there."""

from __future__ import annotations

import pytest

from agentops_otel_litellm.call import Cost, Usage
from agentops_otel_litellm.readers.usage_and_cost import with_cost_parts

COUNTED = Usage(input=10, output=5)


class Logging:
    """What LiteLLM keeps of how it got to a price."""

    def __init__(self, **breakdown: object) -> None:
        self.cost_breakdown = breakdown


@pytest.mark.parametrize(
    ("breakdown", "usage"),
    [
        ({}, COUNTED),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 2.0}, None),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 2.0}, Usage(audio_seconds=2.0)),
        ({"total_cost": 4.0, "input_cost": 2.0, "output_cost": 2.0}, COUNTED),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 1.0}, COUNTED),
        ({"total_cost": 3.0, "input_cost": 0.0, "output_cost": 3.0}, COUNTED),
        ({"total_cost": 3.0, "input_cost": 3.0, "output_cost": 0.0}, COUNTED),
        ({"total_cost": 3.0, "input_cost": "1", "output_cost": None}, COUNTED),
        ({"total_cost": 3.0, "input_cost": 1.0, "output_cost": 1.0, "additional_costs": {"flat": 1.0}}, COUNTED),
    ],
    ids=[
        "nothing",
        "not counted",
        "not in tokens",
        "of another total",
        "less than the total",
        "the provider's own price",
        "output that nobody pays for",
        "not numbers",
        "more than tokens",
    ],
)
def test_parts_that_are_not_known(breakdown: dict[str, object], usage: Usage | None) -> None:
    """Where they are not all of the total, there are none."""
    cost = Cost(total=3.0, source="litellm")
    assert with_cost_parts(cost, usage, Logging(**breakdown)) == cost


def test_details_that_are_more_than_what_they_are_of() -> None:
    """They are left out: LiteLLM works them out apart from the total."""
    breakdown = {"total_cost": 3.0, "input_cost": 1.0, "output_cost": 2.0}
    logging = Logging(**breakdown, cache_read_cost=0.6, cache_creation_cost=0.6, reasoning_cost=2.5)
    found = with_cost_parts(Cost(total=3.0, source="litellm"), COUNTED, logging)
    assert (found.input, found.output) == (1.0, 2.0)
    assert (found.cache_read, found.cache_write, found.reasoning, found.tools) == (None, None, None, None)


def test_tools_have_their_part() -> None:
    """What a provider's own tools cost is neither input nor output."""
    logging = Logging(total_cost=3.5, input_cost=1.0, output_cost=2.0, tool_usage_cost=0.5)
    found = with_cost_parts(Cost(total=3.5, source="litellm"), COUNTED, logging)
    assert (found.input, found.output, found.tools) == (1.0, 2.0, 0.5)
