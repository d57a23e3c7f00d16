"""The settings: each declares its variable, its default and its help, once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

SEMCONVS = ("gen_ai", "llm")


def _names(text: str) -> tuple[str, ...]:
    """A comma-separated choice of vocabularies."""
    chosen = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in chosen if name not in SEMCONVS]
    if unknown or not chosen:
        raise ValueError(f"a comma-separated choice of {', '.join(SEMCONVS)}")
    return chosen


def setting(
    variable: str,
    *,
    default: Value,
    parse: Callable[[str], Value],
    help: str,  # noqa: A002 - argparse's word
    secret: bool = False,
) -> Value:
    """Declare a setting. `parse` raises a ValueError that says what is accepted; one for a secret never does."""
    metadata = {"variable": variable, "parse": parse, "help": help}
    declared: Value = field(default=default, metadata=metadata, repr=not secret)
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What AGENTOPS_* variables say. The OTEL_* ones are OpenTelemetry's and are read by it."""

    semconv: tuple[str, ...] = setting(
        "AGENTOPS_SEMCONV",
        default=SEMCONVS,
        parse=_names,
        help="Attribute vocabularies to write: `gen_ai` (OpenTelemetry's conventions), `llm` (this project's names).",
    )
    api_key: str | None = setting(
        "AGENTOPS_API_KEY",
        default=None,
        parse=str,
        help="The key of an AgentOps project, a UUID. The exporter `agentops` needs it.",
        secret=True,
    )
    api_endpoint: str = setting(
        "AGENTOPS_API_ENDPOINT",
        default="https://api.agentops.ai",
        parse=str,
        help="Where the exporter `agentops` gets its token: the base URL.",
    )
    exporter_endpoint: str = setting(
        "AGENTOPS_EXPORTER_ENDPOINT",
        default="https://otlp.agentops.ai/v1/traces",
        parse=str,
        help="Where the exporter `agentops` sends spans: the full URL.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read every variable; one that cannot be used is told of, and its default is used."""
        given: dict[str, object] = {}
        for declared in fields(cls):
            variable = declared.metadata["variable"]
            text = environment.get(variable, "").strip()
            if not text:
                continue
            try:
                given[declared.name] = declared.metadata["parse"](text)
            except ValueError as accepted:
                logger.warning(
                    "%s=%r is not usable: it takes %s. Using %s.",
                    variable,
                    text,
                    accepted,
                    shown(declared.default),
                )
        return cls(**given)  # type: ignore[arg-type]  # each value came from its own field's parser


def shown(value: object) -> str:
    """A setting's value as one would write it in its variable: nothing, where it has none."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def sdk_is_disabled(environment: Mapping[str, str] = os.environ) -> bool:
    """OpenTelemetry's own switch; any value but `true` leaves it on, as the specification has it."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
