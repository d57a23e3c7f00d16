"""Adds the AgentOps exporter to one tracer provider, if AgentOps is a destination and nothing else has added it.

The provider is the one that was passed to the instrumentor, or else the global provider, as soon as it is set.

- With this package's configurator, the SDK creates the exporter if OTEL_TRACES_EXPORTER names it (as by default).
  Otherwise the configurator calls `Delivery.request` after the SDK is set up.
- With a different configurator, or if the application sets the SDK up, the instrumentor calls `Delivery.request`.
- If the application adds the exporter itself, nothing is added. It must do so before it instruments LiteLLM, because
  this module cannot find out which processors a provider has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple, TypeGuard
from weakref import WeakSet

from opentelemetry.metrics import get_meter

from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.destinations import sends_to_agentops
from agentops_otel_litellm.version import SCOPE, __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider as SDKTracerProvider
    from opentelemetry.trace import Span, SpanContext, TracerProvider

    from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter

# Private attributes of OpenTelemetry's exporter that some releases of the package agentops read.
_READ_BY_AGENTOPS = ("_session", "_headers")


class Signal(NamedTuple):
    """A signal: the module and the variable in which OpenTelemetry's API stores its provider, and the name of the SDK's
    function that creates the provider.
    """

    module: str
    variable: str
    configured_by: str

    @property
    def provider(self) -> object | None:
        """The global provider; `None` if it is not set."""
        # The API's getter is not used: if there is no provider, it sets a default one, and then the SDK cannot set its
        # provider any more.
        return getattr(import_module(self.module), self.variable, None)


TRACES = Signal("opentelemetry.trace", "_TRACER_PROVIDER", "_init_tracing")
METRICS = Signal("opentelemetry.metrics._internal", "_METER_PROVIDER", "_init_metrics")
LOGS = Signal("opentelemetry._logs._internal", "_LOGGER_PROVIDER", "_init_logging")
SIGNALS = (TRACES, METRICS, LOGS)


class Delivery:
    """Adds the exporter to a provider, as soon as the provider is set and accepts span processors."""

    def __init__(self) -> None:
        self.is_requested = False
        """Whether the exporter must be added as soon as there is a provider. If not, `prepare` does nothing."""
        self.is_left_to_agentops = False
        """Whether the AgentOps SDK delivers the spans, so that no exporter of this package adds content to them."""
        self.session: Span | None = None
        """The span of the run, below which calls without a parent begin; `None` if there is no such span."""
        self._provider: TracerProvider | None = None
        self.renew()
        FORK.register("delivery", self.renew)
        self._providers_with_exporter: WeakSet[TracerProvider] = WeakSet()
        self._added_exporters: WeakSet[AgentOpsSpanExporter] = WeakSet()

    def renew(self) -> None:
        """In a forked process, forget an attempt to add the exporter on a thread of the parent."""
        self._lock = RLock()
        self._is_adding = False

    def request(self, provider: TracerProvider | None) -> None:
        """Add the exporter to this provider, if AgentOps is a destination. `None` is the global provider, which may be
        set later.
        """
        if sends_to_agentops(os.environ):
            with self._lock:
                self._provider = provider
                self.is_requested = True
            self.prepare()

    def record_exporters(self, created: Collection[AgentOpsSpanExporter], provider: object) -> None:
        """Record that the provider has these exporters already, so that no further one is added."""
        if created and _accepts_span_processors(provider):
            self._providers_with_exporter.add(provider)
            self._added_exporters.update(created)

    def cancel(self) -> None:
        """Cancel a request that still waits for a provider. It is called when LiteLLM is no longer instrumented."""
        self.is_requested = False
        self._provider = None

    def prepare(self) -> None:
        """Add the exporter, if it was requested and the provider is set now. It is called before each span."""
        if self.is_requested:
            with guard("adding the AgentOps exporter"):
                self._add_if_provider_is_set()

    def _add_if_provider_is_set(self) -> None:
        """Add the exporter, unless there is no provider yet, or a different thread has added it meanwhile."""
        with self._lock:  # a second thread waits until the exporter is added, so that its span is not lost
            provider = TRACES.provider if self._provider is None else self._provider
            if not self.is_requested or self._is_adding or not _accepts_span_processors(provider):
                return  # there is no provider yet, or it is the API's default provider, which records no spans
            self._is_adding = True
            try:
                self._add_to(provider)
            finally:
                self.is_requested = self._is_adding = False

    def _add_to(self, provider: SDKTracerProvider) -> None:
        """Add the exporter to the provider, unless its spans are delivered to AgentOps already."""
        from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter, AgentOpsSpanProcessor
        from agentops_otel_litellm.exporters.agentops_queue import MAX_REQUEST_SPANS

        # An exporter of the application may be on any provider, so it is assumed to receive these spans.
        exporters_of_application = live_exporters() - set(self._added_exporters)
        if exporters_of_application or provider in self._providers_with_exporter:
            return
        self.is_left_to_agentops = _is_delivered_by_agentops(provider)
        if self.is_left_to_agentops:
            return
        settings, exporter = Settings.from_environment(), AgentOpsSpanExporter()
        self.record_exporters({exporter}, provider)
        processor = AgentOpsSpanProcessor(
            exporter,
            # All options are passed, so that the processor reads no variable of the SDK, which may be invalid.
            max_queue_size=max(settings.max_queue_size, MAX_REQUEST_SPANS * 4),
            schedule_delay_millis=settings.flush_interval,
            max_export_batch_size=MAX_REQUEST_SPANS,
            export_timeout_millis=settings.max_wait_time,
        )
        provider.add_span_processor(processor)
        processor.observe_with(get_meter(f"{SCOPE}.sdk", __version__))


def live_exporters() -> set[AgentOpsSpanExporter]:
    """The AgentOps exporters of this process that are not shut down."""
    module = sys.modules.get("agentops_otel_litellm.exporters.agentops")  # loaded if there is an exporter
    return set() if module is None else set(module.AgentOpsSpanExporter.instances)


def record_error_text(span: SpanContext, error: str) -> None:
    """Pass the provider's error text of a call to the AgentOps exporters, before its span ends. They add it to the
    status of their copies, so that no other exporter receives it.
    """
    for exporter in live_exporters():
        exporter.record_error_text(span, error)


def _accepts_span_processors(provider: object) -> TypeGuard[SDKTracerProvider]:
    """Whether a provider is the SDK's, or compatible with it."""
    return hasattr(provider, "add_span_processor")


def _is_delivered_by_agentops(provider: TracerProvider) -> bool:
    """Whether the AgentOps SDK (the package agentops) has created the provider and can export its spans.

    Up to release 0.4.21, that SDK's exporter reads private attributes of OpenTelemetry's exporter. It exports nothing
    if the installed OpenTelemetry lacks these attributes. An exporter that does not read them is assumed to work.
    """
    core = sys.modules.get("agentops.sdk.core")
    if core is None or getattr(getattr(core, "tracer", None), "provider", None) is not provider:
        return False
    exporter = getattr(sys.modules.get("agentops.sdk.exporters"), "AuthenticatedOTLPExporter", None)
    methods = [method.__code__ for method in vars(exporter).values() if hasattr(method, "__code__")] if exporter else []
    read = [name for name in _READ_BY_AGENTOPS if any(name in code.co_names for code in methods)]
    if not read:
        return True
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    stock = OTLPSpanExporter(endpoint="http://localhost")
    return all(hasattr(stock, name) for name in read)


DELIVERY = Delivery()
"""The only instance in the process: an exporter that was added cannot be removed, so every caller must know of it."""
