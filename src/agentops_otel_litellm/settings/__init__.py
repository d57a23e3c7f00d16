"""The settings: each declares its variable, its default and its help, once."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from agentops_otel_litellm.settings.agentops import AgentOpsSettings
from agentops_otel_litellm.settings.calls import CallSettings
from agentops_otel_litellm.settings.content import ContentSettings
from agentops_otel_litellm.settings.declaring import setting, shown, tell
from agentops_otel_litellm.settings.processes import ProcessSettings
from agentops_otel_litellm.settings.values import REDACTED, ContentCapture, names


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings, AgentOpsSettings, ContentSettings, CallSettings):
    """What AGENTOPS_* variables say, and the OTEL_* ones that instrumentations read: the SDK reads the others."""

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
                tell(declared, text, str(accepted))
                if declared.metadata["without"]:
                    given[declared.name] = None
        return cls(**given)  # type: ignore[arg-type]  # each value came from its own field's parser

    def vocabularies(self, offered: Collection[str]) -> tuple[str, ...] | None:
        """The names in `semconv`; `None` where there are none, or not all are `offered`.

        Asked of whoever has loaded them: reading the settings, which every program does, loads none.
        """
        accepted = None if self.semconv is None else fault_in_choice(self.semconv, offered)
        if self.semconv is None or accepted is None:
            return self.semconv
        (declared,) = (each for each in fields(self) if each.name == "semconv")
        tell(declared, ",".join(self.semconv), accepted)
        return None


def fault_in_choice(chosen: Collection[str], offered: Collection[str]) -> str | None:
    """What is accepted, where none are chosen or not all are offered."""
    if chosen and set(chosen) <= set(offered):
        return None
    return f"a comma-separated choice of {', '.join(offered)}"


def sdk_is_disabled(environment: Mapping[str, str] = os.environ) -> bool:
    """OpenTelemetry's own switch; any value but `true` leaves it on, as the specification has it."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def set_log_level(environment: Mapping[str, str] = os.environ) -> None:
    """Have this package log as the user says; by default as the app has it."""
    level = Settings.from_environment(environment).log_level if environment.get("AGENTOPS_LOG_LEVEL") else None
    if level is not None:
        logging.getLogger("agentops_otel_litellm").setLevel(level)


def wants_newest_conventions(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the conventions of generative AI are to be the newest, by OpenTelemetry's switch, a list."""
    return "gen_ai_latest_experimental" in names(environment.get("OTEL_SEMCONV_STABILITY_OPT_IN", ""))


__all__ = [
    "REDACTED",
    "ContentCapture",
    "Settings",
    "fault_in_choice",
    "sdk_is_disabled",
    "set_log_level",
    "setting",
    "shown",
    "wants_newest_conventions",
]
