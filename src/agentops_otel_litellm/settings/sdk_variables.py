"""Finds invalid values of OpenTelemetry's variables, and removes or replaces them.

For some invalid values, the SDK raises an exception: nothing is set up, or, if it raises on import, the application
does not start. For others, it logs a traceback that does not name the variable. The tables at the end of this module
have the accepted values of each variable. (Names of exporters are checked in `destinations.py`.)

OpenTelemetry reads some variables on import, so this module imports nothing of OpenTelemetry that does so.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib.metadata import entry_points
from math import inf, isfinite
from typing import NamedTuple

from agentops_otel_litellm.records import clean_text
from agentops_otel_litellm.settings.parsing import (
    invalid_value,
    is_secret,
    number_of,
    warn_at_start_up,
    without_secrets,
)

logger = logging.getLogger(__name__)

Environment = Mapping[str, str]
Check = Callable[[str], str | None]
"""Function of a value that returns what is wrong with it, such as `expected true or false`; `None` if it is valid."""

PACKAGES = {
    "b3": "opentelemetry-propagator-b3",
    "b3multi": "opentelemetry-propagator-b3",
    "jaeger": "opentelemetry-propagator-jaeger",
    "ottrace": "opentelemetry-propagator-ot-trace",
    "xray": "opentelemetry-propagator-aws-xray",
}
"""Propagator in OpenTelemetry's specification → the package that provides it."""

SDK_QUEUE_SIZE = 2_048
PROCESSORS = {"OTEL_BSP": "spans", "OTEL_BLRP": "log records"}
"""Prefix of the variables of a batch processor → what that processor queues."""

HEADERS = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~\w-]+\s*=[^\r\n]*", re.ASCII)
_SIGNALS = ("", "TRACES_", "METRICS_", "LOGS_")


class Unusable(NamedTuple):
    """A variable with a value that the SDK cannot use."""

    variable: str
    text: str
    """A sentence with the variable, its value and what is expected."""
    used: str | None
    """The value that replaces it; `None` if the variable is removed, so that the SDK uses its default."""

    @property
    def instead(self) -> str:
        """A sentence about the value that is used instead."""
        if self.used is None:
            return "The default is used."
        return "Using the other headers." if is_secret(self.variable) else f"Using {self.used}."


def drop_unusable_variables(environment: MutableMapping[str, str]) -> None:
    """Remove or replace invalid values, and log a warning for each. So no setting prevents tracing or the start of the
    application.
    """
    for found in replace_unusable_variables(environment):
        warn_at_start_up(logger, "%s %s", found.text, found.instead)


def replace_unusable_variables(environment: MutableMapping[str, str]) -> list[Unusable]:
    """Remove or replace invalid values, and return them. Nothing is logged."""
    unusable = [*unusable_variables(environment)]
    for found in unusable:
        if found.used is None:
            del environment[found.variable]
        else:
            environment[found.variable] = found.used
    return unusable


def unusable_variables(environment: Environment) -> Iterator[Unusable]:
    """Find all invalid values of OpenTelemetry's variables."""
    for prefix, queued in PROCESSORS.items():
        yield from _unusable_batching(prefix, queued, environment)
    for variable, check in VALUES.items():
        text = environment.get(variable, "").strip()
        if text and (fault := check(text)):
            yield Unusable(variable, _invalid(variable, text, fault), None)
    for variable, (group, known) in NAMES.items():
        yield from _unusable_names(variable, environment.get(variable, ""), group, known)
    yield from _unusable_ratio(environment)
    for variable in HEADERS:
        yield from _unusable_headers(variable, environment.get(variable, ""))
    for variable in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        text = environment.get(variable, "")
        if text != clean_text(text):
            fault = "expected UTF-8"
            yield Unusable(variable, _invalid(variable, clean_text(text), fault), clean_text(text))


def _unusable_batching(prefix: str, queued: str, environment: Mapping[str, str]) -> Iterator[Unusable]:
    """Find invalid values of the variables of one batch processor, and a batch that is larger than the queue.
    `queued` is what the processor queues.
    """
    queue, batch = f"{prefix}_MAX_QUEUE_SIZE", f"{prefix}_MAX_EXPORT_BATCH_SIZE"
    units = {
        f"{prefix}_SCHEDULE_DELAY": "milliseconds",
        f"{prefix}_EXPORT_TIMEOUT": "milliseconds",
        queue: queued,
        batch: queued,
    }
    usable: dict[str, str] = {}
    for variable, unit in units.items():
        text = environment.get(variable, "").strip()
        if not text:
            continue
        try:
            number_of(unit)(text)
        except ValueError as accepted:
            value = repr(without_secrets(variable, text))
            yield Unusable(variable, invalid_value(variable, value, f"expected {accepted}"), None)
        else:
            usable[variable] = text
    size = usable.get(queue, str(SDK_QUEUE_SIZE))
    if int(usable.get(batch, 0)) > int(size):
        yield Unusable(batch, invalid_value(batch, usable[batch], f"expected at most {queue}, {size}"), size)


def _unusable_names(variable: str, text: str, group: str, known: frozenset[str]) -> Iterator[Unusable]:
    """Find names of components in a variable that are not installed. If the variable is a list, the others are kept.

    `group` is the entry point group of the components, `known` are names that are always installed.
    """
    names = [name.strip() for name in text.split(",")] if variable in LISTS else [text.strip()]
    missing = [name for name in names if name and not _is_installed(name, group, known)]
    if missing:
        left = [name for name in names if name and name not in missing]
        packages = sorted({PACKAGES[name] for name in missing if variable == "OTEL_PROPAGATORS" and name in PACKAGES})
        available = ", ".join(sorted({*known, *(each.name for each in entry_points(group=group))} - {""}))
        printable = ", ".join(without_secrets(variable, name) for name in missing)
        fault = f"not installed: {printable}; installed: {available}"
        install = f" To use it, pip install {' '.join(packages)}." if packages else ""
        yield Unusable(variable, f"{_invalid(variable, text, fault)}{install}", ",".join(left) or None)


def _is_installed(name: str, group: str, known: frozenset[str]) -> bool:
    return name in known or name.lower() in known & {"none"} or bool(entry_points(group=group, name=name))


def _unusable_ratio(environment: Environment) -> Iterator[Unusable]:
    """Find an invalid ratio, the argument of some samplers."""
    variable = "OTEL_TRACES_SAMPLER_ARG"
    text = environment.get(variable, "").strip()
    if text and environment.get("OTEL_TRACES_SAMPLER", "").strip().endswith("traceidratio"):
        ratio = _number(text)
        if ratio is None or not 0 <= ratio <= 1:
            yield Unusable(variable, _invalid(variable, text, "expected a number from 0 to 1"), "1.0")


def _unusable_headers(variable: str, text: str) -> Iterator[Unusable]:
    """Find headers that are not `name=value`. The SDK would quote them in a log line, although they may be keys; this
    message does not.
    """
    headers = [header.strip() for header in text.split(",") if header.strip()]
    left = [header for header in headers if _HEADER.fullmatch(header)]
    if len(left) < len(headers):
        fault = "expected name=value, separated by commas, and values URL-encoded"
        yield Unusable(variable, _invalid(variable, text, fault), ",".join(left) or None)


def _invalid(variable: str, text: str, fault: str) -> str:
    return invalid_value(variable, "" if is_secret(variable) else repr(without_secrets(variable, text)), fault)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _count(text: str) -> str | None:
    return None if text.isdecimal() else "expected an integer, 0 or more"


def _above_zero(unit: str) -> Check:
    def check(text: str) -> str | None:
        number = _number(text)
        return f"expected a number of {unit} above 0" if number is None or not 0 < number < inf else None

    return check


def _one_of(*accepted: str) -> Check:
    def check(text: str) -> str | None:
        return None if text.lower() in accepted else f"expected one of {', '.join(accepted)}"

    return check


VALUES: Mapping[str, Check] = {
    **{
        f"OTEL_{of}_{limit}_LIMIT": _count
        for of, limits in {
            "ATTRIBUTE": ("COUNT", "VALUE_LENGTH"),
            "SPAN": ("ATTRIBUTE_COUNT", "ATTRIBUTE_VALUE_LENGTH", "EVENT_COUNT", "LINK_COUNT"),
            "EVENT": ("ATTRIBUTE_COUNT",),
            "LINK": ("ATTRIBUTE_COUNT",),
            "LOGRECORD": ("ATTRIBUTE_COUNT", "ATTRIBUTE_VALUE_LENGTH"),
        }.items()
        for limit in limits
    },
    "OTEL_METRIC_EXPORT_INTERVAL": _above_zero("milliseconds"),
    "OTEL_METRIC_EXPORT_TIMEOUT": _above_zero("milliseconds"),
    **{f"OTEL_EXPORTER_OTLP_{signal}TIMEOUT": _above_zero("seconds") for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION": _one_of("none", "gzip", "deflate") for signal in _SIGNALS},
    "OTEL_METRICS_EXEMPLAR_FILTER": _one_of("trace_based", "always_on", "always_off"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _one_of("cumulative", "delta", "lowmemory"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": _one_of(
        "explicit_bucket_histogram", "base2_exponential_bucket_histogram"
    ),
}
"""Variable → the function that checks its value."""

_SAMPLERS = frozenset(
    {
        *("always_on", "always_off", "parentbased_always_on", "parentbased_always_off"),
        *("traceidratio", "parentbased_traceidratio"),
    }
)
NAMES: Mapping[str, tuple[str, frozenset[str]]] = {
    "OTEL_PYTHON_DISTRO": ("opentelemetry_distro", frozenset({"agentops"})),
    "OTEL_PYTHON_CONFIGURATOR": ("opentelemetry_configurator", frozenset({"agentops"})),
    "OTEL_PROPAGATORS": ("opentelemetry_propagator", frozenset({"tracecontext", "baggage", "none"})),
    "OTEL_PYTHON_CONTEXT": ("opentelemetry_context", frozenset({"contextvars_context"})),
    "OTEL_PYTHON_ID_GENERATOR": ("opentelemetry_id_generator", frozenset({"random"})),
    "OTEL_TRACES_SAMPLER": ("opentelemetry_traces_sampler", _SAMPLERS),
    "OTEL_PYTHON_TRACER_PROVIDER": ("opentelemetry_tracer_provider", frozenset({"sdk_tracer_provider"})),
    "OTEL_PYTHON_METER_PROVIDER": ("opentelemetry_meter_provider", frozenset({"sdk_meter_provider"})),
    "OTEL_PYTHON_LOGGER_PROVIDER": ("opentelemetry_logger_provider", frozenset({"sdk_logger_provider"})),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": ("opentelemetry_resource_detector", frozenset({"otel", "*"})),
}
"""Variable → the entry point group of the components that it names, and the names that are always installed."""
LISTS = frozenset({"OTEL_PROPAGATORS", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"})


# --- values that the SDK accepts, but that are hardly meant ---------------------------------------------------


class Doubtful(NamedTuple):
    """A variable with a value that the SDK accepts, but that the user hardly means."""

    variable: str
    text: str
    """What the value does."""
    advice: str
    is_harmful: bool = True
    """Whether telemetry is lost, and not only unusual."""


def doubtful_values(environment: Environment) -> Iterator[Doubtful]:
    """Find values that the SDK accepts, but that are hardly meant. No text has a value that may be a secret."""
    for variable, text in sorted(environment.items()):
        if not variable.startswith(("OTEL_", "AGENTOPS_")) or not text.strip():
            continue
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            advice = "Remove the quotes: `docker --env-file` and similar tools do not."
            yield Doubtful(variable, "the value has quotes, which are a part of it", advice)
        elif is_secret(variable) and _PLACEHOLDER.search(text):
            yield Doubtful(variable, "the value is a placeholder", f"Set {variable} to the key of your backend.")
    for variables, is_doubtful, text, advice, is_harmful in DOUBTFUL:
        for variable in variables:
            value = environment.get(variable, "").strip()
            if value and is_doubtful(value):
                yield Doubtful(variable, text.format(value=value), advice.format(variable=variable), is_harmful)
    yield from _doubtful_sampling(environment)
    if all(environment.get(variable) for variable in HEADERS[:2]):
        yield Doubtful(
            HEADERS[1],
            f"traces are sent without the headers in {HEADERS[0]}, because this variable replaces them",
            f"Repeat them in {HEADERS[1]}, if the backend of the traces needs them.",
            is_harmful=False,
        )


def _doubtful_sampling(environment: Environment) -> Iterator[Doubtful]:
    """Find a sampler that drops every trace, and a ratio that no sampler uses."""
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").strip()
    ratio = environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    takes_ratio = sampler.endswith("traceidratio")
    if sampler.endswith("always_off") or (takes_ratio and _number(ratio) == 0):
        variable = "OTEL_TRACES_SAMPLER_ARG" if takes_ratio else "OTEL_TRACES_SAMPLER"
        yield Doubtful(variable, "no trace is recorded, unless its caller has sampled it", f"Unset {variable}.")
    elif ratio and (not sampler or sampler in _SAMPLERS) and not takes_ratio:
        yield Doubtful(
            "OTEL_TRACES_SAMPLER_ARG",
            f"nothing uses the ratio, because OTEL_TRACES_SAMPLER is {sampler or 'not set'}: all traces are recorded",
            "Set OTEL_TRACES_SAMPLER=parentbased_traceidratio, or unset OTEL_TRACES_SAMPLER_ARG.",
        )


def _below(limit: float) -> Callable[[str], bool]:
    return lambda text: (number := _number(text)) is not None and number < limit


def _from(limit: float) -> Callable[[str], bool]:
    return lambda text: (number := _number(text)) is not None and number >= limit


_PLACEHOLDER = re.compile(r"<[\w -]+>|\byour[_-]?\w*|\bxxx+\b|\bchange[_-]?me\b|\$\{?\w+\}?", re.IGNORECASE)
MIN_ATTRIBUTES = 64
"""The number of attributes that a usual call of a model may have."""
DOUBTFUL: tuple[tuple[tuple[str, ...], Callable[[str], bool], str, str, bool], ...] = (
    (
        ("OTEL_SDK_DISABLED",),
        lambda text: text.lower() not in {"true", "false"},
        "only `true` switches the SDK off: {value!r} has no effect, so calls are traced",
        "Set {variable}=true, or unset it.",
        True,
    ),
    (
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        _below(MIN_ATTRIBUTES),
        "a span of a call has more than {value} attributes: the SDK drops the others",
        "Unset {variable}, or set it to 128 or more.",
        True,
    ),
    (
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        _below(MIN_ATTRIBUTES),
        "texts are cut to {value} characters, also ids and names of models",
        "Unset {variable}, or set it to 256 or more.",
        True,
    ),
    (
        tuple(f"OTEL_EXPORTER_OTLP_{signal}TIMEOUT" for signal in _SIGNALS),
        _from(1_000),
        "the timeout of an export is in seconds: {value} s",
        "Set {variable} in seconds, such as 10.",
        True,
    ),
    (
        ("OTEL_METRIC_EXPORT_INTERVAL",),
        _below(1_000),
        "the interval is in milliseconds: metrics are exported every {value} ms",
        "Set {variable} in milliseconds, such as 60000.",
        False,
    ),
    (
        ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"),
        _below(50),
        "the delay is in milliseconds: nearly every span has an export of its own",
        "Set {variable} in milliseconds, such as 5000.",
        False,
    ),
    (
        ("OTEL_PROPAGATORS",),
        lambda text: text.lower() == "none",
        "traces end at the borders of processes, because no context is sent or received",
        "Unset {variable}, unless that is intended.",
        False,
    ),
)
"""Variables, whether a value is doubtful, what it does, the advice, and whether telemetry is lost."""
