"""Hooks of the functions that LiteLLM calls inside a call. Each records one fact about the current invocation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from functools import wraps
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.background import KNOWN, mark_as_known
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.finished_call import read_result, read_target
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.invocation.nesting import call_in, is_suppressed, nested_responses_of, step_in
from agentops_otel_litellm.patching.callbacks import ApplicationContext
from agentops_otel_litellm.patching.wrapping import Function, Recording, current_call, hook

_MARKING = guard("marking LiteLLM's logging object as known")

# --- LiteLLM's logging object -------------------------------------------------------------------------------


@hook("recording LiteLLM's logging object", in_any_operation=True)
def record_logging_object(invocation: Invocation) -> Recording:
    """Record the logging object of a call, in which LiteLLM keeps the model, provider and cost that it resolves.

    An operation around calls, such as a route, has a logging object only if LiteLLM made it for the traced function
    itself.
    """
    result, _error = yield
    logging = result[0] if isinstance(result, tuple) else None
    if logging is None or readers.is_of_a_tool(logging):
        return
    if not invocation.calls_a_model:
        if invocation.logging is not None or not invocation.operation.is_logged_as(getattr(logging, "call_type", None)):
            return
        mark_as_known(logging)
    if invocation.first_logging is None:
        invocation.first_logging = logging
    invocation.logging = logging


def wrap_logging_init(init: Function) -> Function:
    """Wrap the constructor of LiteLLM's logging object, to mark the objects of calls that are traced or suppressed."""

    @wraps(init)
    def traced_init(logging: object, *args: object, **kwargs: object) -> None:
        init(logging, *args, **kwargs)
        try:
            context = get_current()
            if context and (call_in(context) is not None or is_suppressed(context)):
                mark_as_known(logging)
        except Exception as fault:  # must not reach the application
            log_fault("marking LiteLLM's logging object as known", fault)

    return traced_init


def wrap_scoped_copy(scoped_copy: Function) -> Function:
    """Wrap LiteLLM's copying of a logging object for one attempt or guardrail: the copy belongs to the same call."""

    @wraps(scoped_copy)
    def traced_copy(logging: object, *args: object, **kwargs: object) -> object:
        copy = scoped_copy(logging, *args, **kwargs)
        with _MARKING:
            if logging in KNOWN:
                mark_as_known(copy)
        return copy

    return traced_copy


@hook("recording LiteLLM's translation of a request")
def record_translation(invocation: Invocation) -> Recording:
    """Record the messages into which LiteLLM translates a request, for a provider that has only a chat API."""
    translated, error = yield
    if error is None and isinstance(translated, dict):
        invocation.translation = readers.read_messages(translated)


# --- attempts -----------------------------------------------------------------------------------------------


def wrap_input_logging(log: Function) -> Function:
    """Wrap a method with which LiteLLM runs callbacks before a request to a provider, or after its response."""

    @wraps(log)
    def traced_log(*args: object, **kwargs: object) -> object:
        if not getattr(sys.modules.get("litellm"), "input_callback", None):
            return log(*args, **kwargs)
        with ApplicationContext():
            return log(*args, **kwargs)

    return traced_log


@hook("recording an attempt", "self")
def record_attempt(invocation: Invocation, logging: object) -> Recording:
    """Record that LiteLLM sends a request to a provider: an attempt begins, unless one is open.

    If LiteLLM has received a response in the open attempt, that attempt ended when the response was received.
    """
    _result, error = yield
    if error is not None or readers.is_of_a_tool(logging):
        return
    nested = invocation.nested
    if nested is not None and nested.latest_at is not None:
        invocation.attempts.end(nested.latest_at, read_target(invocation))
        nested.latest_at = None
    invocation.attempts.begin()


@hook("recording an attempt's failure", "original_exception")
def record_failed_attempt(invocation: Invocation, original: object) -> Recording:
    """Record that an attempt failed.

    LiteLLM calls the hooked function for each failed request. The function maps the provider's exception to an
    exception of LiteLLM's, which it raises or returns.
    """
    at = perf_counter()
    returned, raised = yield
    error = raised if isinstance(raised, Exception) else returned
    if isinstance(error, BaseException):
        invocation.attempts.add_mapped_error(error, original, at, read_target(invocation))


@hook("recording an attempt's failure")
def record_retry(invocation: Invocation) -> Recording:
    """Record that LiteLLM retries a call, and end the failed attempt.

    After a failed request, LiteLLM has mapped the exception, and `record_failed_attempt` has ended the attempt. If
    LiteLLM retries because it has rejected a response, it has mapped none, so the attempt is ended here, with the
    exception that LiteLLM is handling.
    """
    error, attempts = sys.exc_info()[1], invocation.attempts
    if error is not None and attempts.is_open:
        attempts.fail(error, perf_counter(), read_target(invocation))
    yield


@hook("recording an attempt's failure", "self")
def record_client_retry(invocation: Invocation, client: object) -> Recording:
    """Hook of the function with which OpenAI's client waits before a retry: the attempt before it has failed, and a new
    one begins after it. LiteLLM lets this client retry by itself.

    A client that sends its requests to a different server belongs to a callback.
    """
    error, attempts, target = sys.exc_info()[1], invocation.attempts, read_target(invocation)
    if error is None or not attempts.is_open or not readers.is_client_of(client, target):
        return
    attempts.fail(error, perf_counter(), target, readers.read_client_failure(client, error))
    _result, interrupted = yield
    if interrupted is None:
        attempts.begin()


# --- the Router's cooldowns ---------------------------------------------------------------------------------


@hook("recording a deployment's cooldown", "self", "cooldown_time")
def record_cooldown(invocation: Invocation, cache: object, cooldown_time: object) -> Recording:
    """Record that the Router puts the deployment that has just failed into cooldown."""
    invocation.cooldown_time = readers.read_cooldown_time({"self": cache, "cooldown_time": cooldown_time})
    yield


@hook("recording a deployment's cooldown", "events", in_any_operation=True)
def record_cooldown_decision(route: Invocation, events: object) -> Recording:
    """Record whether the Router's Rust core puts a deployment into cooldown.

    The core reports events. The first events after a failed attempt show the decision about its deployment.
    """
    if events and route.settles_attempts:
        route.settle_attempt(*readers.read_cooldown(events))
    yield


# --- responses and usage ------------------------------------------------------------------------------------


@hook("recording the usage that LiteLLM calculated")
def record_estimated_usage(invocation: Invocation) -> Recording:
    """Record that LiteLLM estimates the usage at the end of a stream."""
    estimate, error = yield
    if error is None:
        invocation.is_usage_estimated, invocation.calculated_usage = True, estimate


@hook("recording the usage that LiteLLM calculated")
def record_calculated_usage(invocation: Invocation) -> Recording:
    """Record the usage of a finished stream that LiteLLM calculates: the provider's counts, or its own estimate."""
    usage, error = yield
    if error is None:
        invocation.calculated_usage = usage


@hook("recording a partly cached response", "embedding_response")
def record_partial_cache_hit(invocation: Invocation, response: object) -> Recording:
    """Record the provider's response if LiteLLM combines it with embeddings from its cache."""
    combined, error = yield
    if error is None and response is not None and combined is not response:
        invocation.provider_response = response


@hook("recording a response that LiteLLM replaced or rejected", "response")
def record_replaced_response(invocation: Invocation, response: object) -> Recording:
    """Record a response that a callback replaces. The provider has billed it, although the application does not get it.

    The replacement may be the response of a separate call that the callback made, which has a span of its own.
    """
    replacement, error = yield
    if response is not None and (error is not None or (replacement is not None and replacement is not response)):
        _add_replaced(invocation, response, is_rejected=False)


@hook("recording a response that LiteLLM replaced or rejected", "original_response")
def record_rejected_response(invocation: Invocation, response: object) -> Recording:
    """Record a response that LiteLLM rejects by the application's rules or schemas. The provider has billed it.

    LiteLLM discards the response, and may retry. The result of a retry replaces it.
    """
    _result, error = yield
    if isinstance(error, Exception):
        _add_replaced(invocation, response, is_rejected=True)


def _add_replaced(invocation: Invocation, response: object, *, is_rejected: bool) -> None:
    """Add a response that LiteLLM replaces or rejects, so that the application does not receive it."""
    step, nested = step_in(get_current(), invocation), nested_responses_of(invocation)
    if step is not None:
        step.add_replaced(response)
    elif not nested.has_latest:
        nested.add_replaced(invocation.api_format, response)
    nested.drop_latest(is_rejected=is_rejected)


# --- realtime sessions, whose results and errors LiteLLM does not return or raise ----------------------------

_RECORDING_SESSION = guard("recording a realtime session")
_TURNS: WeakKeyDictionary[object, list[object]] = WeakKeyDictionary()
"""Open session → the turns that LiteLLM has logged: one for each response, with its events. LiteLLM 1.110 needs this,
because its session objects do not keep the events.
"""
_SESSIONS = frozenset({"realtime", "responses_websocket"})


@hook("recording a realtime session", "self")
def record_session_end(invocation: Invocation, session: object) -> Recording:
    """Record the result of a session when LiteLLM stops forwarding its messages.

    For a session of the Responses API, the hooked function returns the provider's error, if there was one.
    """
    failure, _error = yield
    turns = _TURNS.pop(session, None)
    result = session if turns is None else readers.session_with_events(session, turns)
    _set_result(
        invocation,
        result,
        readers.read_session_end(session) or (failure if isinstance(failure, BaseException) else None),
    )


def record_turn(log_turn: Function) -> Function:
    """Record a turn of a session, which has the events of one response, when LiteLLM logs it in a task of its own."""

    @wraps(log_turn)
    def traced_log_turn(session: object, turn: object, *args: object, **kwargs: object) -> object:
        with _RECORDING_SESSION:
            _TURNS.setdefault(session, []).append(turn)
        return log_turn(session, turn, *args, **kwargs)

    return traced_log_turn


@hook("recording a realtime session")
def record_invalid_session_url(invocation: Invocation) -> Recording:
    """Record that the connection of a session cannot be made because its URL is invalid.

    A connection that is made in an operation other than a session belongs to a callback.
    """
    _result, error = yield
    if isinstance(error, Exception) and invocation.operation.name in _SESSIONS:
        _set_result(invocation, None, error)


def record_failed_connection(connect: Callable[..., Any]) -> Function:
    """Record that the connection of a session failed. LiteLLM does not raise that: it reports it on the application's
    socket.

    The wrapped method is `connect.__await__`, which makes the connection whether LiteLLM awaits `connect()` or uses it
    in `async with`.
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
    """Set a result, or an error, that LiteLLM neither returns nor raises."""
    if result is not None:
        invocation.unreturned_facts = read_result(invocation, result)
    invocation.error = error
