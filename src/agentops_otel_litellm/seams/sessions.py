"""Realtime sessions: LiteLLM returns nothing from one and swallows what goes wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.seams.signals import observed

Function = Callable[..., Any]

_TAKING_SESSION = guard("taking a realtime session")
_TURNS: WeakKeyDictionary[object, list[object]] = WeakKeyDictionary()
"""Of the sessions that go on and do not keep theirs."""
_SESSIONS = frozenset({"realtime", "responses_websocket"})


def session_ends(bidirectional_forward: Function) -> Function:
    """LiteLLM passes on what the app and the provider say to each other in a session, until one hangs up.

    Of a session of responses it gives back what the provider failed with.
    """

    @wraps(bidirectional_forward)
    async def told(session: object, *args: object, **kwargs: object) -> object:
        failure: object = None
        try:
            failure = await bidirectional_forward(session, *args, **kwargs)
        finally:
            with _TAKING_SESSION:
                observation = observed()
                if observation is not None:
                    told_of = failure if isinstance(failure, BaseException) else None
                    turns = _TURNS.pop(session, None)
                    seen = session if turns is None else readers.session_of_turns(session, turns)
                    observation.account.answered(seen, readers.read_session_end(session) or told_of)
        return failure

    return told


def turn_ends(log_turn: Function) -> Function:
    """LiteLLM logs a response of a session, and keeps no more of it, in the releases that have this."""

    @wraps(log_turn)
    def told(session: object, turn: object, *args: object, **kwargs: object) -> object:
        with _TAKING_SESSION:
            _TURNS.setdefault(session, []).append(turn)
        return log_turn(session, turn, *args, **kwargs)

    return told


def session_refused(connecting: Function) -> Function:
    """LiteLLM tells the app's socket that the provider refused the connection of a session, and nobody else.

    Whether it awaits its client's `connect()` or enters it, this is the method that tries.
    """

    @wraps(connecting)
    def told(*args: object, **kwargs: object) -> Generator[object, object, object]:
        try:
            return (yield from connecting(*args, **kwargs))
        except Exception as error:
            _tell_session(error)
            raise

    return told


def session_misdirected(make_connection: Function) -> Function:
    """The same of a connection that cannot even be tried, for its URL is none."""

    @wraps(make_connection)
    def told(*args: object, **kwargs: object) -> object:
        try:
            return make_connection(*args, **kwargs)
        except Exception as error:
            _tell_session(error)
            raise

    return told


def _tell_session(error: Exception) -> None:
    """Callbacks may have connections of their own, in any operation but this."""
    with _TAKING_SESSION:
        observation = observed()
        if observation is not None and observation.operation in _SESSIONS:
            observation.account.answered(None, error)
