"""Adds the AgentOps exporter to one provider, if AgentOps is a destination: the global provider, once it is set, or the
provider with which LiteLLM is instrumented.

With our configurator, the SDK creates the exporter. If the user names other exporters or a configuration file, the
configurator adds it afterwards. With a different configurator, or if the application sets the SDK up, the instrumentor
adds it to the provider of LiteLLM's spans. An application that adds the exporter itself must do so before it
instruments LiteLLM, because the processors of a provider cannot be read later.
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
    from opentelemetry.trace import TracerProvider

    from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter

# Private attributes of OpenTelemetry's exporter that releases of the package agentops need.
_READ_BY_AGENTOPS = ("_session", "_headers")


class Signal(NamedTuple):
    """The module and variable in which OpenTelemetry's API stores the provider of a signal, and the SDK's function that
    creates the provider.
    """

    module: str
    variable: str
    configured_by: str

    @property
    def provider(self) -> object | None:
        """The provider, if one is set. The API's own getter is not used: it sets a default provider if there is none,
        and then the SDK could not set its provider any more.
        """
        return getattr(import_module(self.module), self.variable, None)


TRACES = Signal("opentelemetry.trace", "_TRACER_PROVIDER", "_init_tracing")
METRICS = Signal("opentelemetry.metrics._internal", "_METER_PROVIDER", "_init_metrics")
LOGS = Signal("opentelemetry._logs._internal", "_LOGGER_PROVIDER", "_init_logging")
SIGNALS = (TRACES, METRICS, LOGS)


class Delivery:
    """Adds the exporter to a provider as soon as there is one that accepts span processors."""

    def __init__(self) -> None:
        self.is_requested = False
        """Whether the exporter must be added as soon as there is a provider. If not, `prepare` does nothing."""
        self._provider: TracerProvider | None = None
        self.renew()
        FORK.register("delivery", self.renew)
        self._providers_with_exporter: WeakSet[TracerProvider] = WeakSet()
        self._added_exporters: WeakSet[AgentOpsSpanExporter] = WeakSet()

    def renew(self) -> None:
        """After a fork, start again if a different thread was adding the exporter."""
        self._lock = RLock()
        self._is_adding = False

    def request(self, provider: TracerProvider | None) -> None:
        """Deliver the spans of this provider. `None` is the global provider, which can be set later."""
        if sends_to_agentops(os.environ):
            with self._lock:
                self._provider = provider
                self.is_requested = True
            self.prepare()

    def record_exporters(self, created: Collection[AgentOpsSpanExporter], provider: object) -> None:
        """Record that the provider has these exporters."""
        if created and _accepts_span_processors(provider):
            self._providers_with_exporter.add(provider)
            self._added_exporters.update(created)

    def cancel(self) -> None:
        """Add no exporter, because LiteLLM is no longer instrumented."""
        self.is_requested = False
        self._provider = None

    def prepare(self) -> None:
        """Add the exporter, if the provider is set by now. Called before each span."""
        if self.is_requested:
            with guard("adding the AgentOps exporter"):
                self._add_if_provider_is_set()

    def _add_if_provider_is_set(self) -> None:
        """Add the exporter, unless there is no provider yet, or it was added meanwhile."""
        with self._lock:  # a second thread waits until the exporter is added, because its span can end at once
            provider = TRACES.provider if self._provider is None else self._provider
            if not self.is_requested or self._is_adding or not _accepts_span_processors(provider):
                return  # no provider yet, or the API's, which records no spans
            self._is_adding = True
            try:
                self._add_to(provider)
            finally:
                self.is_requested = self._is_adding = False

    def _add_to(self, provider: SDKTracerProvider) -> None:
        """Add the exporter to the provider, unless its spans are delivered to AgentOps already."""
        from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter, AgentOpsSpanProcessor
        from agentops_otel_litellm.exporters.agentops_queue import MAX_REQUEST_SPANS

        # Created by the application, for an unknown provider.
        exporters_of_application = live_exporters() - set(self._added_exporters)
        if exporters_of_application or provider in self._providers_with_exporter or _is_delivered_by_agentops(provider):
            return
        settings, exporter = Settings.from_environment(), AgentOpsSpanExporter()
        self.record_exporters({exporter}, provider)
        processor = AgentOpsSpanProcessor(
            exporter,
            # All options, so that no invalid variable of the SDK is read here.
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


def _accepts_span_processors(provider: object) -> TypeGuard[SDKTracerProvider]:
    """Whether a provider is one of the SDK, or compatible with it."""
    return hasattr(provider, "add_span_processor")


def _is_delivered_by_agentops(provider: TracerProvider) -> bool:
    """Whether the AgentOps SDK (the package agentops) has created the provider and can export its spans.

    The exporter of the SDK, up to release 0.4.21, reads private attributes of OpenTelemetry's exporter, and exports
    nothing with releases of OpenTelemetry that lack these attributes. An exporter that does not read them is assumed
    to work.
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
"""The only instance in the process, because a span processor cannot be removed from a provider."""
