"""LiteLLMInstrumentor: patches LiteLLM's functions when LiteLLM is imported, or at once if it was imported before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from functools import cache, partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import agentops_otel_litellm.settings.usable_environment  # noqa: F401 - OpenTelemetry reads variables on import

# isort: split
import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # untyped

from agentops_otel_litellm.exporters.delivery import DELIVERY
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.patching.executors import EXECUTORS
from agentops_otel_litellm.patching.patch_points import FEATURES, PATCH_POINTS, PatchPoint, missing, require_features_of
from agentops_otel_litellm.settings import Settings, sdk_is_disabled, set_log_level, wants_newest_conventions
from agentops_otel_litellm.settings.config_file import INSTRUMENTATION, configuration_file

if TYPE_CHECKING:
    from types import ModuleType

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

LITELLM = "litellm >= 1.72, != 1.82.7, != 1.82.8, != 1.107.*"


@cache
def _wrapper_named(name: str) -> Callable[..., Any]:
    """Import the wrapper of a patch point, given its name as `package.module:name`."""
    wrapper: Callable[..., Any] = resolve_name(name)
    return wrapper


class LiteLLMInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # upstream ignores its types
    """Traces LiteLLM, without importing it.

    `instrument(tracer_provider=…, meter_provider=…, logger_provider=…)` may be called before or after
    `import litellm`. By default the global providers are used. `uninstrument()` restores LiteLLM's functions.
    """

    _tracer_provider: TracerProvider | None = None
    _meter_provider: MeterProvider | None = None
    _logger_provider: LoggerProvider | None = None
    _loaded = False
    _hooked: frozenset[PatchPoint] = frozenset()
    _patched: frozenset[PatchPoint] = frozenset()

    @property
    def providers(self) -> tuple[object, ...]:
        """The providers that were passed to `instrument()`."""
        providers = (self._tracer_provider, self._meter_provider, self._logger_provider)
        return tuple(provider for provider in providers if provider is not None)

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
        """Patch the imported modules of LiteLLM at once, and the others when they are imported.

        Options that a configuration file passes are not read here: `Settings` reads the file.
        """
        file = configuration_file()
        if sdk_is_disabled() or (file is not None and file.disables(INSTRUMENTATION)):
            return
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._logger_provider = logger_provider
        set_log_level()
        DELIVERY.request(tracer_provider)
        with guard("carrying the context to threads"):
            EXECUTORS.start()
        is_imported = self._patch_or_watch([point for point in PATCH_POINTS if point.is_in_litellm])
        if is_imported:
            from agentops_otel_litellm.patching import wrapping

            with guard("replacing references to LiteLLM's functions"):
                wrapping.replace_aliases()

    def _patch_or_watch(self, points: Sequence[PatchPoint]) -> bool:
        """Patch imported modules at once, and the others when they are imported. Return whether any was imported."""
        was_imported = False
        for point in points:
            if point.module in sys.modules:
                was_imported = True
                self._patch(point, sys.modules[point.module])
            # An import hook cannot be removed. So `_imported`, which it calls, checks if LiteLLM is still instrumented.
            elif point not in self._hooked:
                self._hooked |= {point}
                wrapt.register_post_import_hook(partial(self._imported, point), point.module)
        return was_imported

    def _uninstrument(self, **_kwargs: object) -> None:
        """Restore LiteLLM's functions, and stop recording."""
        DELIVERY.cancel()
        with guard("restoring the context of threads"):
            EXECUTORS.stop()
        if not self._loaded:
            return
        from agentops_otel_litellm.patching import wrapping
        from agentops_otel_litellm.patching.propagation import PROPAGATION
        from agentops_otel_litellm.patching.stream_usage import STREAM_USAGE
        from agentops_otel_litellm.patching.traced_functions import TRACING

        telemetry = TRACING.stop()
        if telemetry is not None:
            with guard("ending the telemetry of LiteLLM"):
                telemetry.close()
        self._tracer_provider = self._meter_provider = self._logger_provider = None
        STREAM_USAGE.wanted = False
        PROPAGATION.stop()
        self._loaded = False
        with guard("restoring LiteLLM's functions"):
            wrapping.undo()
        self._patched = frozenset()
        FEATURES.clear()

    def _imported(self, point: PatchPoint, module: ModuleType) -> None:
        if self.is_instrumented_by_opentelemetry:
            self._patch(point, module)

    def _patch(self, point: PatchPoint, module: ModuleType) -> None:
        """Replace the function or class of one patch point in `module`, which is imported."""
        if module.__name__ != point.module:
            return  # an old name for a module that LiteLLM has moved; another patch point has the new name
        with guard("instrumenting LiteLLM"):
            self._load()
            from agentops_otel_litellm.patching import wrapping

            if wrapping.patch(module, point.name, _wrapper_named(point.wrapper)):
                self._patched |= {point}
                if point.feature and not missing(point.feature, self._patched):
                    FEATURES.provide(point.feature)

    def _load(self) -> None:
        """Create the telemetry when the first module of LiteLLM is patched. Programs without LiteLLM do not need it."""
        if self._loaded:
            return
        from agentops_otel_litellm.patching import other_instrumentations
        from agentops_otel_litellm.patching.propagation import PROPAGATION
        from agentops_otel_litellm.patching.stream_usage import STREAM_USAGE
        from agentops_otel_litellm.patching.traced_functions import TRACING
        from agentops_otel_litellm.semconv import choose_vocabularies
        from agentops_otel_litellm.semconv.instruments import METRICS, NEWEST_METRICS
        from agentops_otel_litellm.telemetry import Telemetry

        settings = Settings.from_environment()
        telemetry = Telemetry(
            choose_vocabularies(settings, exporter_adds_content=not DELIVERY.is_left_to_agentops),
            settings=settings,
            metrics=NEWEST_METRICS if wants_newest_conventions() else METRICS,
            tracer_provider=self._tracer_provider,
            meter_provider=self._meter_provider,
            logger_provider=self._logger_provider,
            on_finish=require_features_of,
        )
        other_instrumentations.forget_settings()
        TRACING.start(telemetry)
        STREAM_USAGE.wanted = settings.requests_stream_usage()
        PROPAGATION.start(settings.propagate_to, sends_baggage=settings.propagate_baggage)
        self._loaded = True
        # Libraries that LiteLLM uses, such as `openai`, are not patched in programs that do not import LiteLLM.
        self._patch_or_watch([point for point in PATCH_POINTS if not point.is_in_litellm])
