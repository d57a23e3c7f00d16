"""`init()`: does in a running process what `opentelemetry-instrument` does for a program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import agentops_otel_litellm.settings.usable_environment  # noqa: F401 - OpenTelemetry reads variables on import

# isort: split
from agentops_otel_litellm.exporters.delivery import SIGNALS
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.settings import sdk_is_disabled
from agentops_otel_litellm.settings.declaration import FIRST_PROCESS

DISTRO = "OTEL_PYTHON_DISTRO"


def init() -> None:
    """Set up OpenTelemetry and instrument the installed packages, as `opentelemetry-instrument` does for a program.

    Call it before or after `import litellm`, on any thread. Only the first call has an effect, and none under the
    launcher. The settings are environment variables, which are read by this call; invalid ones are logged. Tracer,
    meter and logger providers that the application has set before are used.
    """
    _LAUNCH.once()


class _Launch:
    """Sets OpenTelemetry up, once in each process."""

    def __init__(self) -> None:
        self._done = False
        self.renew()
        FORK.register("init", self.renew)

    def renew(self) -> None:
        """After a fork, keep a complete set-up. Start again if a different thread was setting OpenTelemetry up."""
        self._lock = RLock()
        self._doing = False

    def once(self) -> None:
        """Set OpenTelemetry up, unless that was done before in this process."""
        with self._lock:  # a second thread waits for the set-up; a nested call on the same thread returns at once
            if self._done or self._doing or sdk_is_disabled() or _is_all_set_up():
                return
            self._doing = True
            try:
                with guard("setting up OpenTelemetry"), _restored_environment():
                    _initialize()
            finally:
                self._doing, self._done = False, True


_LAUNCH = _Launch()


def _is_all_set_up() -> bool:
    """Whether all providers are set and LiteLLM is instrumented, for example by the launcher."""
    has_providers = all(signal.provider is not None for signal in SIGNALS)
    return has_providers and LiteLLMInstrumentor().is_instrumented_by_opentelemetry


def _initialize() -> None:
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    os.environ[DISTRO] = os.environ.get(DISTRO) or DEFAULTS[DISTRO].values[0]
    initialize()


@contextmanager
def _restored_environment() -> Iterator[None]:
    """Restore the environment variables after the block. The distro sets defaults as environment variables, which
    programs that this process starts must not inherit.
    """
    before = {name: value for name, value in os.environ.items() if _is_ours_to_set(name)}
    try:
        yield
    finally:
        for name in [name for name in os.environ if _is_ours_to_set(name) and not before.get(name)]:
            del os.environ[name]
            os.environ.update({name: before[name]} if name in before else {})


def _is_ours_to_set(name: str) -> bool:
    return name.startswith("OTEL_") or name == FIRST_PROCESS
