"""Wrappers that record LiteLLM's attempts at a call, the errors that end them, retries, and the Router's cooldowns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.attempts import AttemptTracker
from agentops_otel_litellm.invocation.invocation import invocation_in
from agentops_otel_litellm.operations import by_name, parameter_names
from agentops_otel_litellm.patching.hooks import current_state

Function = Callable[..., Any]

_RECORDING_ATTEMPT = guard("recording an attempt")
_RECORDING_FAILURE = guard("recording an attempt's failure")
_RECORDING_COOLDOWN = guard("recording a deployment's cooldown")


def record_attempt(pre_call: Function) -> Function:
    """Record that LiteLLM sends a request to a provider."""

    @wraps(pre_call)
    def traced_pre_call(logging: object, *args: object, **kwargs: object) -> object:
        result = pre_call(logging, *args, **kwargs)
        with _RECORDING_ATTEMPT:
            state = current_state()
            if state is not None and not readers.is_of_a_tool(logging):
                state.begin_attempt()
        return result

    return traced_pre_call


def record_failed_attempt(exception_type: Function) -> Function:
    """Record that an attempt failed.

    LiteLLM calls `exception_type` for each failed request. The function maps the provider's exception to an exception
    of LiteLLM's, which it raises or returns.
    """
    names = parameter_names(exception_type)

    def record(error: BaseException, args: tuple[object, ...], kwargs: dict[str, object], at: float) -> None:
        with _RECORDING_FAILURE:
            state = current_state()
            if state is not None:
                original = by_name(names, args, kwargs).get("original_exception")
                state.attempts.add_mapped_error(error, original, at, state.target())

    @wraps(exception_type)
    def traced_exception_type(*args: object, **kwargs: object) -> object:
        at = perf_counter()
        try:
            error = exception_type(*args, **kwargs)
        except Exception as raised:
            record(raised, args, kwargs, at)
            raise
        if isinstance(error, BaseException):
            record(error, args, kwargs, at)
        return error

    return traced_exception_type


def record_retry(with_retries: Function) -> Function:
    """Record that LiteLLM retries a call, and end the failed attempt.

    After a failed request, LiteLLM has called `exception_type`, and `record_failed_attempt` has ended the attempt. If
    LiteLLM retries because it has rejected a response, it has not called `exception_type`, so the attempt is ended
    here, with the exception that LiteLLM is handling.
    """

    @wraps(with_retries)
    def traced_with_retries(*args: object, **kwargs: object) -> object:
        _fail_attempt()
        return with_retries(*args, **kwargs)

    return traced_with_retries


def record_retry_async(with_retries: Function) -> Function:
    """Record that LiteLLM retries an asynchronous call, as `record_retry` does."""

    @wraps(with_retries)
    async def traced_with_retries(*args: object, **kwargs: object) -> object:
        _fail_attempt()
        return await with_retries(*args, **kwargs)

    return traced_with_retries


def record_client_retry(sleep_for_retry: Function) -> Function:
    """Wrap the function with which OpenAI's client waits before a retry: the attempt before it has failed, and a new
    one begins after it. LiteLLM lets this client retry by itself.
    """

    @wraps(sleep_for_retry)
    def traced_sleep_for_retry(client: object, *args: object, **kwargs: object) -> object:
        attempts = _fail_attempt(client)
        result = sleep_for_retry(client, *args, **kwargs)
        _begin_attempt(attempts)
        return result

    return traced_sleep_for_retry


def record_client_retry_async(sleep_for_retry: Function) -> Function:
    """Wrap the same function of OpenAI's asynchronous client."""

    @wraps(sleep_for_retry)
    async def traced_sleep_for_retry(client: object, *args: object, **kwargs: object) -> object:
        attempts = _fail_attempt(client)
        result = await sleep_for_retry(client, *args, **kwargs)
        _begin_attempt(attempts)
        return result

    return traced_sleep_for_retry


def _fail_attempt(client: object = None) -> AttemptTracker | None:
    """End the current attempt with the exception that LiteLLM, or OpenAI's `client`, is handling.

    Return the attempts of the call; `None` if there was no attempt to end.
    """
    with _RECORDING_FAILURE:
        state, error = current_state(), sys.exc_info()[1]
        if state is None or error is None:
            return None
        if not state.attempts.is_open or not (client is None or readers.is_client_of(client, state.target())):
            return None  # the client of a callback
        failure = None if client is None else readers.read_client_failure(client, error)
        state.attempts.fail(error, perf_counter(), state.target(), failure)
        return state.attempts
    return None


def _begin_attempt(attempts: AttemptTracker | None) -> None:
    with _RECORDING_ATTEMPT:
        if attempts is not None:
            attempts.begin()


def record_cooldown(add_deployment_to_cooldown: Function) -> Function:
    """Record that the Router puts the deployment that has just failed into cooldown."""
    names = parameter_names(add_deployment_to_cooldown)

    @wraps(add_deployment_to_cooldown)
    def traced_add_deployment_to_cooldown(*args: object, **kwargs: object) -> object:
        with _RECORDING_COOLDOWN:
            state = current_state()
            if state is not None:
                state.cooldown_time = readers.read_cooldown_time(by_name(names, args, kwargs))
        return add_deployment_to_cooldown(*args, **kwargs)

    return traced_add_deployment_to_cooldown


def record_cooldown_decision(take_events: Function) -> Function:
    """Record whether the Router's Rust core puts a deployment into cooldown.

    The core reports events. The first events after a failed attempt show the decision about its deployment.
    """

    @wraps(take_events)
    def traced_take_events(driver: object, events: object, *args: object, **kwargs: object) -> object:
        with _RECORDING_COOLDOWN:
            route = invocation_in(get_current()) if events else None
            if route is not None and route.settles_attempts:
                route.settle_attempt(*readers.read_cooldown(events))
        return take_events(driver, events, *args, **kwargs)

    return traced_take_events
