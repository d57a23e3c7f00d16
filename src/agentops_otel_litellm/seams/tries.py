"""LiteLLM's tries to have a call served, told to the call's observation: one begins, fails, or is made again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.attempts import AttemptsSoFar
from agentops_otel_litellm.observing.observation import observation_in
from agentops_otel_litellm.operations import by_name, parameter_names
from agentops_otel_litellm.seams.signals import account_observed

Function = Callable[..., Any]

_TAKING_ATTEMPT = guard("taking an attempt")
_TAKING_FAILURE = guard("taking an attempt's failure")
_TAKING_COOLDOWN = guard("taking a deployment's cooldown")


def attempt_begins(pre_call: Function) -> Function:
    """LiteLLM turns to a provider."""

    @wraps(pre_call)
    def told(logging: object, *args: object, **kwargs: object) -> object:
        result = pre_call(logging, *args, **kwargs)
        with _TAKING_ATTEMPT:
            account = account_observed()
            if account is not None and not readers.is_of_a_tool(logging):
                account.turns_to_a_provider()
        return result

    return told


def attempt_failed(exception_type: Function) -> Function:
    """LiteLLM makes its own exception of one that ended an attempt; it may return that or raise it."""
    names = parameter_names(exception_type)

    def tell(error: BaseException, args: tuple[object, ...], kwargs: dict[str, object], at: float) -> None:
        with _TAKING_FAILURE:
            account = account_observed()
            if account is not None:
                given = by_name(names, args, kwargs)
                account.attempts.error_made(error, given.get("original_exception"), at, account.target())

    @wraps(exception_type)
    def told(*args: object, **kwargs: object) -> object:
        at = perf_counter()
        try:
            error = exception_type(*args, **kwargs)
        except Exception as raised:
            tell(raised, args, kwargs, at)
            raise
        if isinstance(error, BaseException):
            tell(error, args, kwargs, at)
        return error

    return told


def call_is_retried(with_retries: Function) -> Function:
    """LiteLLM tries a call again. It may not have liked the answer, of which nothing was made that it would map."""

    @wraps(with_retries)
    def told(*args: object, **kwargs: object) -> object:
        _attempt_failed()
        return with_retries(*args, **kwargs)

    return told


def call_is_retried_async(with_retries: Function) -> Function:
    """The same, of an asynchronous call."""

    @wraps(with_retries)
    async def told(*args: object, **kwargs: object) -> object:
        _attempt_failed()
        return await with_retries(*args, **kwargs)

    return told


def client_retries(sleep_for_retry: Function) -> Function:
    """OpenAI's client, which LiteLLM also leaves its own `num_retries` to, waits before it tries again."""

    @wraps(sleep_for_retry)
    def told(client: object, *args: object, **kwargs: object) -> object:
        failed = _attempt_failed(client)
        waited = sleep_for_retry(client, *args, **kwargs)
        _tries_again(failed)
        return waited

    return told


def client_retries_async(sleep_for_retry: Function) -> Function:
    """The same, of the asynchronous client."""

    @wraps(sleep_for_retry)
    async def told(client: object, *args: object, **kwargs: object) -> object:
        failed = _attempt_failed(client)
        waited = await sleep_for_retry(client, *args, **kwargs)
        _tries_again(failed)
        return waited

    return told


def _attempt_failed(client: object = None) -> AttemptsSoFar | None:
    """With the exception that is being handled right now: LiteLLM's, or that of OpenAI's `client`. Whose it was."""
    with _TAKING_FAILURE:
        account, error = account_observed(), sys.exc_info()[1]
        if account is None or error is None:
            return None
        if not account.attempts.under_way or not (client is None or readers.asks(client, account.target())):
            return None  # a callback may have a client of its own
        failure = None if client is None else readers.read_client_failure(client, error)
        account.attempts.fail(error, perf_counter(), account.target(), failure)
        return account.attempts
    return None


def _tries_again(attempts: AttemptsSoFar | None) -> None:
    with _TAKING_ATTEMPT:
        if attempts is not None:
            attempts.begin()


def deployment_cools_down(add_deployment_to_cooldown: Function) -> Function:
    """The Router sets the deployment aside that failed just now."""
    names = parameter_names(add_deployment_to_cooldown)

    @wraps(add_deployment_to_cooldown)
    def told(*args: object, **kwargs: object) -> object:
        with _TAKING_COOLDOWN:
            account = account_observed()
            if account is not None:
                account.cooldown_time = readers.read_cooldown_time(by_name(names, args, kwargs))
        return add_deployment_to_cooldown(*args, **kwargs)

    return told


def router_decides(take_events: Function) -> Function:
    """The Router's Rust core reports what it does next. By the first report after a failed attempt, it has decided
    whether the deployment cools down.
    """

    @wraps(take_events)
    def traced_take_events(driver: object, events: object, *args: object, **kwargs: object) -> object:
        with _TAKING_COOLDOWN:
            context = get_current()
            route = observation_in(context) if events else None
            if route is not None and route.settles_attempts:
                route.settle(*readers.read_cooldown(events))
        return take_events(driver, events, *args, **kwargs)

    return traced_take_events
