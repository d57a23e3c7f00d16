"""The redactors that texts go through: the built-in one, then the user's own."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from agentops_otel_litellm.processors.redaction import Redactor, redactor
from agentops_otel_litellm.settings import Settings

logger = logging.getLogger(__name__)

ENTRY_POINTS = "agentops_otel_litellm_redactor"
"""The group of the entry points by which installed packages bring redactors of their own: all are used."""


class Redactors:
    """All of them. The user's are loaded where the first text is to be redacted: their modules may import LiteLLM,
    whose own import has to be over by then.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: tuple[Redactor, ...] | None = None
        self._has_failed = False
        self._failures = count()
        self._thread = threading.local()

    def __call__(self) -> tuple[Redactor, ...] | None:
        """`None` where one of the user's cannot be had, which the log tells once: then nothing that is said is told."""
        if self._all is not None or self._has_failed or self._is_loading:
            return self._all
        # No lock is held: a module that is imported may call LiteLLM, or wait for a thread that does. Threads that
        # come at the same time wait for one another where Python lets them, in its imports.
        self._thread.is_loading = True
        try:
            self._all = (redactor(self._settings.redact), *_own(self._settings))
        except _NotToBeHad as reason:
            self._fail(reason)
        finally:
            self._thread.is_loading = False
        return self._all

    @property
    def _is_loading(self) -> bool:
        """Whether it is one of those modules that calls LiteLLM, while it is imported."""
        return getattr(self._thread, "is_loading", False)

    def _fail(self, reason: _NotToBeHad) -> None:
        is_first = (
            next(self._failures) == 0
        )  # atomic; a lock could be held by the code that a signal handler interrupts
        self._has_failed = True
        if is_first and self._all is None:
            logger.warning("%s. Nothing of what is said is told.", reason)


class _NotToBeHad(Exception):  # noqa: N818 - it is no error of ours
    pass


def _own(settings: Settings) -> Iterator[Redactor]:
    named = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if settings.redactor:
        named["AGENTOPS_REDACTOR"] = settings.redactor
    for name, reference in named.items():
        try:
            own = _named(reference)
        except (Exception, SystemExit) as fault:  # a program that is no module may exit
            raise _NotToBeHad(f"The redactor {name}={reference!r} cannot be loaded ({type(fault).__name__})") from fault
        if not callable(own):
            raise _NotToBeHad(f"The redactor {name}={reference!r} is not a function, as `module:function` names one")
        yield own


def _named(reference: str) -> Any:  # noqa: ANN401 - whatever has that name
    module, colon, name = reference.partition(":")
    return resolve_name(f"__main__:{name}" if colon and _is_program(module) else reference)


def _is_program(module: str) -> bool:
    """Whether it is the program itself, which would run a second time, were it imported."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if program is None or module in sys.modules or Path(program).stem != module.rpartition(".")[2]:
        return False
    spec = find_spec(module)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(program).resolve()
