"""What `doctor` examines: an environment, as it is given and as an app in it would have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import PurePath

from agentops_otel_litellm.launch.defaults import apply_defaults
from agentops_otel_litellm.launch.sdk_variables import mend_variables
from agentops_otel_litellm.settings import Settings, sdk_is_disabled

NAME = "agentops"
"""Of our distro and of our configurator."""

_STARTERS = {("instrumentation", "auto_instrumentation"), ("launch", "child_processes")}
"""The ends of directories on PYTHONPATH: that of `opentelemetry-instrument`, and ours for child processes."""


@dataclass(frozen=True)
class Examined:
    """The environment and what is asked for."""

    given: Mapping[str, str]
    command: tuple[str, ...] = ()
    """The app's, where it is given."""
    imports_litellm: bool = True
    sends: bool = False

    @property
    def is_disabled(self) -> bool:
        return sdk_is_disabled(self.given)

    @cached_property
    def usable(self) -> Mapping[str, str]:
        """The variables without what the SDK cannot use."""
        environment = dict(self.given)
        mend_variables(environment)
        return environment

    @cached_property
    def distros(self) -> list[EntryPoint]:
        """Those installed, in the order in which OpenTelemetry finds them."""
        return [*entry_points(group="opentelemetry_distro")]

    @cached_property
    def distro(self) -> EntryPoint | None:
        """The one that the launcher takes: ours, unless the user names another."""
        return _named(self.usable.get("OTEL_PYTHON_DISTRO") or NAME, self.distros)

    @cached_property
    def configurators(self) -> list[EntryPoint]:
        return [*entry_points(group="opentelemetry_configurator")]

    @cached_property
    def configurator(self) -> EntryPoint | None:
        """The one that the launcher takes. Our distro chooses ours; without it, the first that is found is taken."""
        name = self.usable.get("OTEL_PYTHON_CONFIGURATOR") or (NAME if self.has_our_distro else None)
        return _named(name, self.configurators)

    @property
    def has_our_distro(self) -> bool:
        return is_ours(self.distro)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """What the app has: with our defaults, where our distro gives them."""
        environment = dict(self.given)
        if self.has_our_distro and not self.is_disabled:
            mend_variables(environment)
            apply_defaults(environment)
        return environment

    @property
    def for_others(self) -> dict[str, str]:
        """The environment for other processes: where PYTHONPATH has each start OpenTelemetry, they do it themselves."""
        path = self.given.get("PYTHONPATH", "").split(os.pathsep)
        return {**self.usable, "PYTHONPATH": os.pathsep.join(each for each in path if not starts_opentelemetry(each))}

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environment(self.given)


def starts_opentelemetry(directory: str) -> bool:
    """Whether a directory has a `sitecustomize` that starts OpenTelemetry."""
    return PurePath(directory).parts[-2:] in _STARTERS


def is_ours(entry_point: EntryPoint | None) -> bool:
    return entry_point is not None and entry_point.value.startswith("agentops_otel_litellm.")


def _named(name: str | None, found: list[EntryPoint]) -> EntryPoint | None:
    return next((each for each in found if name is None or each.name == name), None)
