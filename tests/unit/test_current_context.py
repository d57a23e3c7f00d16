"""The functions that set the current context do the same as OpenTelemetry's."""

from __future__ import annotations

import contextvars

import pytest
from opentelemetry import context as opentelemetry_context
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

from agentops_otel_litellm.invocation import context
from support.logged_warnings import LoggedWarnings


def test_context_is_that_of_opentelemetry() -> None:
    before = opentelemetry_context.get_current()
    inside = Context({"key": "value"})
    token = context.attach(inside)
    assert opentelemetry_context.get_current() is inside
    context.detach(token)
    assert opentelemetry_context.get_current() is before
    token = opentelemetry_context.attach(inside)
    assert context.get_current() is inside
    opentelemetry_context.detach(token)
    assert context.get_current() is before


def test_a_token_of_a_different_context_is_logged_as_by_opentelemetry(logged: LoggedWarnings) -> None:
    token = contextvars.copy_context().run(context.attach, Context())
    opentelemetry_context.detach(token)
    context.detach(token)
    assert logged.take() == ["Failed to detach context"] * 2


class OtherRuntimeContext(ContextVarsRuntimeContext):
    """An implementation that the user has chosen with `OTEL_PYTHON_CONTEXT`."""


@pytest.mark.parametrize("runtime", [OtherRuntimeContext(), object()], ids=["subclass", "other"])
def test_another_implementation_is_not_bypassed(runtime: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_RUNTIME_CONTEXT", runtime)
    assert context._context_variable() is None
