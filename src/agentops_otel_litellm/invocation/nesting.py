"""How calls are nested: the OpenTelemetry context in which LiteLLM runs a call, and the cost of a trace's calls."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, create_key
from opentelemetry.trace import INVALID_SPAN, Span, get_current_span, set_span_in_context

if TYPE_CHECKING:
    from agentops_otel_litellm.invocation.invocation import Invocation

CURRENT = create_key("agentops_otel_litellm.invocation")
"""The key of an OpenTelemetry context for the current invocation, which may have ended."""
_SPAN_OUTSIDE = create_key("agentops_otel_litellm.span_outside")
"""The key of an invocation's context for the span that was current outside of all invocations."""
SUPPRESSING: dict[str, object] = {}
"""The entries of a model call's context that suppress other instrumentations, so that the call has one span.
`patching/other_instrumentations.py` adds them.
"""


def invocation_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a context, if its call has not ended."""
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    return None if invocation is None or invocation.has_ended() else invocation


def call_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a model call in a context, if the call has not ended."""
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    return None if invocation is None or not invocation.calls_a_model or invocation.has_ended() else invocation


SUPPRESSED, SUPPRESSED_EARLIER = _SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"
"""The key that suppresses instrumentation in a context, and the key that earlier releases of OpenTelemetry use."""


def is_suppressed(context: Mapping[str, object]) -> bool:
    """Whether instrumentation is suppressed in this context.

    OpenTelemetry's `is_instrumentation_enabled()` is not used, because it would get the current context twice.
    """
    return bool(context.get(SUPPRESSED) or context.get(SUPPRESSED_EARLIER))


class Running:
    """A block in which LiteLLM runs for a call. Threads and tasks may share a stream, so each block has its own
    object.
    """

    __slots__ = ("_invocation", "_token")

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def __enter__(self) -> None:
        self._token = self._invocation.enter()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._invocation.leave(self._token, error)


# --- the span outside of all calls --------------------------------------------------------------------------


def outside_of_calls(context: Context) -> Context:
    """Return the context in which the current span is not the span of a call, but the span that was current before."""
    span = span_outside(context)
    return context if span is get_current_span(context) else set_span_in_context(span, context)


def span_outside(context: Context) -> Span:
    """The current span of a context; if that is the span of a call, the span that was current before."""
    current = get_current_span(context)
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    if invocation is None or not invocation.has_span_id_of(current):
        return current
    span: Span = context.get(_SPAN_OUTSIDE, INVALID_SPAN)  # type: ignore[assignment]  # nothing else is put there
    return span


def context_of(invocation: Invocation, span: Span, context: Context) -> Context:
    """The context in which LiteLLM runs for a call that was made in `context`.

    The call's span is the current one. In a call of a model, other instrumentations are suppressed; entries that the
    application has made are kept.
    """
    suppressing = SUPPRESSING if invocation.calls_a_model else {}
    inside = {**suppressing, **set_span_in_context(span, context)}
    return Context({**inside, CURRENT: invocation, _SPAN_OUTSIDE: span_outside(context)})
