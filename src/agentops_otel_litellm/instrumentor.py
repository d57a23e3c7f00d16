"""LiteLLMInstrumentor: traces every LiteLLM function, from its import on or from now on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # untyped

from agentops_otel_litellm import seams
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.settings import Settings, sdk_is_disabled

if TYPE_CHECKING:
    from types import ModuleType

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from agentops_otel_litellm.tracing import Tracing

logger = logging.getLogger(__name__)

LITELLM = "litellm >= 1.72, != 1.82.7, != 1.82.8, != 1.107.*"


class LiteLLMInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # upstream ignores its types
    """Traces LiteLLM; never imports it.

    `instrument(tracer_provider=…, meter_provider=…, logger_provider=…)` may be called before or after
    `import litellm`; without providers the global ones are used. `uninstrument()` puts LiteLLM's functions back.
    """

    _tracer_provider: TracerProvider | None = None
    _meter_provider: MeterProvider | None = None
    _logger_provider: LoggerProvider | None = None
    _tracing: Tracing | None = None
    _hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        return (LITELLM,)

    def _instrument(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        **_kwargs: object,
    ) -> None:
        if sdk_is_disabled():
            return
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._logger_provider = logger_provider
        utils = sys.modules.get(seams.MODULE)
        if utils is not None:
            self._patch(utils)
        elif not self._hooked:
            # A hook cannot be taken back: it asks whether it is still wanted.
            self._hooked = True
            wrapt.register_post_import_hook(self._imported, seams.MODULE)

    def _uninstrument(self, **_kwargs: object) -> None:
        if self._tracing is not None:
            self._tracing.telemetry = None
            seams.unpatch()

    def _imported(self, utils: ModuleType) -> None:
        if self.is_instrumented_by_opentelemetry:
            self._patch(utils)

    def _patch(self, utils: ModuleType) -> None:
        with guard("instrumenting LiteLLM"):
            # Only now: programs that never use LiteLLM do not pay for these.
            from agentops_otel_litellm.emit import Telemetry
            from agentops_otel_litellm.tracing import Tracing
            from agentops_otel_litellm.vocabularies import VOCABULARIES

            # In the registry's order, not the user's: samplers get to see what the first of them says.
            names = Settings.from_environment().vocabularies(VOCABULARIES)
            chosen = [vocabulary for name, vocabulary in VOCABULARIES.items() if name in names]
            # One for ever: a function traced before an `uninstrument()` may have stayed somewhere in the app.
            self._tracing = self._tracing or Tracing()
            self._tracing.telemetry = Telemetry(
                chosen,
                tracer_provider=self._tracer_provider,
                meter_provider=self._meter_provider,
                logger_provider=self._logger_provider,
            )
            missing = seams.patch(utils, self._tracing.trace, self._tracing.capture_logging)
            for seam in missing:
                logger.warning("This LiteLLM has no %s: its calls are traced in part or not at all.", seam)
