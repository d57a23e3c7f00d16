"""The copy of a span that AgentOps receives, and the link to a trace. The application's span is not changed."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode, format_trace_id
from opentelemetry.util.types import Attributes

from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.version import SCOPE

TAGS = "agentops.tags"
KIND = "agentops.span.kind"
_OF_CALLS = "gen_ai."
"""Prefix of attributes by which AgentOps recognises a call of a model."""
_OK = Status(StatusCode.OK)
_REMEMBERED = 256
"""Number of traces whose links are remembered, so that the link of a trace in several batches is printed once."""


class SpanCopy(ReadableSpan):
    """A copy of a finished span, with a different name, status and attributes."""

    def __init__(self, span: ReadableSpan, *, name: str, status: Status, attributes: Attributes) -> None:
        super().__init__(
            name=name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes,
            events=span.events,
            links=span.links,
            kind=span.kind,
            status=status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        self._dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)

    @property
    def dropped_attributes(self) -> int:
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        return self._dropped[2]


class SpanCopies:
    """Copies spans for AgentOps, according to the settings."""

    def __init__(self, settings: Settings) -> None:
        self._tags = settings.default_tags
        self._trace_name = settings.trace_name

    def copy(self, span: ReadableSpan) -> ReadableSpan:
        """Return the copy of a span.

        The copy has the status OK unless the span failed, because AgentOps shows the status of the latest span of a
        trace, and shows UNSET as indeterminate. The first span of a trace in this process gets the trace's name and
        tags.
        """
        name, status, attributes = span.name, span.status, _attributes(span)
        if status.status_code is StatusCode.UNSET:
            status = _OK
        if span.parent is None or span.parent.is_remote:
            name = self._trace_name or name
            if self._tags:
                attributes = {**(attributes or {}), TAGS: self._tags}
        return SpanCopy(span, name=name, status=status, attributes=attributes)


def _attributes(span: ReadableSpan) -> Attributes:
    """The attributes of a span. Spans of this package that are not calls of a model, such as batches, lose the
    attributes `gen_ai.*`: AgentOps would show these spans as calls without a prompt, or count tokens twice.
    """
    attributes, scope = span.attributes, span.instrumentation_scope
    if scope is None or scope.name != SCOPE or attributes is None or attributes.get(KIND) != "operation":
        return attributes
    return {name: value for name, value in attributes.items() if not name.startswith(_OF_CALLS)}


class ReplayLinks:
    """Prints the link of each trace on stderr, once; by default only if stderr is a terminal."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.replay_links
        self._url = settings.app_url.rstrip("/")
        self._printed: deque[int] = deque(maxlen=_REMEMBERED)

    def print_links(self, spans: Iterable[ReadableSpan]) -> None:
        """Print the links of the traces that began in this process."""
        if self._wanted is False:
            return
        traces = [span.context.trace_id for span in spans if span.parent is None and span.context is not None]
        new = [trace for trace in dict.fromkeys(traces) if trace not in self._printed]
        self._printed.extend(new)
        self._print([f"AgentOps: {self._url}/sessions?trace_id={format_trace_id(trace)}\n" for trace in new])

    def _print(self, lines: Sequence[str]) -> None:
        with suppress(Exception):  # there is no stderr, it is closed, or the application replaced it
            if lines and (self._wanted or sys.stderr.isatty()):
                sys.stderr.write("".join(lines))
                sys.stderr.flush()
