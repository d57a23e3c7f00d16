"""Who delivers spans to AgentOps, where it is a destination: once, whoever has set the SDK up.

Our configurator has the SDK make the exporter. Where the user has named other exporters, or a file, it adds it to what
the SDK has made; where another configurator has won, or the app sets the SDK up itself, the instrumentor adds it to the
provider that LiteLLM's spans come from. An app that adds one itself does so before it instruments LiteLLM: nobody sees
later what a provider has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from threading import RLock
from typing import TYPE_CHECKING, TypeGuard
from weakref import WeakSet

from opentelemetry.metrics import get_meter

from agentops_otel_litellm.destinations import sends_to_agentops
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.launch.defaults import SDK_BATCH_SIZE
from agentops_otel_litellm.launch.providers import TRACES
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.version import SCOPE, __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider as SDKTracerProvider
    from opentelemetry.trace import TracerProvider

    from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter

# What the exporter of the package agentops reads of OpenTelemetry's, in releases that break where that is gone.
_READ_BY_AGENTOPS = ("_session", "_headers")


class Delivery:
    """Adds the exporter to a provider, once there is one that takes it."""

    def __init__(self) -> None:
        self._waits = False
        self._given: TracerProvider | None = None
        self.renew()
        FORK.renews("delivery", self.renew)
        self._has_one: WeakSet[TracerProvider] = WeakSet()
        self._placed: WeakSet[AgentOpsSpanExporter] = WeakSet()

    def renew(self) -> None:
        """After a fork: what another thread had begun is begun anew."""
        self._lock = RLock()
        self._adds = False

    def wanted(self, provider: TracerProvider | None) -> None:
        """LiteLLM's spans come from this provider from now on, or from the global one, which may still be set."""
        if sends_to_agentops(os.environ):
            with self._lock:
                self._given = provider
                self._waits = True
            self.prepare()

    def found(self, made: Collection[AgentOpsSpanExporter], provider: object) -> None:
        """These are the provider's, and of no other."""
        if made and _takes_processors(provider):
            self._has_one.add(provider)
            self._placed.update(made)

    def unwanted(self) -> None:
        self._waits = False
        self._given = None

    def prepare(self) -> None:
        """Before each span: see whether the provider is there by now."""
        if self._waits:
            with guard("looking for a way to AgentOps"):
                self._look()

    def _look(self) -> None:
        with self._lock:  # a thread that comes second finds it added: its span may end at once
            provider = TRACES.provider if self._given is None else self._given
            if not self._waits or self._adds or not _takes_processors(provider):
                return  # there is none yet, or the API's own, which gives no spans
            self._adds = True
            try:
                self._add_to(provider)
            finally:
                self._waits = self._adds = False

    def _add_to(self, provider: SDKTracerProvider) -> None:
        from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter, AgentOpsSpanProcessor

        of_unknown = live_exporters() - set(self._placed)  # the app's, of whichever provider
        if of_unknown or provider in self._has_one or _is_delivered_by_agentops(provider):
            return
        settings, exporter = Settings.from_environment(), AgentOpsSpanExporter()
        self.found({exporter}, provider)
        processor = AgentOpsSpanProcessor(
            exporter,
            # All of it, lest a variable of the SDK's that cannot be used reaches the app.
            max_queue_size=max(settings.max_queue_size, SDK_BATCH_SIZE * 4),
            schedule_delay_millis=settings.flush_interval,
            max_export_batch_size=SDK_BATCH_SIZE,
            export_timeout_millis=settings.max_wait_time,
        )
        provider.add_span_processor(processor)
        processor.observe_with(get_meter(f"{SCOPE}.sdk", __version__))


def live_exporters() -> set[AgentOpsSpanExporter]:
    """Those of this process that are not shut down, whoever has made them."""
    module = sys.modules.get("agentops_otel_litellm.exporters.agentops.exporter")  # who makes one loads it
    return set() if module is None else set(module.AgentOpsSpanExporter.instances)


def _takes_processors(provider: object) -> TypeGuard[SDKTracerProvider]:
    """Whether it is the SDK's, or is one in its place."""
    return hasattr(provider, "add_span_processor")


def _is_delivered_by_agentops(provider: TracerProvider) -> bool:
    """Whether the provider is that of the package agentops, and its exporter works with this OpenTelemetry.

    Its releases up to 0.4.21 read private attributes of the stock exporter that are gone in OpenTelemetry's newer ones,
    and then export nothing. Another release, which does not name them, is taken to work.
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
"""One for ever: what was added to a provider stays there."""
