"""The settings of this package, read from environment variables. `variables.py` declares them."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from agentops_otel_litellm.settings.declaration import names, warn_of_invalid_value
from agentops_otel_litellm.settings.variables import AgentOpsSettings, CallSettings, ContentSettings, ProcessSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings, AgentOpsSettings, ContentSettings, CallSettings):
    """The settings of AGENTOPS_* variables, and of the OTEL_* variables that instrumentations read."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read every variable. An invalid value is logged, and the default is used."""
        values: dict[str, object] = {}
        for declared in fields(cls):
            variable = declared.metadata["variable"]
            text = environment.get(variable, "").strip()
            if not text:
                continue
            try:
                values[declared.name] = declared.metadata["parse"](text)
            except ValueError as accepted:
                warn_of_invalid_value(declared, text, str(accepted))
                if declared.metadata["without"]:
                    values[declared.name] = None
        return cls(**values)  # type: ignore[arg-type]  # each value is from its field's parser

    def vocabularies(self, offered: Collection[str]) -> tuple[str, ...] | None:
        """The names in `semconv`; `None` if there are none, or not all of them are `offered`.

        The caller has loaded the conventions. Reading the settings, which every program does, loads none.
        """
        accepted = None if self.semconv is None else fault_in_choice(self.semconv, offered)
        if self.semconv is None or accepted is None:
            return self.semconv
        (declared,) = (each for each in fields(self) if each.name == "semconv")
        warn_of_invalid_value(declared, ",".join(self.semconv), accepted)
        return None


def fault_in_choice(chosen: Collection[str], offered: Collection[str]) -> str | None:
    """A description of the accepted values, if `chosen` is empty or contains values that are not `offered`; else
    `None`.
    """
    if chosen and set(chosen) <= set(offered):
        return None
    return f"a comma-separated choice of {', '.join(offered)}"


def sdk_is_disabled(environment: Mapping[str, str] = os.environ) -> bool:
    """OpenTelemetry's own switch. According to the specification, any value but `true` leaves the SDK on."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def set_log_level(environment: Mapping[str, str] = os.environ) -> None:
    """Set the log level of this package, if the user has chosen one."""
    level = Settings.from_environment(environment).log_level if environment.get("AGENTOPS_LOG_LEVEL") else None
    if level is not None:
        logging.getLogger("agentops_otel_litellm").setLevel(level)


def wants_newest_conventions(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenTelemetry's opt-in, a list, selects the newest GenAI conventions."""
    return "gen_ai_latest_experimental" in names(environment.get("OTEL_SEMCONV_STABILITY_OPT_IN", ""))
