"""Exporters for the backends that `AGENTOPS_BACKEND` names, each with its URL, its headers and its conventions.

A span is written once, with the attributes of all chosen conventions. If a backend does not read some of them, its
exporter sends a copy of the span without them. The copies are made on the exporter's thread.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util.re import parse_env_headers

from agentops_otel_litellm.exporters.agentops_copies import SpanCopy
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.semconv import VOCABULARIES, choose_vocabularies
from agentops_otel_litellm.semconv.convention import Several, Vocabulary
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.backends import BACKENDS, Fault, Target, target_of
from agentops_otel_litellm.settings.destinations import backends_in_use
from agentops_otel_litellm.version import SCOPE

logger = logging.getLogger(__name__)

_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")


class BackendsSpanExporter(SpanExporter):
    """The exporter `agentops_backends`: sends spans to each backend in `AGENTOPS_BACKEND`, one after the other.

    This package's configurator creates one span processor for each backend instead, so that a slow backend does not
    delay the others.
    """

    def __init__(self) -> None:
        self.names = [name for name in backends_in_use(os.environ) if isinstance(target_of(name, os.environ), Target)]
        """The backends to which spans can be sent. `settings/backends.py` has the reasons for the others."""
        self._exporters: list[BackendSpanExporter] | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._exporters is None:
            self._exporters = [BackendSpanExporter(name) for name in self.names]
        results = [exporter.export(spans) for exporter in self._exporters]
        return SpanExportResult.FAILURE if SpanExportResult.FAILURE in results else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        for exporter in self._exporters or ():
            exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - nothing is queued here
        return True


class BackendSpanExporter(SpanExporter):
    """Sends spans to one backend by OTLP over HTTP."""

    def __init__(self, name: str) -> None:
        """Raises a ValueError if nothing can be sent to the backend, because a variable is missing or invalid."""
        target = target_of(name, os.environ)
        if isinstance(target, Fault):
            raise ValueError(target.text)  # noqa: TRY004 - the value of a variable is wrong, not a type
        self.destination = name
        session = requests.Session()
        session.auth = _OnlyOwnHeaders(target.headers)
        self._exporter = OTLPSpanExporter(endpoint=target.url, session=session)
        self._left_out = attributes_left_out(BACKENDS[name].conventions)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export(self._left_out.copies(spans))

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # untyped upstream

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class ConventionsExporter(SpanExporter):
    """An exporter of the user's, which receives the spans without the attributes that only other backends read."""

    def __init__(self, exporter: SpanExporter, conventions: Sequence[str]) -> None:
        self.exporter = exporter
        self._left_out = attributes_left_out(conventions)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self.exporter.export(self._left_out.copies(spans))

    def shutdown(self) -> None:
        self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.exporter.force_flush(timeout_millis)


class _OnlyOwnHeaders(requests.auth.AuthBase):
    """Sets the headers of a backend, and removes those in OTEL_EXPORTER_OTLP_HEADERS, which are the keys
    of a different backend.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        for variable in _HEADERS:
            for name in parse_env_headers(os.environ.get(variable, ""), liberal=True):
                request.headers.pop(name, None)
        request.headers.update(self._headers)
        return request


class LeftOut:
    """The attributes that a backend does not read, although the spans have them for other backends."""

    def __init__(self, names: frozenset[str], beginnings: tuple[str, ...]) -> None:
        self._names = names
        self._beginnings = beginnings

    def __bool__(self) -> bool:
        return bool(self._names or self._beginnings)

    def copies(self, spans: Sequence[ReadableSpan]) -> Sequence[ReadableSpan]:
        """The spans of this package without these attributes, and all other spans themselves."""
        return [self._copy(span) for span in spans] if self else spans

    def _copy(self, span: ReadableSpan) -> ReadableSpan:
        if span.instrumentation_scope is None or span.instrumentation_scope.name != SCOPE:
            return span
        with guard("copying a span for a backend"):
            kept = {
                name: value
                for name, value in (span.attributes or {}).items()
                if name not in self._names and not name.startswith(self._beginnings)
            }
            return SpanCopy(span, name=span.name, status=span.status, attributes=kept)
        return span


def attributes_left_out(conventions: Sequence[str]) -> LeftOut:
    """The attributes of the spans that a backend with these conventions does not read.

    Nothing is left out if the user has chosen the conventions with `AGENTOPS_SEMCONV`.
    """
    settings = Settings.from_environment()
    if settings.semconv is not None:
        return LeftOut(frozenset(), ())

    def rows(vocabularies: Sequence[Vocabulary]) -> dict[str, bool]:
        """Attribute → whether it is the beginning of several attributes."""
        merged = Vocabulary.merged(vocabularies)
        return {name: isinstance(row, Several) for table in merged.tables for name, row in table.rows.items()}

    read = rows([VOCABULARIES[name] for name in conventions])
    unread = {name: row for name, row in rows(choose_vocabularies(settings)).items() if name not in read}
    return LeftOut(
        frozenset(name for name, is_beginning in unread.items() if not is_beginning),
        tuple(f"{name}." for name, is_beginning in unread.items() if is_beginning),
    )
