"""The OpenTelemetry context in which LiteLLM runs a call, and the current span outside of all calls.

`get_current`, `attach` and `detach` do the same as OpenTelemetry's functions with these names. They are used for each
call and each chunk, so they call OpenTelemetry's context variable directly, without the functions in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from opentelemetry import context as opentelemetry_context
from opentelemetry.context import _RUNTIME_CONTEXT, _SUPPRESS_INSTRUMENTATION_KEY, Context, create_key
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import INVALID_SPAN, Span, get_current_span, set_span_in_context

if TYPE_CHECKING:
    from agentops_otel_litellm.invocation.invocation import Invocation

# --- the current context ----------------------------------------------------------------------------------


def _context_variable() -> ContextVar[Context] | None:
    """The variable in which OpenTelemetry stores the current context. `None` if there is none, because the user has
    chosen a different implementation with `OTEL_PYTHON_CONTEXT`.
    """
    variable = getattr(_RUNTIME_CONTEXT, "_current_context", None)
    is_default = type(_RUNTIME_CONTEXT) is ContextVarsRuntimeContext and isinstance(variable, ContextVar)
    return variable if is_default else None


_VARIABLE = _context_variable()

get_current: Callable[[], Context] = opentelemetry_context.get_current if _VARIABLE is None else _VARIABLE.get
"""Returns the current context."""
attach: Callable[[Context], Token[Context]] = opentelemetry_context.attach if _VARIABLE is None else _VARIABLE.set
"""Makes a context the current one, and returns the token for `detach`."""
reset: Callable[[Token[Context]], None] = opentelemetry_context.detach if _VARIABLE is None else _VARIABLE.reset
"""Does the same as `detach`, but may raise a `ValueError` or `RuntimeError` if this runs in a different context."""


def detach(token: Token[Context]) -> None:
    """Restore the context that was the current one before `attach` returned `token`. If that fails, because this runs
    in a different context, OpenTelemetry logs it.
    """
    try:
        reset(token)
    except (ValueError, RuntimeError):
        opentelemetry_context.detach(token)


# --- the context of a call --------------------------------------------------------------------------------


CURRENT = create_key("agentops_otel_litellm.invocation")
"""The context key of the current invocation. Its call may have ended."""
_SPAN_OUTSIDE = create_key("agentops_otel_litellm.span_outside")
"""The context key of the span that was current before the outermost traced call."""
SUPPRESSING: dict[str, object] = {}
"""The context entries that suppress other instrumentations during a model call, so that the call has one span.
`patching/other_instrumentations.py` fills this dictionary.
"""


def invocation_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a context; `None` if there is none, or if its call has ended."""
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
    return None if invocation is None or invocation.has_ended() else invocation


def call_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a context, if it is a call of a model that has not ended; otherwise `None`."""
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
    return None if invocation is None or not invocation.calls_a_model or invocation.has_ended() else invocation


SUPPRESSED, SUPPRESSED_EARLIER = _SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"
"""The key that suppresses instrumentation in a context, and the key that earlier releases of OpenTelemetry use."""


def is_suppressed(context: Mapping[str, object]) -> bool:
    """Whether instrumentation is suppressed in this context.

    OpenTelemetry's `is_instrumentation_enabled()` is not used, because it would get the current context twice.
    """
    return bool(context.get(SUPPRESSED) or context.get(SUPPRESSED_EARLIER))


@contextmanager
def suppressed() -> Iterator[None]:
    """A block in which nothing is recorded."""
    token = attach(Context({**get_current(), SUPPRESSED: True}))
    try:
        yield
    finally:
        detach(token)


# --- the span outside of all calls --------------------------------------------------------------------------


def outside_of_calls(context: Context) -> Context:
    """Return `context` with a current span that is not the span of a traced call, as `span_outside` finds it."""
    span = span_outside(context)
    return context if span is get_current_span(context) else set_span_in_context(span, context)


def span_outside(context: Context) -> Span:
    """The current span of a context. If that is the span of a traced call, the span that was current before the
    outermost traced call.
    """
    current = get_current_span(context)
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
    if invocation is None or not invocation.has_span_id_of(current):
        return current
    span: Span = context.get(_SPAN_OUTSIDE, INVALID_SPAN)  # type: ignore[assignment]  # always a span
    return span


def context_of(invocation: Invocation, span: Span, context: Context) -> Context:
    """The context in which LiteLLM runs for a call that was made in `context`.

    The call's span is the current span. In a call of a model, other instrumentations are suppressed, unless the
    application has set the same entries of the context.
    """
    suppressing = SUPPRESSING if invocation.calls_a_model else {}
    inside = {**suppressing, **set_span_in_context(span, context)}
    return Context({**inside, CURRENT: invocation, _SPAN_OUTSIDE: span_outside(context)})
