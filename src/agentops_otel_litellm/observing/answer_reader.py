"""AnswerReader: what an answer amounts to, with what LiteLLM has let on about it on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentops_otel_litellm.call import Cost, Estimate, Response, StreamOutcome, Usage

_READING_RESPONSE = guard("reading a response")
_READING_USAGE = guard("reading a response's usage")
_READING_COST = guard("reading a response's cost")


class AnswerReader:
    """Reads responses, usages and costs as a shape says. What cannot be read is absent, and what can be is not lost
    with it. Each method is given LiteLLM's logging object as it is by then.
    """

    __slots__ = ("_is_mocked", "_shape", "estimate", "is_recorded", "provided", "usage_is_estimated", "worked_out")

    def __init__(self, shape: readers.Shape, parameters: Mapping[str, object]) -> None:
        self._shape = shape
        self._is_mocked = readers.is_mocked(parameters)
        self.is_recorded = False
        """Whether the call's span is: then LiteLLM is asked for a price it has not worked out yet, and for the parts
        of one. Of a call that is not sampled there are only metrics.
        """
        self.provided: object = None
        """The provider's part of a response of which LiteLLM's cache had the rest."""
        self.usage_is_estimated = False
        """Whether LiteLLM made up a usage, where the provider had counted nothing."""
        self.worked_out: object = None
        """The usage of a stream that LiteLLM came to: it makes up what the provider did not count."""
        self.estimate: Estimate | None = None
        """What LiteLLM estimates, where the provider turns out to have counted nothing."""

    def let_go(self) -> None:
        self.provided = self.worked_out = self.estimate = None

    def whole(self, result: object, logging: object) -> Answer:
        """Of what the app gets."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        shape, bought = self._shape, result if self.provided is None else self.provided
        with _READING_RESPONSE:
            response = self._marked(shape.response(result), logging)
        with _READING_USAGE:
            usage = self._counted(shape.usage(bought), logging)
        with _READING_COST:
            cost = self._priced(shape.cost(bought), usage, bought, logging)
        return self._bought(response, usage, cost)

    def streamed(self, chunks: readers.Chunks, outcome: StreamOutcome, logging: object) -> Answer:
        """Of a stream, as far as it came; LiteLLM prices one at its end."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        with _READING_RESPONSE:
            response = self._marked(chunks.response(), logging)
        with _READING_USAGE:
            if not self.usage_is_estimated:
                usage = chunks.usage()
            if usage is None and self.worked_out is not None and not self._is_mocked:
                self.estimate = readers.read_estimate(self.worked_out)
        with _READING_COST:
            if usage is not None and outcome == "completed":
                cost = self._priced(self._shape.stream_cost(logging), usage, chunks, logging)
        return self._bought(response, usage, cost)

    def one_of_several(self, shape: readers.Shape, given: object, logging: object) -> Answer:
        """Of one that may not be what the app gets; of a stream, whose reader is `given` when it is over."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        chunks = given if readers.is_chunks(given) else None
        with _READING_RESPONSE:
            response = shape.response(given) if chunks is None else None
        with _READING_USAGE:
            usage = shape.usage(given) if chunks is None else chunks.usage()
        with _READING_COST:
            if usage is not None and self.is_recorded:
                cost = (None if chunks is not None else shape.cost(given)) or shape.price(given, logging)
                cost = cost or readers.price_answer(given, logging)
        return self._bought(response, usage, cost)

    def _bought(self, response: Response | None, usage: Usage | None, cost: Cost | None) -> Answer:
        """Nothing was, where the app gave LiteLLM the answer: it makes up what was counted."""
        return (response, None, None) if self._is_mocked else (response, usage, cost)

    def _counted(self, usage: Usage | None, logging: object) -> Usage | None:
        """What the provider counted of it: for some that do not, LiteLLM does."""
        counted = None if usage is None else self._shape.counted(usage, logging)
        if counted is None and not self._is_mocked:
            self.estimate = readers.estimate_of(usage)
        return counted

    def _marked(self, response: Response, logging: object) -> Response:
        """With what else is known of LiteLLM's cache. Of a response with parts from it, it says they all are."""
        if self.provided is not None:
            return replace(response, cache_hit=None, partial_cache_hit=True)
        return replace(response, cache_hit=True) if readers.read_cache_hit(logging) else response

    def _priced(self, cost: Cost | None, usage: Usage | None, told: object, logging: object) -> Cost | None:
        """LiteLLM has a price for it, or is asked for one, which takes it a millisecond."""
        if usage is None or not self.is_recorded:
            return cost
        if cost is None or not cost.total:
            cost = self._shape.price(told, logging) or readers.price_hit(told, logging) or cost
        return cost and readers.itemised(cost, usage, logging)
