"""Wrappers of functions that LiteLLM calls inside a call; each records one fact in the state of the current call."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.call_state import CallState
from agentops_otel_litellm.invocation.invocation import Invocation, call_in, invocation_in, is_suppressed
from agentops_otel_litellm.invocation.logging_objects import mark_as_known
from agentops_otel_litellm.operations import by_name, parameter_names

Function = Callable[..., Any]

_RECORDING_LOGGING = guard("recording LiteLLM's logging object")
_RECORDING_REPLACED = guard("recording a response that LiteLLM replaced or rejected")
_RECORDING_TRANSLATION = guard("recording LiteLLM's translation of a request")
_RECORDING_USAGE = guard("recording the usage that LiteLLM calculated")
_RECORDING_CACHE_HIT = guard("recording a partly cached response")


def current_call() -> Invocation | None:
    """The invocation of the call that LiteLLM is working on, if it is traced."""
    context = get_current()
    return None if is_suppressed(context) else call_in(context)


def current_state() -> CallState | None:
    """The state of the call that LiteLLM is working on, if it is traced."""
    invocation = current_call()
    return None if invocation is None else invocation.state


def _current_state_logged_with(logging: object) -> CallState | None:
    """The state of the current operation, if LiteLLM logs that operation with this logging object.

    The operation may be one that calls no model, such as a route.
    """
    context = get_current()
    invocation = None if is_suppressed(context) else invocation_in(context)
    if invocation is None or not invocation.state.is_logged_with(logging):
        return None
    mark_as_known(logging)
    return invocation.state


def record_logging_object(function_setup: Function) -> Function:
    """Record the logging object of a call, in which LiteLLM keeps the model, provider and cost that it resolves."""

    @wraps(function_setup)
    def traced_function_setup(*args: object, **kwargs: object) -> object:
        result = function_setup(*args, **kwargs)
        with _RECORDING_LOGGING:
            if isinstance(result, tuple) and not readers.is_of_a_tool(result[0]):
                state = current_state() or _current_state_logged_with(result[0])
                if state is not None:
                    state.set_logging(result[0])
        return result

    return traced_function_setup


def record_translation(prepare_completion_kwargs: Function) -> Function:
    """Record the messages into which LiteLLM translates a request, for a provider that has only a chat API."""

    @wraps(prepare_completion_kwargs)
    def traced_prepare_completion_kwargs(*args: object, **kwargs: object) -> object:
        translated = prepare_completion_kwargs(*args, **kwargs)
        with _RECORDING_TRANSLATION:
            state = current_state()
            if state is not None:
                state.translation = readers.read_messages(translated)
        return translated

    return traced_prepare_completion_kwargs


def record_estimated_usage(estimate_usage: Function) -> Function:
    """Record that LiteLLM estimates the usage at the end of a stream."""

    @wraps(estimate_usage)
    def traced_estimate_usage(*args: object, **kwargs: object) -> object:
        estimate = estimate_usage(*args, **kwargs)
        with _RECORDING_USAGE:
            state = current_state()
            if state is not None:
                state.reader.usage_is_estimated, state.reader.calculated_usage = True, estimate
        return estimate

    return traced_estimate_usage


def record_calculated_usage(calculate_usage: Function) -> Function:
    """Record the usage of a finished stream that LiteLLM calculates: the provider's counts, or its own estimate."""

    @wraps(calculate_usage)
    def traced_calculate_usage(*args: object, **kwargs: object) -> object:
        usage = calculate_usage(*args, **kwargs)
        with _RECORDING_USAGE:
            state = current_state()
            if state is not None:
                state.reader.calculated_usage = usage
        return usage

    return traced_calculate_usage


def record_replaced_response(call_hooks: Function) -> Function:
    """Record a response that a callback replaces. The provider has billed it, although the application does not get it.

    The replacement may be the response of a separate call that the callback made, which has a span of its own.
    """
    names = parameter_names(call_hooks)

    def record(response: object) -> None:
        with _RECORDING_REPLACED:
            context = get_current()
            invocation = current_call()
            if response is not None and invocation is not None:
                invocation.state.add_replaced(response, context)

    @wraps(call_hooks)
    async def traced_call_hooks(*args: object, **kwargs: object) -> object:
        response = by_name(names, args, kwargs).get("response")
        try:
            replacement = await call_hooks(*args, **kwargs)
        except BaseException:
            record(response)
            raise
        if replacement is not None and replacement is not response:
            record(response)
        return replacement

    return traced_call_hooks


def record_rejected_response(post_call_processing: Function) -> Function:
    """Record a response that LiteLLM rejects by the application's rules or schemas. The provider has billed it."""
    names = parameter_names(post_call_processing)

    @wraps(post_call_processing)
    def traced_post_call_processing(*args: object, **kwargs: object) -> object:
        try:
            return post_call_processing(*args, **kwargs)
        except Exception:
            # LiteLLM discards the response, and may retry. The result of a retry replaces it.
            with _RECORDING_REPLACED:
                state = current_state()
                if state is not None:
                    response = by_name(names, args, kwargs).get("original_response")
                    state.add_replaced(response, get_current(), is_rejected=True)
            raise

    return traced_post_call_processing


def record_partial_cache_hit(combine: Function) -> Function:
    """Record the provider's response if LiteLLM combines it with embeddings from its cache."""
    names = parameter_names(combine)

    @wraps(combine)
    def traced_combine(*args: object, **kwargs: object) -> object:
        combined = combine(*args, **kwargs)
        with _RECORDING_CACHE_HIT:
            state = current_state()
            response = by_name(names, args, kwargs).get("embedding_response")
            if state is not None and response is not None and combined is not response:
                state.reader.provider_response = response
        return combined

    return traced_combine
