"""Wrappers that record the results and errors of realtime sessions, which LiteLLM does not return or raise."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.patching.hooks import current_call

Function = Callable[..., Any]

_RECORDING_SESSION = guard("recording a realtime session")
_TURNS: WeakKeyDictionary[object, list[object]] = WeakKeyDictionary()
"""Open session → its responses, for releases of LiteLLM whose sessions do not keep them."""
_SESSIONS = frozenset({"realtime", "responses_websocket"})


def record_session_end(bidirectional_forward: Function) -> Function:
    """Record the result of a session when LiteLLM stops forwarding its messages.

    For a session of the Responses API the function returns the provider's error, if there was one.
    """

    @wraps(bidirectional_forward)
    async def traced_bidirectional_forward(session: object, *args: object, **kwargs: object) -> object:
        failure: object = None
        try:
            failure = await bidirectional_forward(session, *args, **kwargs)
        finally:
            with _RECORDING_SESSION:
                invocation = current_call()
                if invocation is not None:
                    error = failure if isinstance(failure, BaseException) else None
                    turns = _TURNS.pop(session, None)
                    result = session if turns is None else readers.session_of_turns(session, turns)
                    invocation.state.set_result(result, readers.read_session_end(session) or error)
        return failure

    return traced_bidirectional_forward


def record_turn(log_turn: Function) -> Function:
    """Record a response of a session when LiteLLM logs it. The releases that have this function do not keep it."""

    @wraps(log_turn)
    def traced_log_turn(session: object, turn: object, *args: object, **kwargs: object) -> object:
        with _RECORDING_SESSION:
            _TURNS.setdefault(session, []).append(turn)
        return log_turn(session, turn, *args, **kwargs)

    return traced_log_turn


def record_failed_connection(connect: Function) -> Function:
    """Record that the connection of a session failed. LiteLLM reports that only to the application's socket.

    The wrapped method is `connect.__await__`, which makes the connection whether LiteLLM awaits `connect()` or uses it
    in `async with`.
    """

    @wraps(connect)
    def traced_await(*args: object, **kwargs: object) -> Generator[object, object, object]:
        try:
            return (yield from connect(*args, **kwargs))
        except Exception as error:
            _record_connection_error(error)
            raise

    return traced_await


def record_invalid_session_url(init: Function) -> Function:
    """Record that the connection of a session cannot be made because its URL is invalid."""

    @wraps(init)
    def traced_init(*args: object, **kwargs: object) -> object:
        try:
            return init(*args, **kwargs)
        except Exception as error:
            _record_connection_error(error)
            raise

    return traced_init


def _record_connection_error(error: Exception) -> None:
    """Set the error of the current session. In other operations the connection is a callback's."""
    with _RECORDING_SESSION:
        invocation = current_call()
        if invocation is not None and invocation.operation in _SESSIONS:
            invocation.state.set_result(None, error)
