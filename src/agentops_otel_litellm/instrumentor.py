"""LiteLLMInstrumentor: traces every LiteLLM function, from its import on or from now on."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import agentops_otel_litellm.launch.usable_environment  # noqa: F401 - OpenTelemetry reads variables on import

# isort: split
import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # untyped

from agentops_otel_litellm.exporters.delivery import DELIVERY
from agentops_otel_litellm.features import FEATURES
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.seams import PATCH_POINTS, PatchPoint, missing, patches
from agentops_otel_litellm.settings import Settings, sdk_is_disabled, set_log_level, wants_newest_conventions

if TYPE_CHECKING:
    from types import ModuleType

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

LITELLM = "litellm >= 1.72, != 1.82.7, != 1.82.8, != 1.107.*"


class LiteLLMInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # upstream ignores its types
    """Traces LiteLLM; never imports it.

    `instrument(tracer_provider=…, meter_provider=…, logger_provider=…)` may be called before or after
    `import litellm`; without providers the global ones are used. `uninstrument()` puts LiteLLM's functions back.
    """

    _tracer_provider: TracerProvider | None = None
    _meter_provider: MeterProvider | None = None
    _logger_provider: LoggerProvider | None = None
    _loaded = False
    _hooked: frozenset[PatchPoint] = frozenset()
    _patched: frozenset[PatchPoint] = frozenset()

    @property
    def providers(self) -> tuple[object, ...]:
        """Those that `instrument()` was given."""
        given = (self._tracer_provider, self._meter_provider, self._logger_provider)
        return tuple(provider for provider in given if provider is not None)

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
        set_log_level()
        DELIVERY.wanted(tracer_provider)
        late = self._patch_or_watch([seam for seam in PATCH_POINTS if seam.is_in_litellm])
        if late:
            with guard("instrumenting LiteLLM, which was imported before"):
                patches.replace_aliases()

    def _patch_or_watch(self, seams: Sequence[PatchPoint]) -> bool:
        """Patch what is imported, and have the rest patched when it is. Whether anything was."""
        imported = [seam for seam in seams if seam.module in sys.modules]
        for seam in imported:
            self._patch(seam, sys.modules[seam.module])
        # A hook cannot be taken back: it asks whether it is still wanted.
        for seam in seams:
            if seam not in imported and seam not in self._hooked:
                self._hooked |= {seam}
                wrapt.register_post_import_hook(partial(self._imported, seam), seam.module)
        return bool(imported)

    def _uninstrument(self, **_kwargs: object) -> None:
        DELIVERY.unwanted()
        if not self._loaded:
            return
        from agentops_otel_litellm.seams.stream_usage import STREAM_USAGE
        from agentops_otel_litellm.seams.tracing import TRACING

        telemetry, TRACING.telemetry = TRACING.telemetry, None
        if telemetry is not None:
            with guard("ending the telemetry of LiteLLM"):
                telemetry.close()
        self._tracer_provider = self._meter_provider = self._logger_provider = None
        STREAM_USAGE.wanted = False
        self._loaded = False
        with guard("putting LiteLLM's functions back"):
            patches.undo()
        self._patched = frozenset()
        FEATURES.clear()

    def _imported(self, seam: PatchPoint, module: ModuleType) -> None:
        if self.is_instrumented_by_opentelemetry:
            self._patch(seam, module)

    def _patch(self, seam: PatchPoint, module: ModuleType) -> None:
        if module.__name__ != seam.module:
            return  # its name before LiteLLM moved it; the one it has now is another seam's
        with guard("instrumenting LiteLLM"):
            self._load()
            if patches.patch(module, seam.name, resolve_name(seam.wrapper)):
                self._patched |= {seam}
                if seam.feature and not missing(seam.feature, self._patched):
                    FEATURES.provide(seam.feature)

    def _load(self) -> None:
        """Make what traces, at the first of LiteLLM's modules: programs that never use it do not pay for this."""
        if self._loaded:
            return
        from agentops_otel_litellm.emit import Telemetry
        from agentops_otel_litellm.seams.stream_usage import STREAM_USAGE
        from agentops_otel_litellm.seams.tracing import TRACING
        from agentops_otel_litellm.vocabularies import chosen
        from agentops_otel_litellm.vocabularies.metrics import METRICS
        from agentops_otel_litellm.vocabularies.newest_metrics import NEWEST_METRICS

        settings = Settings.from_environment()
        TRACING.telemetry = Telemetry(
            chosen(settings),
            settings=settings,
            metrics=NEWEST_METRICS if wants_newest_conventions() else METRICS,
            tracer_provider=self._tracer_provider,
            meter_provider=self._meter_provider,
            logger_provider=self._logger_provider,
        )
        STREAM_USAGE.wanted = settings.stream_usage
        self._loaded = True
        # What LiteLLM builds on, others may use without it: there it is left alone.
        self._patch_or_watch([seam for seam in PATCH_POINTS if not seam.is_in_litellm])
