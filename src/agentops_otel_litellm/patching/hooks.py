"""Hooks: wrappers of functions that LiteLLM calls inside a call. Each records one fact about the current call.

A `hook_after` runs after LiteLLM's function. In any other hook, the code before `yield` runs before the function, and
`yield` returns the function's result and exception (see `wrapping.py`). The rows of `patch_points.py` have the
functions that each hook wraps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import wraps
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from agentops_otel_litellm import readers
from agentops_otel_litellm.background import KNOWN, mark_as_known
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.context import (
    CURRENT,
    call_in,
    get_current,
    is_suppressed,
    suppressed,
)
from agentops_otel_litellm.invocation.finished_call import read_result, read_target
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.invocation.nesting import nested_responses_of, step_in
from agentops_otel_litellm.patching.callbacks import ApplicationContext
from agentops_otel_litellm.patching.other_instrumentations import is_left_out
from agentops_otel_litellm.patching.wrapping import Function, Outcome, Recording, current_call, hook, hook_after

_MARKING = guard("marking LiteLLM's logging object as known")
_RECORDING_COOLDOWN = guard("recording a deployment's cooldown")

# --- LiteLLM's logging object -------------------------------------------------------------------------------


@hook_after("recording LiteLLM's logging object", in_any_operation=True)
def record_logging_object(invocation: Invocation, outcome: Outcome) -> None:
    """Record LiteLLM's logging object of a call. LiteLLM stores the model, provider and cost in it.

    The wrapped function returns a tuple that begins with the logging object.
    """
    result = outcome[0]
    logging = result[0] if isinstance(result, tuple) else None
    if logging is None or readers.is_of_a_tool(logging):
        return
    if not invocation.calls_a_model:
        # In an operation around calls, such as a route, the object may be for a call inside it.
        if invocation.logging is not None or not invocation.operation.is_logged_as(getattr(logging, "call_type", None)):
            return
        mark_as_known(logging)
    if invocation.first_logging is None:
        invocation.first_logging = logging
    invocation.logging = logging


def wrap_logging_init(init: Function) -> Function:
    """Wrap the constructor of LiteLLM's logging object. Inside a traced call, or if the call must not be
    recorded, the object is marked as known, so that the backstop does not record the call.
    """

    @wraps(init)
    def traced_init(logging: object, *args: object, **kwargs: object) -> None:
        init(logging, *args, **kwargs)
        try:
            context = get_current()
            if context and (call_in(context) is not None or is_suppressed(context) or is_left_out(context)):
                mark_as_known(logging)
        except Exception as fault:  # must not reach the application
            log_fault("marking LiteLLM's logging object as known", fault)

    return traced_init


def wrap_scoped_copy(scoped_copy: Function) -> Function:
    """Wrap the method with which LiteLLM copies a logging object for one attempt or guardrail of a call. The copy of an
    object that is marked as known is marked as well.
    """

    @wraps(scoped_copy)
    def traced_copy(logging: object, *args: object, **kwargs: object) -> object:
        copy = scoped_copy(logging, *args, **kwargs)
        with _MARKING:
            if logging in KNOWN:
                mark_as_known(copy)
        return copy

    return traced_copy


def wrap_batch_accounting(account: Callable[..., Coroutine[object, object, object]]) -> Function:
    """Wrap the function with which LiteLLM fetches the results of a finished batch, to add up what the batch cost.

    LiteLLM calls it in the background, after the application's call. If the event loop of that call has been closed,
    LiteLLM calls it when the interpreter exits, without the context of the call, and the fetch cannot succeed any more.
    Then it has no span, because the application has not made it.
    """

    @wraps(account)
    async def traced_account(*args: object, **kwargs: object) -> object:
        if get_current().get(CURRENT) is not None:
            return await account(*args, **kwargs)
        with suppressed():
            return await account(*args, **kwargs)

    return traced_account


@hook_after("recording LiteLLM's translation of a request")
def record_translation(invocation: Invocation, outcome: Outcome) -> None:
    """Record the chat messages into which LiteLLM translates a `generate_content` request, if the provider has only a
    chat API. The call of `completion` with these messages is then recognised as a part of the call.
    """
    translated, _error = outcome
    if isinstance(translated, dict):
        invocation.translation = readers.read_messages(translated)


# --- attempts -----------------------------------------------------------------------------------------------


def wrap_input_logging(log: Function) -> Function:
    """Wrap a method with which LiteLLM runs callbacks before a request to a provider, or after its response. The
    callbacks run in the application's context.
    """

    @wraps(log)
    def traced_log(*args: object, **kwargs: object) -> object:
        if not getattr(sys.modules.get("litellm"), "input_callback", None):
            return log(*args, **kwargs)
        with ApplicationContext():
            return log(*args, **kwargs)

    return traced_log


@hook_after("recording an attempt", "self")
def record_attempt(invocation: Invocation, outcome: Outcome, logging: object) -> None:
    """Record that LiteLLM sends a request to a provider: an attempt begins, unless one is in progress."""
    if outcome[1] is not None or readers.is_of_a_tool(logging):
        return
    nested = invocation.nested
    # If LiteLLM has received a response in the attempt, the attempt ended at that time.
    if nested is not None and nested.latest_at is not None:
        invocation.attempts.end(nested.latest_at, read_target(invocation))
        nested.latest_at = None
    if readers.is_sending_a_mock(logging):
        invocation.is_mocked = True
    invocation.attempts.begin(sends_request=not invocation.is_mocked)


@hook("recording an attempt's failure", "original_exception")
def record_failed_attempt(invocation: Invocation, original: object) -> Recording:
    """Record that an attempt failed.

    LiteLLM calls the wrapped function for each failed request, to map the provider's exception (`original`) to an
    exception of LiteLLM. The function raises or returns the mapped exception.
    """
    at = perf_counter()
    returned, raised = yield
    error = raised if isinstance(raised, Exception) else returned
    if isinstance(error, BaseException):
        invocation.attempts.add_mapped_error(error, original, at, read_target(invocation))


@hook("recording an attempt's failure")
def record_retry(invocation: Invocation) -> Recording:
    """When LiteLLM retries a call, end the failed attempt, unless it has ended.

    After a failed request, `record_failed_attempt` has ended the attempt. LiteLLM also retries if it has rejected a
    response. Then it maps no exception, so the attempt is ended here, with the exception that LiteLLM is handling.
    """
    error, attempts = sys.exc_info()[1], invocation.attempts
    if error is not None and attempts.is_open:
        attempts.fail(error, perf_counter(), read_target(invocation))
    yield


@hook("recording an attempt's failure", "self")
def record_client_retry(invocation: Invocation, client: object) -> Recording:
    """Record a retry that OpenAI's client makes by itself, without LiteLLM.

    The wrapped function waits before the retry. The attempt before it has failed, and a new one begins after it.
    """
    error, attempts, target = sys.exc_info()[1], invocation.attempts, read_target(invocation)
    # A callback may use a client of its own, with a different server.
    if error is None or not attempts.is_open or not readers.is_client_of(client, target):
        return
    attempts.fail(error, perf_counter(), target, readers.read_client_failure(client, error))
    _result, interrupted = yield
    if interrupted is None:  # the wait was not cancelled
        attempts.begin()


# --- the Router's cooldowns ---------------------------------------------------------------------------------


@hook("recording a deployment's cooldown", "self", "cooldown_time")
def record_cooldown(invocation: Invocation, cache: object, cooldown_time: object) -> Recording:
    """Record that the Router puts the deployment that has just failed into cooldown."""
    invocation.cooldown_time = readers.read_cooldown_time({"self": cache, "cooldown_time": cooldown_time})
    yield


def wrap_take_events(take_events: Function) -> Function:
    """Wrap the method with which the Router receives events from its Rust core, to record whether the core puts the
    deployment of a failed attempt into cooldown.

    The first events after a failed attempt show the decision: they contain a cooldown, or none was set. Each request
    has several groups of events, so this is not a hook, which would cost more.
    """

    @wraps(take_events)
    def traced_take_events(driver: object, events: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - LiteLLM's
        route: Any = get_current().get(CURRENT)
        if route is not None and route.unsettled is not None and events:
            with _RECORDING_COOLDOWN:
                route.settle_attempt(*readers.read_cooldown(events))
        return take_events(driver, events, *args, **kwargs)

    return traced_take_events


# --- responses and usage ------------------------------------------------------------------------------------


@hook_after("recording the usage that LiteLLM calculated")
def record_estimated_usage(invocation: Invocation, outcome: Outcome) -> None:
    """Record LiteLLM's estimate of a stream's usage. LiteLLM makes it if the provider reported none."""
    estimate, error = outcome
    if error is None:
        invocation.is_usage_estimated, invocation.calculated_usage = True, estimate


@hook_after("recording the usage that LiteLLM calculated")
def record_calculated_usage(invocation: Invocation, outcome: Outcome) -> None:
    """Record the usage that LiteLLM calculates for a finished stream, from the provider's counts or as an estimate."""
    usage, error = outcome
    if error is None:
        invocation.calculated_usage = usage


@hook_after("recording a partly cached response", "embedding_response")
def record_partial_cache_hit(invocation: Invocation, outcome: Outcome, response: object) -> None:
    """Record the provider's response, which LiteLLM combines with embeddings from its cache."""
    combined, error = outcome
    if error is None and response is not None and combined is not response:
        invocation.provider_response = response


def _is_replaced(result: object, error: BaseException | None, values: Sequence[object]) -> bool:
    """Whether a function that may replace its argument, a response, has replaced or lost it.

    Without a replacement, the function returns `None` or the response. If it raises, the response is lost.
    """
    (response,) = values
    return response is not None and (error is not None or (result is not None and result is not response))


@hook_after("recording a response that LiteLLM replaced", "response", when=_is_replaced)
def record_replaced_response(invocation: Invocation, _outcome: Outcome, response: object) -> None:
    """Record a response that a callback replaces. The provider bills it, although the application does not receive it.

    The replacement may be the response of a separate call, made by the callback, which has its own span.
    """
    _add_replaced(invocation, response, is_rejected=False)


def _has_failed(_result: object, error: BaseException | None, _values: Sequence[object]) -> bool:
    return isinstance(error, Exception)


@hook_after("recording a response that LiteLLM rejected", "original_response", when=_has_failed)
def record_rejected_response(invocation: Invocation, _outcome: Outcome, response: object) -> None:
    """Record a response that LiteLLM rejects, because it violates a rule or a schema of the application.

    The provider bills the response, although LiteLLM discards it. LiteLLM may retry the call.
    """
    _add_replaced(invocation, response, is_rejected=True)


def _add_replaced(invocation: Invocation, response: object, *, is_rejected: bool) -> None:
    """Record a response that the application does not receive, because LiteLLM rejects or replaces it.

    It is added to the results of the call, unless the end of a step has added it already, and is then marked as
    rejected, in which case LiteLLM may retry, or as replaced.
    """
    step, nested = step_in(get_current(), invocation), nested_responses_of(invocation)
    if step is not None:
        step.add_replaced(response)
    elif not nested.has_latest:
        nested.add_replaced(invocation.api_format, response)
    nested.mark_latest(is_rejected=is_rejected)


# --- realtime sessions: LiteLLM neither returns their results nor raises their errors -------------------------

_RECORDING_SESSION = guard("recording a realtime session")
_TURNS: WeakKeyDictionary[object, list[object]] = WeakKeyDictionary()
"""Open session of the Responses API → its turns so far. A turn has the events of one response. The turns are stored
here because the session object of LiteLLM 1.110 does not keep the events.
"""
_SESSIONS = frozenset({"realtime", "responses_websocket"})


@hook_after("recording a realtime session", "self")
def record_session_end(invocation: Invocation, outcome: Outcome, session: object) -> None:
    """Record the result and the error of a session, when LiteLLM stops forwarding its messages."""
    failure = outcome[0]  # in a session of the Responses API, this is the provider's error, if there was one
    turns = _TURNS.pop(session, None)
    result = session if turns is None else readers.session_with_events(session, turns)
    _set_result(
        invocation,
        result,
        readers.read_session_end(session) or (failure if isinstance(failure, BaseException) else None),
    )


def record_turn(log_turn: Function) -> Function:
    """Wrap the method with which LiteLLM logs one turn of a Responses API session: one response, with its events.

    The wrapper stores the turn. `record_session_end` reads the usage of the session from all its turns.
    """

    @wraps(log_turn)
    def traced_log_turn(session: object, turn: object, *args: object, **kwargs: object) -> object:
        with _RECORDING_SESSION:
            _TURNS.setdefault(session, []).append(turn)
        return log_turn(session, turn, *args, **kwargs)

    return traced_log_turn


@hook_after("recording a realtime session", when=_has_failed)
def record_invalid_session_url(invocation: Invocation, outcome: Outcome) -> None:
    """Record that a session failed because the URL of its connection is invalid. LiteLLM does not raise this error.

    The wrapped function is the constructor of a connection, `websockets.asyncio.client.connect.__init__`.
    """
    # In a call that is not a session, only a callback of the application can make a connection.
    if invocation.operation.name in _SESSIONS:
        _set_result(invocation, None, outcome[1])


def record_failed_connection(connect: Callable[..., Any]) -> Function:
    """Record that a session failed because its connection could not be made. LiteLLM does not raise this error, but
    reports it on the application's socket.

    The wrapped method is `connect.__await__`. It makes the connection both for `await connect()` and for
    `async with connect()`.
    """

    @wraps(connect)
    def traced_await(*args: object, **kwargs: object) -> Generator[object, object, object]:
        try:
            return (yield from connect(*args, **kwargs))
        except Exception as error:
            with _RECORDING_SESSION:
                invocation = current_call()
                if invocation is not None and invocation.operation.name in _SESSIONS:
                    _set_result(invocation, None, error)
            raise

    return traced_await


def _set_result(invocation: Invocation, result: object, error: BaseException | None) -> None:
    """Set the result and the error of a session, which LiteLLM neither returns nor raises."""
    if result is not None:
        invocation.unreturned_facts = read_result(invocation, result)
    invocation.error = error
