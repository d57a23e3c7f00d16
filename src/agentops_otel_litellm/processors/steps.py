"""The processors of a finished call, in the order in which they run.

The processors for streams, and the code that loads the redactors, are in this file.
"""

from __future__ import annotations

import logging
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import accumulate, count
from operator import attrgetter
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.pricing.precedence import (
    create_package_price_processor,
    create_user_price_processor,
    drop_estimate,
    drop_unknown_cost,
    drop_unneeded_estimate,
    move_cached_usage_to_saved,
    read_prices,
)
from agentops_otel_litellm.processors.content import Limits, create_content_processor, drop_content
from agentops_otel_litellm.processors.errors import (
    categorise_failure,
    count_retries,
    create_provider_processor,
    set_deployment,
)
from agentops_otel_litellm.processors.redaction import Redactor, redactor
from agentops_otel_litellm.settings import Settings

logger = logging.getLogger(__name__)

Processor = Callable[[Call], Call]


class Step(NamedTuple):
    """A processor, and a quick check whether it can change a call. Most processors change few calls."""

    process: Processor
    applies: Callable[[Call], object] | None = None


def pipeline(
    settings: Settings, price_unmapped: Callable[[Call], Cost | None], *, records_content: bool
) -> tuple[Step, ...]:
    """Return the steps for the user's settings, in the order in which they run.

    `price_unmapped` computes the cost of a call whose model has no price in LiteLLM. `records_content` is whether
    spans, events or a completion hook record message content. If it is false, the last step drops the content.
    """
    user_prices = () if settings.prices is None else (Step(create_user_price_processor(read_prices(settings.prices))),)
    return (
        Step(create_provider_processor(dict(settings.model_providers)), _lacks_provider),
        Step(drop_partial_output_count, _STREAM),
        *user_prices,
        Step(move_cached_usage_to_saved, _is_cached),
        Step(drop_incomplete_finish_reasons, _STREAM),
        Step(add_stream_statistics, _STREAM),
        Step(count_retries, _has_failed_attempt),
        Step(set_deployment, _is_around_calls),
        Step(categorise_failure, _has_failed_attempt),
        Step(drop_unknown_cost, _has_doubtful_cost),
        Step(create_package_price_processor(price_unmapped), _lacks_cost),
        Step(drop_unneeded_estimate if settings.estimate_usage else drop_estimate, attrgetter("estimate")),
        Step(_content_processor(settings) if records_content else drop_content, attrgetter("content")),
    )


_STREAM = attrgetter("stream")


def _lacks_provider(call: Call) -> bool:
    attempts = () if call.attempts is None else call.attempts.made
    return call.target.provider is None or None in map(attrgetter("provider"), attempts)


def _is_cached(call: Call) -> object:
    return call.response is not None and call.response.cache_hit


def _has_failed_attempt(call: Call) -> bool:
    """Whether the call or one of its attempts has failed. A retry always follows a failed attempt."""
    attempts = () if call.attempts is None else call.attempts.made
    return call.failure is not None or any(map(attrgetter("failure"), attempts))


def _is_around_calls(call: Call) -> bool:
    """Whether the call consists of other calls, such as a request to the Router."""
    return call.operation is None


def _has_doubtful_cost(call: Call) -> bool:
    """Whether LiteLLM may have calculated the cost from an estimate of the tokens, or set 0 for lack of a price."""
    return call.cost is not None and (call.usage is None or not call.cost.total)


def _lacks_cost(call: Call) -> bool:
    return call.cost is None and call.usage is not None


def _content_processor(settings: Settings) -> Processor:
    """Return the processor that redacts and shortens content, for the user's settings."""
    media = settings.media_limit if settings.capture_media else 0
    return create_content_processor(
        Redactors(settings), Limits(part=settings.part_limit, call=settings.call_limit, media=media)
    )


# --- streams ----------------------------------------------------------------------------------------------


def drop_partial_output_count(call: Call) -> Call:
    """Drop the count of output tokens of a stream that ended early and has no finish reason.

    Some providers report usage at the start of a stream, with all input tokens and 0 or 1 output tokens. They report
    the actual number of output tokens at the end, which was not received.
    """
    usage, stream = call.usage, call.stream
    if usage is None or stream is None or stream.outcome == "completed":
        return call
    reasons = call.response.finish_reasons if call.response is not None else None
    if reasons and None not in reasons:
        return call
    return replace(
        call,
        usage=replace(
            usage,
            output=None,
            total=None,
            reasoning=None,
            output_text=None,
            output_image=None,
            output_audio=None,
        ),
    )


def drop_incomplete_finish_reasons(call: Call) -> Call:
    """Drop all finish reasons of a complete stream if the reason of any choice is missing.

    The provider has sent a reason for each choice. But if there are several choices, LiteLLM may lose some reasons, and
    assign the others to the wrong choice.
    """
    stream, response = call.stream, call.response
    if stream is None or stream.outcome != "completed" or stream.first_chunk is None:
        return call
    if response is None or None not in (response.finish_reasons or ()):
        return call
    return replace(call, response=replace(response, finish_reasons=None))


def add_stream_statistics(call: Call) -> Call:
    """Add durations and rates to a stream of two chunks or more. There are no rates if its duration is 0."""
    stream = call.stream
    if stream is None or stream.first_chunk is None or stream.last_chunk is None or not stream.gaps:
        return call
    duration = stream.last_chunk - stream.first_chunk
    p50, p95, p99 = _percentiles(stream.gaps, 0.5, 0.95, 0.99)
    output = call.usage.output if call.usage else None
    return replace(
        call,
        stream=replace(
            stream,
            duration=duration,
            longest_gap=max(stream.gaps),
            chunks_per_second=(stream.chunk_count - 1) / duration if duration else None,
            tokens_per_second=output / duration if duration and output is not None else None,
            gap_p50=p50,
            gap_p95=p95,
            gap_p99=p99,
        ),
    )


def _percentiles(gaps: Mapping[float, int], *shares: float) -> list[float]:
    """Percentiles by the nearest-rank method. `gaps` is length of a gap → how often it occurred."""
    lengths = sorted(gaps)
    ranks = list(accumulate(map(gaps.__getitem__, lengths)))
    return [lengths[bisect_left(ranks, share * ranks[-1])] for share in shares]


# --- redactors ---


ENTRY_POINTS = "agentops_otel_litellm_redactor"
"""The entry point group for redactors of installed packages. All of them are used."""


class Redactors:
    """Returns all redactors. They are loaded when the first content is redacted: a module with a redactor of the user's
    may import LiteLLM, so it must not be imported while LiteLLM itself is being imported.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: tuple[Redactor, ...] | None = None
        self._has_failed = False
        self._failures = count()
        self._thread = threading.local()

    def __call__(self) -> tuple[Redactor, ...] | None:
        """Return the redactors. `None` if a redactor of the user's cannot be loaded, for which a warning is logged
        once, or while it is being loaded by this thread. Then no content may be recorded.
        """
        if self._all is not None or self._has_failed or self._is_loading:
            return self._all
        # A lock could deadlock: the imported module may call LiteLLM, or wait for a thread that calls LiteLLM. Without
        # one, several threads may load the redactors at the same time, but Python imports each module once.
        self._thread.is_loading = True
        try:
            self._all = (redactor(self._settings.redact), *_load_user_redactors(self._settings))
        except _CannotBeLoaded as reason:
            self._fail(reason)
        finally:
            self._thread.is_loading = False
        return self._all

    @property
    def _is_loading(self) -> bool:
        """Whether this thread is importing a redactor's module, so that the module has called LiteLLM on import."""
        return getattr(self._thread, "is_loading", False)

    def _fail(self, reason: _CannotBeLoaded) -> None:
        # Only one thread may log. `next` is atomic; a lock could deadlock, if a signal handler interrupts its owner.
        is_first = next(self._failures) == 0
        self._has_failed = True
        if is_first and self._all is None:
            logger.warning("%s. No content is recorded.", reason)


class _CannotBeLoaded(Exception):  # noqa: N818 - an error of the user's redactor, not of this package
    """A redactor of the user's cannot be loaded. The message names the redactor and the reason."""


def _load_user_redactors(settings: Settings) -> Iterator[Redactor]:
    """Load the redactors of installed packages, and the one in AGENTOPS_REDACTOR. Raises: `_CannotBeLoaded`."""
    named = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if settings.redactor:
        named["AGENTOPS_REDACTOR"] = settings.redactor
    for name, reference in named.items():
        try:
            loaded = _resolve(reference)
        except (Exception, SystemExit) as fault:  # the module may be a script that calls `sys.exit`
            raise _CannotBeLoaded(
                f"The redactor {name}={reference!r} cannot be loaded ({type(fault).__name__})"
            ) from fault
        if not callable(loaded):
            raise _CannotBeLoaded(f"The redactor {name}={reference!r} is not a function (expected `module:function`)")
        yield loaded


def _resolve(reference: str) -> Any:  # noqa: ANN401 - any object can have the name
    """Import the object to which a reference such as `module:function` refers."""
    module, colon, name = reference.partition(":")
    return resolve_name(f"__main__:{name}" if colon and _is_program(module) else reference)


def _is_program(module: str) -> bool:
    """Whether the module is the running program, whose name is `__main__`. To import it would run it a second time."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if program is None or module in sys.modules or Path(program).stem != module.rpartition(".")[2]:
        return False
    spec = find_spec(module)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(program).resolve()
