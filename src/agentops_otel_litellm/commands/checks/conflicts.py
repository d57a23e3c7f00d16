"""What is set or installed and does not go together, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points

from agentops_otel_litellm.callbacks.coexistence import INSTRUMENTATIONS
from agentops_otel_litellm.commands.checks.installed import installed
from agentops_otel_litellm.commands.checks.values import offered_vocabularies
from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.record import Record, notice, problem
from agentops_otel_litellm.destinations import AGENTOPS, sends_to_agentops
from agentops_otel_litellm.launch.obstacles import INSTRUMENTATION
from agentops_otel_litellm.settings.values import names

DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def check(examined: Examined) -> Iterator[Record]:
    for find in CONFLICTS:
        yield from find(examined)


def another_instrumentation(examined: Examined) -> Iterator[Record]:
    """Of LiteLLM: it would tell every call a second time."""
    disabled = names(examined.given.get(DISABLED, ""))
    for found in entry_points(group="opentelemetry_instrumentor"):
        name = next((name for module, name in INSTRUMENTATIONS.items() if found.value.startswith(module)), None)
        if name is not None and found.name not in disabled and "*" not in disabled:
            yield problem(
                name,
                "also traces LiteLLM: every call is told twice",
                f"{DISABLED}={','.join([*disabled, found.name])} switches it off, without {found.name!r} this one: "
                f"{DISABLED}={','.join([*disabled, INSTRUMENTATION])}",
            )


def vocabulary_without_agentops(examined: Examined) -> Iterator[Record]:
    """AgentOps shows the names of its own vocabulary alone."""
    chosen = examined.settings.vocabularies(offered_vocabularies())
    if chosen is None or AGENTOPS in chosen:
        return
    if sends_to_agentops(examined.environment):
        yield problem(
            "AGENTOPS_SEMCONV",
            "leaves out `agentops`, and AgentOps is a destination: it shows calls without tokens and cost",
            f"AGENTOPS_SEMCONV={','.join([AGENTOPS, *chosen])}, or unset it.",
        )


def content_without_redaction(examined: Examined) -> Iterator[Record]:
    settings = examined.settings
    tells_content = settings.content.on_spans or settings.tells_in_events or settings.completion_hook is not None
    if tells_content and not settings.redact and settings.redactor is None:
        yield notice(
            "AGENTOPS_REDACT",
            "prompts and answers are told as they are, with the keys and addresses in them",
            "Unset AGENTOPS_REDACT, unless the backend may know all that is said.",
        )


def litellms_own_callback(examined: Examined) -> Iterator[Record]:
    """`agentops` among LiteLLM's callbacks, as LiteLLM has it."""
    if examined.settings.litellm_builtin:
        yield notice(
            "AGENTOPS_LITELLM_BUILTIN",
            "`agentops` among LiteLLM's callbacks is LiteLLM's own: it exports every call once more",
            "Unset AGENTOPS_LITELLM_BUILTIN; the callback is then known, and adds nothing.",
        )


def hook_without_its_package(examined: Examined) -> Iterator[Record]:
    """The completion hook is upstream's."""
    settings = examined.settings
    if settings.completion_hook is not None and installed("opentelemetry-util-genai") is None:
        yield problem(
            "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK",
            "is not called: a package is missing",
            "pip install 'agentops-otel-litellm[upload]'",
        )


CONFLICTS: tuple[Callable[[Examined], Iterator[Record]], ...] = (
    another_instrumentation,
    vocabulary_without_agentops,
    content_without_redaction,
    litellms_own_callback,
    hook_without_its_package,
)
