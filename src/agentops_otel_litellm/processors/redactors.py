"""Redactors: the functions that redact content, those of the user's included, and how they are loaded."""

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

from agentops_otel_litellm.redaction import Redactor, redactor
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.parsing import masked

logger = logging.getLogger(__name__)

ENTRY_POINTS = "agentops_otel_litellm_redactor"
"""The entry point group for redactors of installed packages. All of them are used."""


class Redactors:
    """Returns all redactors. They are loaded when the first content is redacted: a module with a redactor of the user's
    may import LiteLLM, so it must not be imported while LiteLLM itself is being imported.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: tuple[Redactor, ...] | None = None
        self._has_failed = False
        self._failures = count()
        self._thread = threading.local()

    def __call__(self) -> tuple[Redactor, ...] | None:
        """Return the redactors. `None` if a redactor of the user's cannot be loaded, for which a warning is logged
        once, or while it is being loaded by this thread. Then no content may be recorded.
        """
        if self._all is not None or self._has_failed or self._is_loading:
            return self._all
        # A lock could deadlock: the imported module may call LiteLLM, or wait for a thread that calls LiteLLM. Without
        # one, several threads may load the redactors at the same time, but Python imports each module once.
        self._thread.is_loading = True
        try:
            self._all = (redactor(self._settings.redact), *_load_user_redactors(self._settings))
        except _CannotBeLoaded as reason:
            self._fail(reason)
        finally:
            self._thread.is_loading = False
        return self._all

    @property
    def _is_loading(self) -> bool:
        """Whether this thread is importing a redactor's module, so that the module has called LiteLLM on import."""
        return getattr(self._thread, "is_loading", False)

    def _fail(self, reason: _CannotBeLoaded) -> None:
        # Only one thread may log. `next` is atomic; a lock could deadlock, if a signal handler interrupts its owner.
        is_first = next(self._failures) == 0
        self._has_failed = True
        if is_first and self._all is None:
            logger.warning("%s. No content is recorded.", reason)


class _CannotBeLoaded(Exception):  # noqa: N818 - an error of the user's redactor, not of this package
    """A redactor of the user's cannot be loaded. The message names the redactor and the reason."""


def _load_user_redactors(settings: Settings) -> Iterator[Redactor]:
    """Load the redactors of installed packages, and the one in AGENTOPS_REDACTOR. Raises: `_CannotBeLoaded`."""
    named = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if settings.redactor:
        named["AGENTOPS_REDACTOR"] = settings.redactor
    for name, reference in named.items():
        described = f"The redactor {name}={masked(name, reference)!r}"
        try:
            loaded = _resolve(reference)
        except (Exception, SystemExit) as fault:  # the module may be a script that calls `sys.exit`
            raise _CannotBeLoaded(f"{described} cannot be loaded ({type(fault).__name__})") from fault
        if not callable(loaded):
            raise _CannotBeLoaded(f"{described} is not a function (expected `module:function`)")
        yield loaded


def _resolve(reference: str) -> Any:  # noqa: ANN401 - any object can have the name
    """Import the object to which a reference such as `module:function` refers."""
    module, colon, name = reference.partition(":")
    return resolve_name(f"__main__:{name}" if colon and _is_program(module) else reference)


def _is_program(module: str) -> bool:
    """Whether the module is the running program, whose name is `__main__`. To import it would run it a second time."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if program is None or module in sys.modules or Path(program).stem != module.rpartition(".")[2]:
        return False
    spec = find_spec(module)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(program).resolve()
