"""Features of this package, each of which needs certain functions of LiteLLM.

A release of LiteLLM may move such a function, so that the feature is not available. An application that never uses the
feature loses nothing, so a warning is logged only when the application uses it for the first time.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from types import MappingProxyType

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.guard import ignored_faults

logger = logging.getLogger(__name__)

CALLS = "calls"
LOGGING = "the logging of calls"
ATTEMPTS = "attempts"
ERRORS = "errors of attempts"
ROUTES = "routes"
COOLDOWNS = "cooldowns"
THREADS = "threads"
BATCHES = "batches"
CALLBACKS = "callbacks"

CONSEQUENCES = MappingProxyType(
    {
        CALLS: "calls are recorded when they are over, without attempts and without the time to the first token",
        LOGGING: "the provider and the cost of calls can be missing",
        ATTEMPTS: "calls have no attempts",
        ERRORS: "attempts that failed before the last one can be missing",
        ROUTES: "calls through litellm.Router have no route span; each call of a deployment is recorded on its own",
        COOLDOWNS: "litellm.cooldown_time is missing",
        THREADS: "synchronous calls in an event loop can be missing from the trace of their caller",
        BATCHES: "batch_completion has no span of its own, and its calls can be missing from the trace of their caller",
        CALLBACKS: "calls without a traced function are missing, such as requests that the proxy passes through",
    }
)
"""Feature → the telemetry that is missing without it."""


class Features:
    """The features that are available, because their functions were found in LiteLLM and patched."""

    def __init__(self) -> None:
        self._available: set[str] = set()
        self._checked: set[str] = set()

    def provide(self, feature: str) -> None:
        """Record that the functions that the feature needs are patched."""
        self._available.add(feature)

    def clear(self) -> None:
        """Forget all features, because no function is patched any more."""
        self._available.clear()
        self._checked.clear()

    def require(self, feature: str) -> None:
        """Warn, at the first use of the feature, if it is not available.

        Nothing is checked if no function is patched, because the instrumentor is not in use then.
        """
        if feature in self._checked or not self._available:
            return
        self._checked.add(feature)
        if feature in self._available:
            return
        with ignored_faults():  # a logging handler of the application may raise
            logger.warning(
                "LiteLLM %s lacks functions that this package patches for %s: %s. Upgrade "
                "agentops-otel-litellm; if the latest version logs this too, please report it with the version of "
                "LiteLLM.",
                version("litellm"),
                feature,
                CONSEQUENCES[feature],
            )


FEATURES = Features()


def require_features_of(call: Call) -> None:
    """Warn, at the first such call, if LiteLLM lacks functions of a feature that the application uses with the call."""
    if call.failure is not None:
        FEATURES.require(ERRORS)
    if call.routing is not None and call.routing.model_group is not None and call.routing.model_id is not None:
        FEATURES.require(ROUTES)
        if call.failure is not None:
            FEATURES.require(COOLDOWNS)
