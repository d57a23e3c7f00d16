"""Checks of `doctor` on the configuration: the destinations of each signal, the delivery of a test span, and the value
of each setting. Secrets are masked.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from http import HTTPStatus
from importlib.metadata import entry_points
from typing import Any
from uuid import UUID

from agentops_otel_litellm.cli.probe import DELIVERY_PROBE, NOT_SAMPLED, Attempt, run_probe
from agentops_otel_litellm.cli.report import Examined, Record, notice, ok, problem
from agentops_otel_litellm.exporters.agentops_queue import COPY
from agentops_otel_litellm.pricing.precedence import why_unusable
from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.sdk.distro import (
    AGENTOPS_SDK_VARIABLES,
    Unread,
    is_switched_off,
    unread,
)
from agentops_otel_litellm.semconv import ENTRY_POINTS, VOCABULARIES, default_names
from agentops_otel_litellm.settings import Settings, fault_in_choice, parse_setting, unknown_options
from agentops_otel_litellm.settings.backends import BACKENDS, target_of
from agentops_otel_litellm.settings.backends import Target as DeliveryTarget
from agentops_otel_litellm.settings.config_file import (
    INSTRUMENTATION,
    Option,
    configuration_file,
    is_configured_by_file,
)
from agentops_otel_litellm.settings.destinations import (
    AGENTOPS,
    BACKENDS_EXPORTER,
    CONSOLE,
    HTTP,
    SIGNALS,
    TERMINALS,
    backends_in_use,
    default_exporter,
    destinations,
    endpoint_variable,
    entry_point_name,
    lacks_service_name,
    missing_certificate_files,
    missing_exporters,
    sends_to_agentops,
    unusable_backends,
    unusable_endpoints,
)
from agentops_otel_litellm.settings.parsing import (
    MASK,
    format_value,
    hides_its_value,
    instead,
    masked,
    quoted,
)
from agentops_otel_litellm.settings.sdk_variables import unusable_variables

SET_DESTINATION = "set OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318, or AGENTOPS_API_KEY."
GRPC_DEFAULT, HTTP_DEFAULT = "http://localhost:4317", "http://localhost:4318"

SEND_SECONDS = 30
"""Maximum seconds for which `--send` waits. The exporters have shorter timeouts."""
STATUSES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "Check that the endpoint accepts OTLP over HTTP.",
    HTTPStatus.UNAUTHORIZED: "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS or AGENTOPS_API_KEY.",
    HTTPStatus.FORBIDDEN: "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS or AGENTOPS_API_KEY.",
    HTTPStatus.NOT_FOUND: "Check the path: OTEL_EXPORTER_OTLP_ENDPOINT is a base URL, "
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT the full URL.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Check the path of the endpoint: the server does not accept OTLP there.",
}
"""HTTP status with which a destination rejects a span → advice for the user."""
ERRORS = {
    "BadStatusLine": "The server does not speak HTTP/1.1: use the port for OTLP over HTTP, usually 4318.",
    "ConnectionRefusedError": "Nothing listens on the endpoint: start the backend, or check the endpoint.",
    "NewConnectionError": "Nothing listens on the endpoint: start the backend, or check the endpoint.",
    "NameResolutionError": "The host does not exist: check the endpoint.",
    "CERTIFICATE_VERIFY_FAILED": "The certificate is signed by an unknown authority, such as the server itself: set "
    "OTEL_EXPORTER_OTLP_CERTIFICATE to the file with its certificate.",
    "WRONG_VERSION_NUMBER": "The server does not use TLS: begin the endpoint with http://.",
    "ProxyError": "An HTTP proxy does not forward the request: add the endpoint's host to NO_PROXY.",
    "SSLError": "Check the certificate, and whether the endpoint uses https.",
    "ConnectTimeout": "Check the endpoint, and firewalls in between.",
    "ReadTimeout": "The server accepts connections but does not respond: check the backend's log.",
    "MissingSchema": "The endpoint must begin with http:// or https://.",
    "InvalidSchema": "The endpoint must begin with http:// or https://.",
    "UNAVAILABLE": "No gRPC server listens on the endpoint: check it, and OTEL_EXPORTER_OTLP_PROTOCOL.",
    "UNAUTHENTICATED": "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS.",
}
"""Class of a network error, or gRPC status → advice for the user."""
DEFAULT_ADVICE = "Check the endpoint, the network and the backend's log."

DECLARED: dict[str, Field[Any]] = {declared.metadata["variable"]: declared for declared in fields(Settings)}
"""Variable of a setting of this package → its declaration."""


# --- destinations ----------------------------------------------------------------------------------------------------


def check_destinations(examined: Examined) -> Iterator[Record]:
    """Report the destinations of each signal, and the problems of exporters, endpoints, keys and the service name."""
    by_file = is_configured_by_file(examined.variables)
    if by_file or not examined.has_our_distro:
        yield ok("all signals", f"configured by {'OTEL_CONFIG_FILE' if by_file else 'the other distro'}")
        yield from _check_added_agentops(examined)
        return
    for signal in SIGNALS:
        yield _check_signal(signal, examined)
    for missing in missing_exporters(examined.environment):
        yield problem(missing.signal.lower(), missing.text, missing.advice)
    for find in (unusable_endpoints, unusable_backends, missing_certificate_files):
        for obstacle in find(examined.environment):
            yield problem(obstacle.name, obstacle.text, obstacle.advice)
    yield from _check_backends(examined)
    yield from _check_service_name(examined)
    if sends_to_agentops(examined.environment):
        yield from _check_agentops_key(examined)


def _check_signal(signal: str, examined: Examined) -> Record:
    """Report the destinations of a signal: a problem if traces have none, a notice if they are only printed."""
    named = destinations(signal, examined.environment)
    name = signal.lower()
    variable = f"OTEL_{signal}_EXPORTER"
    origin = f"set by {variable}" if examined.variables.get(variable) else "by default"
    if not named:
        if signal == "TRACES":
            is_elsewhere = default_exporter(signal, examined.environment) != CONSOLE
            advice = f"Unset {variable}." if is_elsewhere else f"Unset {variable}, and {SET_DESTINATION}"
            return problem(name, f"not sent, {origin}", advice)
        return ok(name, f"not sent, {origin}")
    text = f"{', '.join(_describe_destination(signal, each, examined) for each in named)}; {origin}"
    if signal == "TRACES" and set(named) <= set(TERMINALS):
        return notice(name, text, f"To store them, {SET_DESTINATION}")
    return ok(name, text)


def _describe_destination(signal: str, name: str, examined: Examined) -> str:
    """Describe where an exporter sends a signal, such as `OTLP over HTTP to http://localhost:4318`, in words that the
    report prints.
    """
    if name == AGENTOPS:
        return f"AgentOps ({masked('', examined.settings.exporter_endpoint or 'no usable URL')})"
    if name == BACKENDS_EXPORTER:
        return " and ".join(filter(None, (_describe_backend(each, examined) for each in _backends(examined)))) or name
    if name in TERMINALS:
        return TERMINALS[name]
    exporter = entry_point_name(signal, name, examined.environment)
    if name != "otlp" or exporter is None:
        return masked(f"OTEL_{signal}_EXPORTER", name)
    variable = endpoint_variable(signal, examined.environment)
    endpoint = examined.environment.get(variable)
    protocol = "HTTP" if exporter == HTTP else "gRPC"
    if not endpoint:
        default = HTTP_DEFAULT if exporter == HTTP else GRPC_DEFAULT
        return f"OTLP over {protocol} to {default}, the default endpoint"
    return f"OTLP over {protocol} to {masked(variable, endpoint)} ({variable})"


def _backends(examined: Examined) -> tuple[str, ...]:
    return backends_in_use(examined.environment)


def _describe_backend(name: str, examined: Examined) -> str | None:
    """A backend of AGENTOPS_BACKEND and its URL; `None` if nothing can be sent to it."""
    target = target_of(name, examined.environment)
    return f"{BACKENDS[name].title} ({masked('', target.url)})" if isinstance(target, DeliveryTarget) else None


def _check_backends(examined: Examined) -> Iterator[Record]:
    """Report the conventions that each backend of AGENTOPS_BACKEND receives, and the facts that it does not display."""
    for name in _backends(examined):
        backend = BACKENDS[name]
        if isinstance(target_of(name, examined.environment), DeliveryTarget):
            text = f"{backend.title} receives the conventions {', '.join(backend.conventions)}"
            lost = f"; it does not show {'; '.join(backend.lost)}" if backend.lost else ""
            yield ok(f"backend {name}", f"{text}{lost}")


def _check_service_name(examined: Examined) -> Iterator[Record]:
    """Report if no service name is set although telemetry is sent to a backend."""
    if lacks_service_name(examined.environment):
        yield notice(
            "service.name",
            "no service name is set: backends show this app as unknown_service",
            "Set OTEL_SERVICE_NAME.",
        )


def _check_added_agentops(examined: Examined) -> Iterator[Record]:
    """Report AgentOps as a destination that this package's instrumentor adds, although a different distro or a file
    configures the SDK.
    """
    if sends_to_agentops(examined.environment) and not is_switched_off(examined.variables):
        yield ok(
            "traces", f"also {_describe_destination('TRACES', AGENTOPS, examined)}, unless OTEL_TRACES_EXPORTER is none"
        )
        yield from _check_agentops_key(examined)


def _check_agentops_key(examined: Examined) -> Iterator[Record]:
    """Report a missing or invalid API key."""
    key = examined.settings.api_key
    if key is None:
        yield problem("AGENTOPS_API_KEY", "no key is set: AgentOps accepts no spans", COPY)
    elif not _is_uuid(key):
        yield problem("AGENTOPS_API_KEY", "the key is not a UUID: AgentOps accepts no spans", COPY)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


# --- delivery --------------------------------------------------------------------------------------------------------


def check_delivery(examined: Examined) -> Iterator[Record]:
    """If the user passed `--send`, send a span to each destination, and report the outcomes."""
    if not examined.sends:
        return
    if examined.is_disabled:
        yield problem("--send", "nothing was sent: OTEL_SDK_DISABLED=true", "Unset OTEL_SDK_DISABLED.")
        return
    try:
        attempts = run_probe(DELIVERY_PROBE, examined.subprocess_environment, SEND_SECONDS)
    except subprocess.TimeoutExpired:
        yield problem("--send", f"no response within {SEND_SECONDS} s", DEFAULT_ADVICE)
        return
    if attempts is None:
        yield problem("--send", "the exporters cannot be set up", "Start your app: its first log lines show the cause.")
        return
    if not attempts:
        yield problem("--send", "nothing was sent", "See above: traces have no usable destination.")
    for attempt in attempts:
        yield _outcome(Attempt(**attempt))


def _outcome(attempt: Attempt) -> Record:
    """Report the outcome of sending a span to one destination, with advice if that failed."""
    if attempt.error == NOT_SAMPLED:
        return notice(attempt.exporter, "the span was not sampled, so not sent", "Check OTEL_TRACES_SAMPLER.")
    if attempt.delivered:
        unread = {None: "delivered", True: "delivered, and read back", False: "delivered, but not found by the API"}
        return ok(attempt.exporter, unread[attempt.is_read_back])
    signal = attempt.exporter.removeprefix("otlp ").upper()
    if signal in {"METRICS", "LOGS"}:
        return problem(
            attempt.exporter,
            f"the backend accepts traces, but no {signal.lower()} ({attempt.error or f'status {attempt.status}'})",
            f"Set OTEL_{signal}_EXPORTER=none, or OTEL_EXPORTER_OTLP_{signal}_ENDPOINT to a backend that accepts them.",
        )
    if attempt.log_lines:
        text, _, advice = attempt.log_lines[0].partition(": ")  # the AgentOps exporter logs `problem: advice`
        return problem(attempt.exporter, text, advice or DEFAULT_ADVICE)
    if attempt.status is not None:
        text = f"rejected with status {attempt.status}"
        advice = STATUSES.get(attempt.status, "Check the backend's log.")
        keys = BACKENDS[attempt.exporter].required if attempt.exporter in BACKENDS else ()
        if keys and attempt.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            advice = f"Check {' and '.join(keys)}."
        return problem(attempt.exporter, text, advice)
    text = f"cannot be reached ({attempt.error or 'no response'})"
    return problem(attempt.exporter, text, ERRORS.get(attempt.error, DEFAULT_ADVICE))


# --- settings --------------------------------------------------------------------------------------------------------


def check_settings(examined: Examined) -> Iterator[Record]:
    """Report all settings of this package, and the variables of OpenTelemetry that are set or have a default."""
    for declared in DECLARED.values():
        yield _check_setting(declared, examined)
    unusable = {found.variable: found for found in unusable_variables(examined.variables)}
    for found in unusable.values():
        yield problem(found.variable, f"{found.text} {found.instead}", f"Correct or unset {found.variable}.")
    for variable in [name for name in DEFAULTS if name not in unusable]:
        yield _check_default(variable, examined)
    for variable, text in sorted(examined.variables.items()):
        if variable in {*DECLARED, *DEFAULTS, *unusable} or not text:
            continue
        if variable.startswith("OTEL_"):
            yield _setting(variable, masked(variable, text), "environment")
        elif variable in AGENTOPS_SDK_VARIABLES:
            yield ok(
                variable, f"{MASK} (environment; a variable of the AgentOps SDK, which this package does not read)"
            )
    yield from map(_check_unread, unread(examined.variables))
    yield from _check_option_names(examined)


def _check_option_names(examined: Examined) -> Iterator[Record]:
    """Report the options in a configuration file that are not settings of this package."""
    file = configuration_file(examined.variables)
    if file is None:
        return
    for name, line, meant in unknown_options(file):
        advice = f"Rename it to {meant}, if you mean this option." if meant else "Remove it."
        yield problem(name, f"not an option of {INSTRUMENTATION} ({file.place(line)})", advice)
    for name, option in file.invalid_switches:
        yield problem(name, f"invalid value ({file.place(option.line)}). Using true.", "Expected true or false.")


def _check_setting(declared: Field[Any], examined: Examined) -> Record:
    """Report the value of a setting of this package, and its origin."""
    variable = declared.metadata["variable"]
    file = configuration_file(examined.variables)
    option = None if file is None else file.options.get(declared.metadata["option"])
    if file is not None and option is not None and (option.text.strip() or option.form != "value"):
        text, origin = option.text.strip(), f"{declared.metadata['option']} in {file.place(option.line)}"
    else:
        text, origin, option = examined.variables.get(variable, "").strip(), "environment", None
    if not text and option is None:
        default = default_names(examined.environment) if declared.name == "semconv" else declared.default
        return _setting(variable, format_value(default), "default")
    expected = _expected_value(declared, text, option)
    if expected is None:
        return _setting(variable, masked(variable, text) or "[]", origin)
    value = quoted(declared, text)
    place = "" if option is None else f" ({origin})"
    text = f"invalid value{place}{f': {value}' if value else ''}. {instead(declared)}"
    return problem(variable, text, f"Correct {variable}." if hides_its_value(declared) else f"Expected {expected}.")


def _expected_value(declared: Field[Any], text: str, option: Option | None) -> str | None:
    """Check the value `text` of a setting. `None` if it is valid, otherwise a description of the accepted values.
    `option` is the setting's option in a configuration file, if the value is from there.
    """
    try:
        value: Any = parse_setting(declared, text, option)
    except ValueError as accepted:
        return str(accepted)
    if declared.name == "semconv":
        return fault_in_choice(value, offered_vocabularies())
    why = why_unusable(text) if declared.name == "prices" else None
    return why and f"the path of a JSON file of prices, but {masked(declared.metadata['variable'], text)} {why}"


def offered_vocabularies() -> list[str]:
    """The names of this package's conventions, and of those in installed packages. The latter are not imported."""
    return [*VOCABULARIES, *(each.name for each in entry_points(group=ENTRY_POINTS))]


def _check_default(variable: str, examined: Examined) -> Record:
    """Report the value of a variable of OpenTelemetry that has a default of this distro, and the value's origin."""
    text = examined.variables.get(variable)
    if text:
        return _setting(variable, masked(variable, text), "environment")
    return _setting(variable, examined.environment.get(variable, ""), "set by this distro")


def _setting(variable: str, value: str, source: str) -> Record:
    """The record of a variable that has a valid value, or none."""
    return ok(variable, f"{value} ({source})" if value else "not set", value or None, source if value else "default")


def _check_unread(found: Unread) -> Record:
    """Report a variable that nothing reads. It is a problem if a setting has a similar name. Otherwise it is a notice,
    because the variable may belong to a different program.
    """
    text = "nothing reads this variable"
    if found.meant is not None:
        return problem(found.variable, text, f"Rename {found.variable} to {found.meant}, if you mean this setting.")
    return notice(found.variable, text, "`agentops-otel-litellm settings` prints all settings.")
