"""Checks for settings and packages that conflict with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points

from agentops_otel_litellm.cli.checks.installed import installed
from agentops_otel_litellm.cli.checks.values import offered_vocabularies
from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.record import Record, notice, problem
from agentops_otel_litellm.destinations import AGENTOPS, sends_to_agentops
from agentops_otel_litellm.patching.other_instrumentations import INSTRUMENTATIONS
from agentops_otel_litellm.sdk.obstacles import INSTRUMENTATION
from agentops_otel_litellm.settings.values import names

DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def check(examined: Examined) -> Iterator[Record]:
    for find in CONFLICTS:
        yield from find(examined)


def second_instrumentation(examined: Examined) -> Iterator[Record]:
    """A second instrumentation of LiteLLM, which would record every call again."""
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


def vocabulary_without_agentops(examined: Examined) -> Iterator[Record]:
    """AgentOps reads only the attribute names of its own vocabulary."""
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
    """Content is recorded, and the user has switched redaction off."""
    settings = examined.settings
    records_content = settings.content.on_spans or settings.records_in_events or settings.completion_hook is not None
    if records_content and not settings.redact and settings.redactor is None:
        yield notice(
            "AGENTOPS_REDACT",
            "nothing is redacted: prompts and responses are recorded with all keys and addresses in them",
            "Unset AGENTOPS_REDACT, unless your backend may store keys and addresses.",
        )


def litellms_own_callback(examined: Examined) -> Iterator[Record]:
    """LiteLLM's own `agentops` callback, which the user has chosen by a setting."""
    if examined.settings.litellm_builtin:
        yield notice(
            "AGENTOPS_LITELLM_BUILTIN",
            "LiteLLM's own `agentops` callback exports every call a second time",
            "Unset AGENTOPS_LITELLM_BUILTIN: `agentops` in LiteLLM's callbacks then means a callback that does "
            "nothing.",
        )


def hook_without_its_package(examined: Examined) -> Iterator[Record]:
    """The completion hook needs OpenTelemetry's package that defines it."""
    settings = examined.settings
    if settings.completion_hook is not None and installed("opentelemetry-util-genai") is None:
        yield problem(
            "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK",
            "the completion hook is not called, because opentelemetry-util-genai is not installed",
            "pip install 'agentops-otel-litellm[upload]'",
        )


CONFLICTS: tuple[Callable[[Examined], Iterator[Record]], ...] = (
    second_instrumentation,
    vocabulary_without_agentops,
    content_without_redaction,
    litellms_own_callback,
    hook_without_its_package,
)
