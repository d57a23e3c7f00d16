"""ResponseReader: reads response, usage and cost of a result, with the facts that LiteLLM disclosed during the call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.nested_responses import ResponseFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentops_otel_litellm.call import Cost, Estimate, Response, StreamOutcome, Usage

_READING_RESPONSE = guard("reading a response")
_READING_USAGE = guard("reading a response's usage")
_READING_COST = guard("reading a response's cost")


class ResponseReader:
    """Reads responses, usages and costs with the readers of an operation.

    A value that cannot be read is absent; the others are recorded all the same. The methods take LiteLLM's current
    logging object of the call.
    """

    __slots__ = (
        "_api_format",
        "_is_mocked",
        "calculated_usage",
        "estimate",
        "is_recorded",
        "provider_response",
        "usage_is_estimated",
    )

    def __init__(self, api_format: readers.ApiFormat, parameters: Mapping[str, object]) -> None:
        self._api_format = api_format
        self._is_mocked = readers.is_mocked(parameters)
        self.is_recorded = False
        """Whether the call's span is recorded. If it is not, because the call is not sampled, only metrics are
        recorded, and two steps are omitted: calculating a price that LiteLLM does not have yet, and reading the parts
        of a price.
        """
        self.provider_response: object = None
        """The provider's part of a response, if the rest is from LiteLLM's cache."""
        self.usage_is_estimated = False
        """Whether LiteLLM has estimated the usage, because the provider counted no tokens."""
        self.calculated_usage: object = None
        """The usage of a stream as LiteLLM calculated it. It contains estimates of tokens that the provider did not
        count.
        """
        self.estimate: Estimate | None = None
        """LiteLLM's estimate of the usage, if the provider counted no tokens."""

    def release(self) -> None:
        """Release the objects of LiteLLM."""
        self.provider_response = self.calculated_usage = self.estimate = None

    def read_result(self, result: object, logging: object) -> ResponseFacts:
        """Read the result that the application receives, if it is not a stream."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        api_format, billed = self._api_format, result if self.provider_response is None else self.provider_response
        with _READING_RESPONSE:
            response = self._with_cache_hit(api_format.response(result), logging)
        with _READING_USAGE:
            usage = self._counted(api_format.usage(billed), logging)
        with _READING_COST:
            cost = self._priced(api_format.cost(billed), usage, billed, logging)
        return self._billed(response, usage, cost)

    def read_stream(self, chunks: readers.Chunks, outcome: StreamOutcome, logging: object) -> ResponseFacts:
        """Read the chunks of a stream that were received. LiteLLM has a price only for a complete stream."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        with _READING_RESPONSE:
            response = self._with_cache_hit(chunks.response(), logging)
        with _READING_USAGE:
            if not self.usage_is_estimated:
                usage = chunks.usage()
            if usage is None and self.calculated_usage is not None and not self._is_mocked:
                self.estimate = readers.read_estimate(self.calculated_usage)
        with _READING_COST:
            if usage is not None and outcome == "completed":
                cost = self._priced(self._api_format.stream_cost(logging), usage, chunks, logging)
        return self._billed(response, usage, cost)

    def read_one_of_several(self, api_format: readers.ApiFormat, result: object, logging: object) -> ResponseFacts:
        """Read one of several results of a call. For a stream, `result` is the reader of its chunks."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        chunks = result if readers.is_chunks(result) else None
        with _READING_RESPONSE:
            response = api_format.response(result) if chunks is None else None
        with _READING_USAGE:
            usage = api_format.usage(result) if chunks is None else chunks.usage()
        with _READING_COST:
            if usage is not None and self.is_recorded:
                cost = (None if chunks is not None else api_format.cost(result)) or api_format.price(result, logging)
                cost = cost or readers.price_result(result, logging)
        return self._billed(response, usage, cost)

    def _billed(self, response: Response | None, usage: Usage | None, cost: Cost | None) -> ResponseFacts:
        """Drop the usage and cost of a mock response, because LiteLLM invents them."""
        return (response, None, None) if self._is_mocked else (response, usage, cost)

    def _counted(self, usage: Usage | None, logging: object) -> Usage | None:
        """Return the usage without LiteLLM's estimates, which it makes for some providers that count no tokens."""
        counted = None if usage is None else self._api_format.counted(usage, logging)
        if counted is None and not self._is_mocked:
            self.estimate = readers.estimate_of(usage)
        return counted

    def _with_cache_hit(self, response: Response, logging: object) -> Response:
        """Add whether the response is from LiteLLM's cache. LiteLLM reports a partial hit as a hit."""
        if self.provider_response is not None:
            return replace(response, cache_hit=None, partial_cache_hit=True)
        return replace(response, cache_hit=True) if readers.read_cache_hit(logging) else response

    def _priced(self, cost: Cost | None, usage: Usage | None, result: object, logging: object) -> Cost | None:
        """Return the cost with its parts. If LiteLLM has not priced the result, it does so here, which takes a
        millisecond.
        """
        if usage is None or not self.is_recorded:
            return cost
        if cost is None or not cost.total:
            cost = self._api_format.price(result, logging) or readers.price_cached_response(result, logging) or cost
        return cost and readers.with_cost_parts(cost, usage, logging)
