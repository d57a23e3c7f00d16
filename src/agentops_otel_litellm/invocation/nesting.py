"""How calls are nested: whether a call is a part of the call in progress, and the results inside a call.

`NestedResponses` has the usage and cost of a call for which LiteLLM made several requests, or nested calls.

Each token is recorded on exactly one span, so that sums over spans are what the providers billed. Two kinds of further
calls inside a call are distinguished:

- Steps. LiteLLM continues a call by calling itself: it translates the request, retries it, or runs a tool and sends a
  further request. It passes its logging object on and logs one call. Every response belongs to the call, whose usage
  and cost are the sums over all responses.
- Nested calls. LiteLLM, or a callback, makes a separate call, and its result becomes the result of the outer call.
  LiteLLM logs and prices the nested call separately, perhaps with a different model. The nested call has its own span,
  a child of the outer call's span. The outer span has the usage of the provider's response to the outer call, even
  though the application receives the nested result. (The nested usage is not added to the outer span, because a nested
  call cannot be distinguished from a call that a callback makes for its own purposes.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Token
from dataclasses import dataclass
from time import perf_counter
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING
from weakref import ref

from opentelemetry.context import Context, create_key

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.context import attach, detach, get_current
from agentops_otel_litellm.invocation.finished_call import ResponseFacts, read_one_of_several
from agentops_otel_litellm.invocation.stream_proxy import unwrapped

if TYPE_CHECKING:
    from agentops_otel_litellm.invocation.invocation import Invocation
    from agentops_otel_litellm.operations import Operation


Parameters = Mapping[str, object]
IsNested = Callable[["Operation", Parameters, "Invocation"], bool]
"""Function: operation and arguments of a new call, current invocation → whether the call is a part of the current one.
"""


# --- whether a call is a part of the invocation in progress --------------------------------------------------


def is_continuation(kwargs: Parameters, current: Invocation) -> bool:
    """Whether LiteLLM calls one of its functions with `kwargs` to continue `current`, a model call in progress.

    There are three signs: LiteLLM passes a logging object, it has not created one for `current` yet, or it passes the
    messages into which it has translated the request of `current`.
    """
    if not current.calls_a_model:
        return False
    if current.logging is None or readers.read_logging_object(kwargs) is not None:
        return True
    return current.translation is not None and readers.read_messages(kwargs) is current.translation


def is_part_of_call(operation: Operation, kwargs: Parameters, current: Invocation) -> bool:
    """Whether LiteLLM continues the call in progress, or an operation around calls, such as a batch, calls itself."""
    return is_continuation(kwargs, current) or (
        not operation.calls_a_model and is_inside_same_operation(operation, kwargs, current)
    )


def is_inside_same_operation(operation: Operation, _kwargs: Parameters, current: Invocation) -> bool:
    return current.operation.name == operation.name


def is_batch_of_one_call(_operation: Operation, kwargs: Parameters, current: Invocation) -> bool:
    """Whether `completion` calls the batch function, because the application has passed it a `model_list`."""
    return readers.is_of_model_list(kwargs) and current.calls_a_model


def is_fallback(_operation: Operation, kwargs: Parameters, current: Invocation) -> bool:
    """Whether the Router calls itself for a fallback of the route in progress. Other calls inside a route, such as the
    call of a model that chooses the deployment, are not fallbacks.
    """
    return readers.read_fallback_depth(kwargs) > 0 and current.operation.name == "route"


# --- the results inside a call ----------------------------------------------------------------------------


RecordFailure = Callable[[Exception, "Mapping[str, object]"], None]
"""A function that records a failed attempt, from the exception and the arguments of LiteLLM's function."""

_STEP = create_key("agentops_otel_litellm.step")
_RECORDING_RESULT = guard("recording one of several results")
_TOTAL_COUNTS = frozenset({"input", "output", "total"})
"""The totals of a usage. The other counts, such as `cache_read`, are parts of these."""


@dataclass(slots=True)
class _OwnResult:
    """A result of the traced call itself, not of a nested call, which has its own span."""

    api_format: readers.ApiFormat
    result: object
    """The response, or the accumulator of a stream's chunks."""
    facts: ResponseFacts | None = None
    is_rejected: bool = False
    """Whether LiteLLM has rejected the result, and may retry."""


class NestedResponses:
    """The results of one call, and the results of its nested calls, which LiteLLM may return in their place."""

    __slots__ = (
        "_invocation",
        "_is_result_nested",
        "_nested_ids",
        "_nested_results",
        "_own",
        "is_answered_by_nested_call",
        "is_replaced",
        "latest_at",
        "steps",
    )

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._own: list[_OwnResult] = []
        self._nested_results: list[Callable[[], object]] = []
        """References to the results of nested calls. They are weak, so that a dropped stream can be collected."""
        self._nested_ids: set[str] = set()
        """The response ids of nested calls."""
        self._is_result_nested = False
        """Whether the application receives the result of a nested call."""
        self.steps: set[Step] = set()
        """The steps in progress; a set, because a counter would not be thread-safe. A step that is in progress when the
        call ends runs in a thread that LiteLLM did not wait for, so its result is unknown.
        """
        self.is_replaced = False
        """Whether LiteLLM returned a different result instead of one of the call's own results."""
        self.is_answered_by_nested_call = False
        """Whether a nested call produced the only result, so that the nested call's span has the usage. Set when the
        call has ended.
        """
        self.latest_at: float | None = None
        """When the latest result was received; `None` if LiteLLM has sent a further request since."""

    def add(self, api_format: readers.ApiFormat, result: object) -> None:
        """Add a result that LiteLLM has received, unless it is the result of a nested call.

        If there are several results, they are read immediately, because LiteLLM may change them later.
        """
        if self.is_of_nested_call(result):
            return
        self._own.append(_OwnResult(api_format, _readable(api_format, result)))
        self.latest_at = perf_counter()
        if len(self._own) > 1:
            for own in self._own:
                self._read_own(own)

    def add_replaced(self, api_format: readers.ApiFormat, result: object) -> None:
        """Add a result that LiteLLM replaces or rejects, unless it is the result of a nested call."""
        if not self.is_of_nested_call(result):
            self._own.append(_OwnResult(api_format, _readable(api_format, result)))
            self._read_own(self._own[-1])

    def add_nested_result(self, result: object) -> None:
        """Add the result of a nested call."""
        self._nested_results.append(_reference(result))
        id_ = readers.read_id(result)
        if id_ is not None:
            self._nested_ids.add(id_)

    def add_nested_response(self, response: Response | None) -> None:
        """Add the response id of a nested call that has ended. For a stream, the id is known only then."""
        if response is not None and response.id is not None:
            self._nested_ids.add(response.id)

    def is_of_nested_call(self, result: object) -> bool:
        """Whether a nested call returned this result, or a result with the same response id."""
        if not self._nested_results:
            return False
        result = unwrapped(result)
        return any(each() is result for each in self._nested_results) or readers.read_id(result) in self._nested_ids

    def mark_latest(self, *, is_rejected: bool) -> None:
        """Mark the latest result as rejected, in which case LiteLLM may retry, or as replaced by a different result."""
        if not is_rejected:
            self.is_replaced = True
        elif self._own:
            self._own[-1].is_rejected = True

    @property
    def has_latest(self) -> bool:
        """Whether the result that LiteLLM is processing was added already, at the end of a step."""
        return bool(self._own) and not self._own[-1].is_rejected

    def set_result(self, result: object) -> None:
        """Set the result that the application receives, to find out whether it is the result of a nested call."""
        self._is_result_nested = self.is_of_nested_call(result)

    def set_final_result(self, api_format: readers.ApiFormat, result: object) -> None:
        """Set the result that the application receives, which is not a stream.

        If LiteLLM has rejected the latest result and retried without calling one of its own functions (a step), nothing
        has added the result of the retry yet, so it is added here.
        """
        self.set_result(result)
        if self._own and self._own[-1].is_rejected:
            self.add(api_format, result)

    def combine(self, last: ResponseFacts, *, failed: bool) -> ResponseFacts:
        """Return the response, usage and cost to record for the call.

        `last` was read from the result that the application receives. `failed` is whether the call has failed, so that
        the application receives no result.
        """
        response = last[0]
        is_nested = self._is_result_nested or (response is not None and response.id in self._nested_ids)
        if self.steps:  # the result of a step is unknown, and so are the sums
            return response, None, None
        # If the call has only the result that the application receives, there is nothing to sum.
        if not self._own or not (self.is_replaced or failed or len(self._own) > 1):
            self.is_answered_by_nested_call = is_nested
            return (response, None, None) if is_nested else last
        for own in self._own:
            self._read_own(own, at_end=True)
        all_facts = [own.facts for own in self._own if own.facts is not None]
        billed = [facts for facts in all_facts if not _is_cached(facts)]
        return (
            all_facts[-1][0] if is_nested else response,
            _sum_of_usages([usage for _, usage, _ in billed]),
            _sum_of_costs([cost for *_, cost in billed]),
        )

    def release_streams(self) -> None:
        """Release LiteLLM's streams. The accumulators of their chunks keep what is read at the end of the call."""
        for own in self._own:
            if readers.is_chunks(own.result):
                own.result.release()

    def _read_own(self, own: _OwnResult, *, at_end: bool = False) -> None:
        """Read a result, if it was not read before. A stream is read only when the call has ended."""
        if own.facts is None and (at_end or not readers.is_chunks(own.result)):
            own.facts = read_one_of_several(self._invocation, own.api_format, own.result)


class Step:
    """A block in which LiteLLM continues a call by calling one of its own functions.

    The result of that function is added to the `NestedResponses` of the call, unless a step within this step has added
    the same result.
    """

    __slots__ = (
        "_api_format",
        "_context",
        "_has_result",
        "_invocation",
        "_kwargs",
        "_outer_step",
        "_record_failure",
        "_token",
    )

    def __init__(
        self,
        invocation: Invocation,
        api_format: readers.ApiFormat,
        context: Context,
        record_failure: RecordFailure,
        kwargs: Mapping[str, object],
    ) -> None:
        self._invocation, self._api_format = invocation, api_format
        self._outer_step = step_in(context, invocation)
        self._context: Context | None = Context({**context, _STEP: self})
        self._record_failure, self._kwargs = record_failure, kwargs
        self._has_result = False

    def __enter__(self) -> None:
        nested_responses_of(self._invocation).steps.add(self)
        self._token: Token[Context] | None = None if self._context is None else attach(self._context)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        # Code inside the step may have attached a context of its own, which must not be detached here.
        if self._token is not None and get_current() is self._context:
            detach(self._token)
        if self._invocation.nested is not None:
            self._invocation.nested.steps.discard(self)
        if isinstance(error, Exception):
            self._record_failure(error, self._kwargs)
        # The context refers to this step, so this breaks a reference cycle.
        self._context, self._token, self._kwargs = None, None, {}

    def add_result(self, result: object) -> None:
        """Add the result of the step's function to the results of the call."""
        nested = self._invocation.nested  # `None` if the call has ended, because LiteLLM did not wait for this step
        if nested is not None and self._api_format.counts_tokens and not self._has_result:
            with _RECORDING_RESULT:
                if isinstance(result, CoroutineType):  # the outer function that awaits it has the result
                    return
                nested.add(self._api_format, result)
                self._mark_outer_steps()

    def is_of(self, invocation: Invocation) -> bool:
        return self._invocation is invocation

    def add_replaced(self, result: object) -> None:
        """Add a result that LiteLLM replaces or rejects, unless a step within this step has added it."""
        if not self._has_result:
            nested_responses_of(self._invocation).add_replaced(self._api_format, result)
        self._has_result = True
        self._mark_outer_steps()

    def _mark_outer_steps(self) -> None:
        """Mark the steps around this step as having a result. Their functions return the same result, so that it would
        be added several times.
        """
        step = self._outer_step
        while step is not None:
            step._has_result = True  # noqa: SLF001 - same class
            step = step._outer_step  # noqa: SLF001 - same class


def step_in(context: Mapping[str, object], invocation: Invocation) -> Step | None:
    """The current step in a context, if it is a step of the invocation's call; otherwise `None`."""
    step = context.get(_STEP)
    return step if isinstance(step, Step) and step.is_of(invocation) else None


def nested_responses_of(invocation: Invocation) -> NestedResponses:
    """The `NestedResponses` of the invocation. They are created at the first further call or result inside the call."""
    if invocation.nested is None:
        invocation.nested = NestedResponses(invocation)
    return invocation.nested


def _readable(api_format: readers.ApiFormat, result: object) -> object:
    """The accumulator of a stream's chunks, or the response itself."""
    return api_format.chunks(result) if readers.is_stream(result) else result


def _reference(thing: object) -> Callable[[], object]:
    """A weak reference; for an object that cannot be referenced weakly, a function that returns it."""
    try:
        return ref(thing)
    except TypeError:  # for instance a dict
        return lambda: thing


def _is_cached(facts: ResponseFacts) -> bool | None:
    response = facts[0]
    return response is not None and response.cache_hit


def _sum_of_usages(usages: list[Usage | None]) -> Usage | None:
    """The sum of the usages; `None` if one of them is unknown, or if there are none.

    A total that one of the usages lacks is left out, because the sum would be too low. A missing part of a total, such
    as `cache_read`, counts as 0, because many providers omit a part that is 0.
    """
    known = [vars(usage) for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    names = dict.fromkeys(name for counts in known for name in counts)
    return Usage(
        **{
            name: sum(counts.get(name, 0) for counts in known)
            for name in names
            if name not in _TOTAL_COUNTS or all(name in counts for counts in known)
        }
    )


def _sum_of_costs(costs: list[Cost | None]) -> Cost | None:
    """The sum of the costs; `None` if there are none, or if one of them is unknown. A cost of 0 is unknown, too,
    because LiteLLM may report 0 if it has no price, unless it is certain.
    """
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs) or not all(cost.total or cost.certain for cost in known):
        return None
    return Cost(
        total=sum(cost.total for cost in known),
        source=known[0].source,
        per_unit=any(cost.per_unit for cost in known) or None,
        certain=all(cost.certain for cost in known) or None,
    )
