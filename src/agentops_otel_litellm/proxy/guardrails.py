"""Guardrails: each run is a span `apply_guardrail {name}`, in the proxy and in calls without it.

The proxy runs a guardrail with two of its own functions. In both, the arguments have the guardrail and the mode. Calls
without the proxy, and the proxy's streams, run methods that have LiteLLM's decorator `log_guardrail_information`; these
have a span unless they run within a span of the same guardrail.

Verdict, provider and action are those of the record that LiteLLM makes for its own logging. A guardrail that makes no
record has none of them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from time import perf_counter_ns, time_ns
from typing import Any

from opentelemetry.context import Context, create_key

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.context import attach, detach, get_current
from agentops_otel_litellm.operations import by_name, parameter_names
from agentops_otel_litellm.proxy.rejections import rejection_failure
from agentops_otel_litellm.proxy.traced_work import Arguments, current_work, recording_telemetry, traced_work
from agentops_otel_litellm.readers.interventions import mark_intervention
from agentops_otel_litellm.readers.values import keyword, number, text
from agentops_otel_litellm.work import Guardrail, Work

_RECORDING = guard("recording a guardrail's verdict")

# Method of a guardrail → the mode in which LiteLLM calls it.
_MODES = {
    "async_pre_call_hook": "pre_call",
    "async_moderation_hook": "during_call",
    "async_post_call_success_hook": "post_call",
    "async_post_call_streaming_hook": "post_call",
}
_ACTIONS = frozenset({"allow", "mask", "deny"})
"""LiteLLM's own words for what a guardrail did. Any other text in their place may be of the request."""
_INTERVENED, _PASSED = "guardrail_intervened", "success"
_NANOSECONDS = 1_000_000_000


def _name_of(guardrail: Any) -> str:  # noqa: ANN401 - an object of LiteLLM or of the application
    return text(getattr(guardrail, "guardrail_name", None)) or type(guardrail).__name__


def _work(guardrail: object, mode: str | None) -> Work:
    name = _name_of(guardrail)
    facts = Guardrail(name=name, mode=mode)
    return Work(kind="guardrail", name=f"apply_guardrail {name}", guardrail=facts, started_at=time_ns())


def _subject(arguments: Arguments) -> object:
    return arguments.get("callback")


def _start_run(arguments: Arguments) -> Work | None:
    """The run of a guardrail by the proxy."""
    guardrail = arguments.get("callback")
    return None if guardrail is None else _work(guardrail, keyword(arguments.get("hook_type")))


def _end_run(work: Work, _result: object, error: BaseException | None) -> Work:
    """Categorise the failure as the proxy does: an intervention is no fault of the guardrail."""
    if error is None:
        return work
    has_intervened = work.guardrail is not None and work.guardrail.verdict == _INTERVENED
    failure = rejection_failure(error, "content_filter" if has_intervened else None)
    if failure.category == "content_filter":
        mark_intervention(error)
    return replace(work, failure=failure)


trace_run = traced_work("recording a guardrail", _start_run, _end_run, subject=_subject)
"""Wraps the proxy's functions that run a guardrail."""


def _start_method(arguments: Arguments) -> Work | None:
    """A method of a guardrail, unless a span of the same guardrail is open."""
    guardrail, method = arguments.get("self"), arguments.get(_METHOD)
    outer = current_work()
    if guardrail is None or (outer is not None and outer.subject is guardrail):
        return None
    run = get_current().get(_DEPLOYMENT_RUN)
    if isinstance(run, _DeploymentRun) and run.guardrail is guardrail:
        run.has_span = True
    return _work(guardrail, _MODES.get(str(method)))


_METHOD = "agentops_otel_litellm.method"


def trace_methods(decorator: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap LiteLLM's decorator for the methods of guardrails, so that each of these methods is traced."""

    @wraps(decorator)
    def tracing_decorator(method: Any) -> Any:  # noqa: ANN401 - as LiteLLM's decorator
        decorated = decorator(method)
        with _RECORDING:
            return _traced_method(method, decorated)
        return decorated

    return tracing_decorator


def _traced_method(method: Any, decorated: Any) -> Any:  # noqa: ANN401 - functions of any signature
    """Return the method with LiteLLM's decorator, traced.

    LiteLLM's decorator returns a plain function also for an asynchronous method, and so does this one.
    """
    name = method.__name__
    traced = traced_work(
        "recording a guardrail",
        lambda arguments: _start_method({**arguments, _METHOD: name}),
        _end_run,
        subject=lambda arguments: arguments.get("self"),
    )
    if not inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(decorated):
        return traced(decorated)

    @wraps(decorated)
    async def awaiting(*args: object, **kwargs: object) -> object:
        return await decorated(*args, **kwargs)

    traced_coroutine = traced(awaiting)

    @wraps(decorated)
    def traced_method(*args: object, **kwargs: object) -> object:
        return traced_coroutine(*args, **kwargs)

    return traced_method


# --- guardrails without LiteLLM's decorator, in calls without the proxy --------------------------------------

_DEPLOYMENT_RUN = create_key("agentops_otel_litellm.deployment_run")


@dataclass(slots=True)
class _DeploymentRun:
    """A method with which LiteLLM runs a guardrail inside a call, if the application wants that guardrail."""

    guardrail: object
    mode: str
    context: Context
    started_at: int
    started: int
    has_span: bool = False


def trace_deployment_hook(mode: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a wrapper of such a method. It stores when the method has started, for `record_deployment_run`."""

    def wrapper(hook: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(hook)
        async def traced_hook(guardrail: object, *args: object, **kwargs: object) -> object:
            if recording_telemetry() is None:
                return await hook(guardrail, *args, **kwargs)
            outer = get_current()
            run = _DeploymentRun(guardrail, mode, outer, time_ns(), perf_counter_ns())
            token = attach(Context({**outer, _DEPLOYMENT_RUN: run}))
            try:
                return await hook(guardrail, *args, **kwargs)
            finally:
                detach(token)

        return traced_hook

    return wrapper


trace_before_deployment = trace_deployment_hook("pre_call")
trace_after_deployment = trace_deployment_hook("post_call")


def record_deployment_run(record: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the method with which LiteLLM notes that it has run a guardrail inside a call. The run gets a span, unless a
    method with LiteLLM's decorator has created one.
    """

    @wraps(record)
    def recording(guardrail: object, *args: object, **kwargs: object) -> object:
        error = sys.exc_info()[1]
        result = record(guardrail, *args, **kwargs)
        with _RECORDING:
            _record_run(guardrail, error)
        return result

    return recording


def _record_run(guardrail: object, error: BaseException | None) -> None:
    telemetry, run = recording_telemetry(), get_current().get(_DEPLOYMENT_RUN)
    if telemetry is None or not isinstance(run, _DeploymentRun) or run.guardrail is not guardrail or run.has_span:
        return
    work = replace(_work(guardrail, run.mode), started_at=run.started_at)
    span = telemetry.start_work(work, run.context)
    ended = replace(work, ended_at=run.started_at + perf_counter_ns() - run.started)
    telemetry.finish_work(span, _end_run(ended, None, error))


# --- LiteLLM's own records ----------------------------------------------------------------------------------


def record_verdict(add: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the method with which LiteLLM adds its record of a guardrail's run to the request.

    The facts are added to the span of the run. If there is none, because the guardrail's class was created before
    LiteLLM was instrumented, the run gets a span with the times of LiteLLM's record.
    """
    names = parameter_names(add)

    @wraps(add)
    def recording(*args: object, **kwargs: object) -> object:
        result = add(*args, **kwargs)
        with _RECORDING:
            _record(by_name(names, args, kwargs))
        return result

    return recording


def _record(arguments: Arguments) -> None:
    telemetry = recording_telemetry()
    if telemetry is None:
        return
    guardrail = arguments.get("self")
    facts = _read_record(arguments, guardrail)
    run = current_work()
    if run is not None and run.subject is guardrail:
        run.work = replace(run.work, guardrail=_merged(run.work.guardrail or Guardrail(), facts))
        return
    pending = get_current().get(_DEPLOYMENT_RUN)
    if isinstance(pending, _DeploymentRun) and pending.guardrail is guardrail:
        pending.has_span = True
    started_at, ended_at = _times(arguments)
    work = replace(_work(guardrail, None), guardrail=facts, started_at=started_at, ended_at=ended_at)
    telemetry.finish_work(telemetry.start_work(work, get_current()), work)


def _read_record(arguments: Arguments, guardrail: Any) -> Guardrail:  # noqa: ANN401 - an object of LiteLLM
    """The facts of LiteLLM's record. The texts in it, which may be of the request, are not read."""
    details = arguments.get("tracing_detail")
    raw_action = details.get("guardrail_action") if isinstance(details, Mapping) else None
    response = arguments.get("guardrail_json_response")
    mode = arguments.get("event_type") or getattr(guardrail, "event_hook", None)
    return Guardrail(
        name=_name_of(guardrail),
        mode=keyword(getattr(mode, "value", mode)),  # a guardrail with several modes has a list of them
        provider=keyword(arguments.get("guardrail_provider")),
        verdict=keyword(arguments.get("guardrail_status")),
        action=keyword(raw_action) or (response if isinstance(response, str) and response in _ACTIONS else None),
    )


def _merged(before: Guardrail, facts: Guardrail) -> Guardrail:
    """The facts of a further record of the same run. A guardrail that has intervened once has intervened."""
    if before.verdict is not None and facts.verdict == _PASSED:
        return before
    return replace(before, **vars(facts))


def _times(arguments: Arguments) -> tuple[int, int]:
    """Start and end of a run by LiteLLM's record, in nanoseconds since the epoch."""
    now = time_ns()
    start, end, duration = (number(arguments.get(name)) for name in ("start_time", "end_time", "duration"))
    ended_at = now if end is None else int(end * _NANOSECONDS)
    if start is not None:
        return int(start * _NANOSECONDS), ended_at
    return ended_at - int((duration or 0) * _NANOSECONDS), ended_at
