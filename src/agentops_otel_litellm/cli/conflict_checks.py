"""Checks of `doctor` on conflicts: settings and packages that record calls twice or not at all, and values that are
valid but hardly meant. Secrets are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points

from requests.utils import should_bypass_proxies

from agentops_otel_litellm.cli.configuration_checks import offered_vocabularies
from agentops_otel_litellm.cli.installation_checks import (
    DISABLED,
    installed_version,
    libraries_without_litellm,
    misspelt_sdk_variables,
    unknown_instrumentations,
)
from agentops_otel_litellm.cli.report import Examined, Record, notice, problem
from agentops_otel_litellm.patching.other_instrumentations import INSTRUMENTATIONS
from agentops_otel_litellm.settings.config_file import INSTRUMENTATION
from agentops_otel_litellm.settings.destinations import (
    AGENTOPS,
    SIGNALS,
    endpoint_variable,
    sends_to_agentops,
    split_url,
)
from agentops_otel_litellm.settings.parsing import names
from agentops_otel_litellm.settings.sdk_variables import doubtful_values


def check_conflicts(examined: Examined) -> Iterator[Record]:
    """Report settings and packages that conflict with each other."""
    for find in CONFLICTS:
        yield from find(examined)


def second_instrumentation(examined: Examined) -> Iterator[Record]:
    """Report a second package that instruments LiteLLM, because every call would be recorded twice."""
    disabled = names(examined.variables.get(DISABLED, ""))
    for found in entry_points(group="opentelemetry_instrumentor"):
        name = next((name for module, name in INSTRUMENTATIONS.items() if found.value.startswith(module)), None)
        if name is not None and found.name not in disabled and "*" not in disabled:
            yield problem(
                name,
                "this instrumentation also traces LiteLLM: every call is recorded twice",
                f"Switch it off: {DISABLED}={','.join([*disabled, found.name])}. Or switch off this package: "
                f"{DISABLED}={','.join([*disabled, INSTRUMENTATION])}",
            )


FRAMEWORKS = {
    "openinference.instrumentation.agno": "Agno",
    "openinference.instrumentation.langchain": "LangChain",
    "openinference.instrumentation.smolagents": "smolagents",
}
"""Module of an instrumentation that records the calls of models of a framework → the framework."""
RECORDING = ("google-adk", "lmnr", "strands-agents")
"""Packages that record calls of models themselves, and have no variable against it. `lmnr` is Laminar's."""


def framework_that_records_calls(examined: Examined) -> Iterator[Record]:
    """Report frameworks and instrumentations of frameworks that record a call of a model around LiteLLM's."""
    disabled = names(examined.variables.get(DISABLED, ""))
    twice = "records calls of models with their tokens, also if they are made through LiteLLM: sums count them twice"
    text = "records calls of models with their tokens; the spans of LiteLLM's calls below are INTERNAL, without tokens"
    off = f"{DISABLED}={','.join([*disabled, INSTRUMENTATION])}"
    advice = f"For one span a call, set AGENTOPS_INNER_CALLS=none, or switch off this package: {off}"
    for found in entry_points(group="opentelemetry_instrumentor"):
        name = next((name for module, name in FRAMEWORKS.items() if found.value.startswith(module)), None)
        if name is not None and not {found.name, "*"}.intersection(disabled):
            other = f"; or this instrumentation: {DISABLED}={','.join([*disabled, found.name])}"
            yield notice(f"OpenInference for {name}", text, advice + other)
    for name in RECORDING:
        if installed_version(name) is not None:
            only = f"To record them once, switch off this package: {off}"
            yield notice(name, twice, only) if name == "lmnr" else notice(name, text, advice)


def vocabulary_without_agentops(examined: Examined) -> Iterator[Record]:
    """Report if spans are sent to AgentOps without the attributes of the convention `agentops`, the only ones that it
    reads.
    """
    chosen = examined.settings.vocabularies(offered_vocabularies())
    if chosen is None or AGENTOPS in chosen:
        return
    if sends_to_agentops(examined.environment):
        yield problem(
            "AGENTOPS_SEMCONV",
            "this setting leaves out `agentops`, but AgentOps is a destination: AgentOps shows calls without tokens "
            "and cost",
            f"Set AGENTOPS_SEMCONV={','.join([AGENTOPS, *chosen])}, or unset it.",
        )


def content_without_redaction(examined: Examined) -> Iterator[Record]:
    """Report if content is recorded although the user has switched redaction off."""
    settings = examined.settings
    records_content = settings.content.on_spans or settings.records_in_events or settings.completion_hook is not None
    if records_content and not settings.redact and settings.redactor is None:
        yield notice(
            "AGENTOPS_REDACT",
            "nothing is redacted: prompts and responses are recorded with all keys and addresses in them",
            "Unset AGENTOPS_REDACT, unless your backend may store keys and addresses.",
        )


def litellms_own_callback(examined: Examined) -> Iterator[Record]:
    """Report if the user has enabled LiteLLM's own `agentops` callback by a setting, because it exports again."""
    if examined.settings.litellm_builtin:
        yield notice(
            "AGENTOPS_LITELLM_BUILTIN",
            "LiteLLM's own `agentops` callback exports every call a second time",
            "Unset AGENTOPS_LITELLM_BUILTIN: `agentops` in LiteLLM's callbacks then means a callback that does "
            "nothing.",
        )


def hook_without_its_package(examined: Examined) -> Iterator[Record]:
    """Report if a completion hook is set, but OpenTelemetry's package that calls hooks is not installed."""
    settings = examined.settings
    if settings.completion_hook is not None and installed_version("opentelemetry-util-genai") is None:
        yield problem(
            "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK",
            "the completion hook is not called, because opentelemetry-util-genai is not installed",
            "pip install 'agentops-otel-litellm[upload]'",
        )


def doubtful_variables(examined: Examined) -> Iterator[Record]:
    """Report values that the SDK accepts, but that are hardly meant."""
    for found in doubtful_values(examined.variables):
        report = problem if found.is_harmful else notice
        yield report(found.variable, found.text, found.advice)


def proxied_endpoints(examined: Examined) -> Iterator[Record]:
    """Report an HTTP proxy through which OTLP is sent. It rarely reaches a backend on the same host or network."""
    environment = examined.environment
    for variable in {endpoint_variable(signal, environment): None for signal in SIGNALS}:
        split = split_url(environment.get(variable, ""))
        if split is None:
            continue
        proxy = next((name for name in PROXIES[split.scheme] if environment.get(name)), None)
        without_proxy = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
        host = split.hostname or ""
        if proxy is None or should_bypass_proxies(environment[variable], without_proxy):
            continue
        is_local = host in LOCAL_HOSTS or "." not in host
        advice = f"Add {host} to NO_PROXY{'' if is_local else ', if the proxy does not reach the backend'}."
        report = problem if is_local else notice
        yield report(variable, f"telemetry for {host} is sent through the HTTP proxy in {proxy}", advice)


LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
PROXIES = {
    "http": ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
    "https": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
"""Scheme of a URL → the variables that set its proxy, in the order in which `requests` reads them."""

CONFLICTS: tuple[Callable[[Examined], Iterator[Record]], ...] = (
    second_instrumentation,
    framework_that_records_calls,
    libraries_without_litellm,
    vocabulary_without_agentops,
    content_without_redaction,
    litellms_own_callback,
    hook_without_its_package,
    doubtful_variables,
    unknown_instrumentations,
    misspelt_sdk_variables,
    proxied_endpoints,
)
