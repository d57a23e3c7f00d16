"""What LiteLLM does inside a call, told to the call's observation."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.account import Account
from agentops_otel_litellm.observing.logging_objects import know
from agentops_otel_litellm.observing.observation import Observation, call_in, is_suppressed, observation_in
from agentops_otel_litellm.operations import by_name, parameter_names

Function = Callable[..., Any]

_TAKING_LOGGING = guard("taking LiteLLM's logging object")
_TAKING_ANSWER = guard("taking an answer that is not given")
_TAKING_TRANSLATION = guard("taking LiteLLM's translation of a request")
_TAKING_ESTIMATE = guard("taking that LiteLLM estimates")
_TAKING_PART = guard("taking a partly cached response")


def observed() -> Observation | None:
    """The observation of the call that LiteLLM is working on, if it is seen."""
    context = get_current()
    return None if is_suppressed(context) else call_in(context)


def account_observed() -> Account | None:
    """What is known of that call."""
    observation = observed()
    return None if observation is None else observation.account


def _account_around(logging: object) -> Account | None:
    """The same of what goes on around calls, where LiteLLM logs that, too, with the object that it has set up."""
    context = get_current()
    around = None if is_suppressed(context) else observation_in(context)
    if around is None or not around.account.is_logged_with(logging):
        return None
    know(logging)
    return around.account


def logging_object_made(function_setup: Function) -> Function:
    """LiteLLM sets up the logging of a call: in that object it keeps what it resolves."""

    @wraps(function_setup)
    def told(*args: object, **kwargs: object) -> object:
        made = function_setup(*args, **kwargs)
        with _TAKING_LOGGING:
            if isinstance(made, tuple) and not readers.is_of_a_tool(made[0]):
                account = account_observed() or _account_around(made[0])
                if account is not None:
                    account.set_up(made[0])
        return made

    return told


def request_translated(prepare_completion_kwargs: Function) -> Function:
    """LiteLLM makes a chat of another kind of request, for a provider that has but chats."""

    @wraps(prepare_completion_kwargs)
    def told(*args: object, **kwargs: object) -> object:
        made = prepare_completion_kwargs(*args, **kwargs)
        with _TAKING_TRANSLATION:
            account = account_observed()
            if account is not None:
                account.translation = readers.read_messages(made)
        return made

    return told


def usage_estimated(estimate_usage: Function) -> Function:
    """LiteLLM makes up the usage that a stream ends with."""

    @wraps(estimate_usage)
    def told(*args: object, **kwargs: object) -> object:
        estimate = estimate_usage(*args, **kwargs)
        with _TAKING_ESTIMATE:
            account = account_observed()
            if account is not None:
                account.reader.usage_is_estimated, account.reader.worked_out = True, estimate
        return estimate

    return told


def usage_worked_out(calculate_usage: Function) -> Function:
    """LiteLLM works out the usage of a stream that is over: from what the provider counted, or else by itself."""

    @wraps(calculate_usage)
    def told(*args: object, **kwargs: object) -> object:
        usage = calculate_usage(*args, **kwargs)
        with _TAKING_ESTIMATE:
            account = account_observed()
            if account is not None:
                account.reader.worked_out = usage
        return usage

    return told


def follow_ups_made(call_hooks: Function) -> Function:
    """LiteLLM has callbacks look at an answer: where one gives another for it, the first was asked for all the same.

    What a callback gives may be of a call that it had LiteLLM make, which has told of itself.
    """
    names = parameter_names(call_hooks)

    def tell(answer: object, replaced: bool) -> None:  # noqa: FBT001 - what became of it
        with _TAKING_ANSWER:
            context = get_current()
            observation = observed()
            if replaced and answer is not None and observation is not None:
                observation.account.keeps(answer, context)

    @wraps(call_hooks)
    async def told(*args: object, **kwargs: object) -> object:
        answer = by_name(names, args, kwargs).get("response")
        try:
            given = await call_hooks(*args, **kwargs)
        except BaseException:
            tell(answer, replaced=True)
            raise
        tell(answer, replaced=given is not None and given is not answer)
        return given

    return told


def answer_judged(post_call_processing: Function) -> Function:
    """LiteLLM holds an answer against the app's rules and schemas: one that it refuses was given, too."""
    names = parameter_names(post_call_processing)

    @wraps(post_call_processing)
    def told(*args: object, **kwargs: object) -> object:
        try:
            return post_call_processing(*args, **kwargs)
        except Exception:
            with _TAKING_ANSWER:
                account = account_observed()
                if account is not None:
                    answer = by_name(names, args, kwargs).get("original_response")
                    account.keeps(answer, get_current(), refused=True)
            raise

    return told


def cached_part_joined(combine: Function) -> Function:
    """LiteLLM had some of the embeddings in its cache, and joins them with those that the provider gave."""
    names = parameter_names(combine)

    @wraps(combine)
    def told(*args: object, **kwargs: object) -> object:
        joined = combine(*args, **kwargs)
        with _TAKING_PART:
            account = account_observed()
            given = by_name(names, args, kwargs).get("embedding_response")
            if account is not None and given is not None and joined is not given:
                account.reader.provided = given
        return joined

    return told
