"""Unit tests use no network and start no process."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

FORBIDDEN = frozenset({"os.fork", "os.posix_spawn", "socket.bind", "socket.connect", "subprocess.Popen"})
"""Audit events, see https://docs.python.org/3/library/audit_events.html."""


class _Audit:
    """Raises for forbidden events. An audit hook cannot be removed, so it is enabled only during unit tests."""

    def __init__(self) -> None:
        self.is_on = False
        sys.addaudithook(self._check)

    def _check(self, event: str, _args: tuple[object, ...]) -> None:
        if self.is_on and event in FORBIDDEN:
            raise RuntimeError(f"{event} in a unit test: it belongs in tests/wire or tests/process")


AUDIT = _Audit()


@pytest.fixture(autouse=True)
def only_in_this_process() -> Iterator[None]:
    AUDIT.is_on = True
    yield
    AUDIT.is_on = False
