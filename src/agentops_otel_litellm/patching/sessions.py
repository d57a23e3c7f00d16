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
"""Open session → the turns that LiteLLM has logged: one for each response, with its events. LiteLLM 1.110 needs this,
because its session objects do not keep the events.
"""
_SESSIONS = frozenset({"realtime", "responses_websocket"})


def record_session_end(bidirectional_forward: Function) -> Function:
    """Record the result of a session when LiteLLM stops forwarding its messages.

    For a session of the Responses API, the wrapped function returns the provider's error, if there was one.
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
                    result = session if turns is None else readers.session_with_events(session, turns)
                    invocation.state.set_result(result, readers.read_session_end(session) or error)
        return failure

    return traced_bidirectional_forward


def record_turn(log_turn: Function) -> Function:
    """Record a turn of a session, which has the events of one response, when LiteLLM logs it."""

    @wraps(log_turn)
    def traced_log_turn(session: object, turn: object, *args: object, **kwargs: object) -> object:
        with _RECORDING_SESSION:
            _TURNS.setdefault(session, []).append(turn)
        return log_turn(session, turn, *args, **kwargs)

    return traced_log_turn


def record_failed_connection(connect: Function) -> Function:
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
    """Set the error of the current session. A connection that is made in other operations belongs to a callback."""
    with _RECORDING_SESSION:
        invocation = current_call()
        if invocation is not None and invocation.operation in _SESSIONS:
            invocation.state.set_result(None, error)
