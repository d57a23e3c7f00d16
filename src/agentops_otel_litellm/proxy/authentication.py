"""Authentication, budget checks and rate limits of LiteLLM's proxy: a span for each, with outcome and reason."""

from __future__ import annotations

from dataclasses import replace
from time import time_ns

from agentops_otel_litellm.proxy.rejections import read_check, record_rejection, rejection_failure
from agentops_otel_litellm.proxy.traced_work import Arguments, traced_work
from agentops_otel_litellm.work import Work


def _start_authentication(_arguments: Arguments) -> Work:
    return Work(kind="authentication", name="authenticate", started_at=time_ns())


def _start_limits(_arguments: Arguments) -> Work:
    return Work(kind="limits", name="check_rate_limits", started_at=time_ns())


def _end_check(work: Work, _result: object, error: BaseException | None) -> Work:
    failure = None if error is None else rejection_failure(error)
    return replace(work, check=read_check(error), failure=failure)


def _end_authentication(work: Work, result: object, error: BaseException | None) -> Work:
    if error is not None:
        record_rejection(error)
    return _end_check(work, result, error)


# LiteLLM's OpenTelemetry callback keeps the current span as the parent of all its spans, so this one is not current.
trace_authentication = traced_work(
    "recording an authentication", _start_authentication, _end_authentication, is_current=False
)
trace_limits = traced_work("recording a check of rate limits", _start_limits, _end_check)
