"""Renewing state in a forked child process."""

from __future__ import annotations

import os
import threading

import pytest

from agentops_otel_litellm.fork import PARTS, Fork
from support.logged_warnings import LoggedWarnings

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Part:
    def __init__(self, renewed: list[str], name: str) -> None:
        self._renewed, self._name = renewed, name

    def renew(self) -> None:
        self._renewed.append(self._name)

    def fail(self) -> None:
        raise ValueError


def test_parts_are_renewed_in_their_order() -> None:
    """The order of registration does not matter."""
    fork, renewed = Fork(), list[str]()
    parts = {name: Part(renewed, name) for name in reversed(tuple(PARTS))}
    for name, part in parts.items():
        fork.register(name, part.renew)
    fork.in_child()
    assert renewed == list(PARTS)


def test_parts_are_renewed_after_a_failing_part(logged: LoggedWarnings) -> None:
    fork, renewed = Fork(), list[str]()
    first, last = Part(renewed, "first"), Part(renewed, "last")
    fork.register("imports", first.fail)
    fork.register("flush", last.renew)
    fork.in_child()
    assert renewed == ["last"]
    (line,) = logged.take()
    assert line.startswith("Renewing imports after a fork failed (ValueError")


def test_parts_are_not_kept_alive() -> None:
    """`uninstrument()` releases some of them."""
    fork, renewed = Fork(), list[str]()
    for _ in range(10):
        fork.register("metrics", Part(renewed, "gone").renew)
    kept = Part(renewed, "kept")
    fork.register("metrics", kept.renew)
    assert len(fork._renew["metrics"]) == 1
    fork.in_child()
    assert renewed == ["kept"]


def test_a_fork_waits_for_an_import_of_this_package() -> None:
    """So that the child can import the module that another thread of the parent imports."""
    from agentops_otel_litellm.fork import IMPORTS

    holds, ends = threading.Event(), threading.Event()

    def importing() -> None:
        with IMPORTS.delay_forks():
            holds.set()
            ends.wait(30)

    thread = threading.Thread(target=importing)
    thread.start()
    holds.wait(30)
    waiting = threading.Thread(target=IMPORTS.before_fork)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    ends.set()
    waiting.join(30)
    assert not waiting.is_alive()
    IMPORTS.renew()
    thread.join()
