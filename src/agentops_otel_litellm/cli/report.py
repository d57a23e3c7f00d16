"""The input and the output of the checks of `doctor`.

`Examined` is the input: the environment of this process, and what follows from it for an application that is started
here. A `Record` is one finding of a check. A `Report` has the findings of all checks, and `doctor.py` prints it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import PurePath

from agentops_otel_litellm.sdk.defaults import CHILD_PROCESSES, apply_defaults
from agentops_otel_litellm.settings import Settings, sdk_is_disabled
from agentops_otel_litellm.settings.sdk_variables import replace_unusable_variables

NAME = "agentops"
"""Name of this package's distro and of its configurator, as entry points."""

_STARTING_DIRECTORIES = {("instrumentation", "auto_instrumentation"), CHILD_PROCESSES.parts[-2:]}
"""The last two parts of the paths of directories whose `sitecustomize` starts OpenTelemetry: the launcher's directory,
and this package's directory for child processes.
"""


@dataclass(frozen=True)
class Examined:
    """The environment, and the options of `doctor`."""

    variables: Mapping[str, str]
    """The environment variables of this process, unchanged."""
    command: tuple[str, ...] = ()
    """The application's command, if the user passed one."""
    imports_litellm: bool = True
    sends: bool = False

    @property
    def is_disabled(self) -> bool:
        return sdk_is_disabled(self.variables)

    @cached_property
    def usable_variables(self) -> Mapping[str, str]:
        """The variables without the values that the SDK cannot use."""
        environment = dict(self.variables)
        replace_unusable_variables(environment)
        return environment

    @cached_property
    def distros(self) -> list[EntryPoint]:
        """All installed distros, in the order in which OpenTelemetry finds them."""
        return [*entry_points(group="opentelemetry_distro")]

    @cached_property
    def distro(self) -> EntryPoint | None:
        """The distro that the launcher loads: this package's, unless the user names a different one."""
        return _find_named(self.usable_variables.get("OTEL_PYTHON_DISTRO") or NAME, self.distros)

    @cached_property
    def configurators(self) -> list[EntryPoint]:
        return [*entry_points(group="opentelemetry_configurator")]

    @cached_property
    def configurator(self) -> EntryPoint | None:
        """The configurator that the launcher loads: the one that the user names; otherwise this package's, if its
        distro is loaded too; otherwise the first one found.
        """
        name = self.usable_variables.get("OTEL_PYTHON_CONFIGURATOR") or (NAME if self.has_our_distro else None)
        return _find_named(name, self.configurators)

    @property
    def has_our_distro(self) -> bool:
        return is_ours(self.distro)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The variables as the application would see them: if this package's distro is loaded, with its defaults, and
        without values that the SDK cannot use.
        """
        environment = dict(self.variables)
        if self.has_our_distro and not self.is_disabled:
            replace_unusable_variables(environment)
            apply_defaults(environment)
        return environment

    @property
    def subprocess_environment(self) -> dict[str, str]:
        """The environment for the probes. The directories that start OpenTelemetry are removed from PYTHONPATH, because
        a probe starts it itself, or must run without it.
        """
        path = self.variables.get("PYTHONPATH", "").split(os.pathsep)
        kept = os.pathsep.join(each for each in path if not starts_opentelemetry(each))
        return {**self.usable_variables, "PYTHONPATH": kept}

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environment(self.variables)


def starts_opentelemetry(directory: str) -> bool:
    """Whether a directory has a `sitecustomize` that starts OpenTelemetry, by the end of its path."""
    return PurePath(directory).parts[-2:] in _STARTING_DIRECTORIES


def is_ours(entry_point: EntryPoint | None) -> bool:
    """Whether the entry point is this package's."""
    return entry_point is not None and entry_point.value.startswith("agentops_otel_litellm.")


def _find_named(name: str | None, found: list[EntryPoint]) -> EntryPoint | None:
    return next((each for each in found if name is None or each.name == name), None)


class State(str, Enum):
    """The severity of a finding."""

    OK = "ok"
    NOTICE = "notice"
    """The user should look at it, but calls are traced and delivered."""
    PROBLEM = "problem"
    """Something is not traced, not delivered, or recorded twice."""


@dataclass(frozen=True, slots=True)
class Record:
    """One finding. `name` is its subject, such as a package, a variable, a signal or a patch point."""

    name: str
    state: State
    text: str
    advice: str = ""
    """What the user can do. It is never empty for a problem."""
    value: str | None = None
    """The value of a setting, masked; `None` for other records, and if the setting has no value."""
    source: str | None = None
    """Where the value of a setting is from: `environment`, `default` or `set by this distro`. `None` for others."""

    @property
    def is_as_usual(self) -> bool:
        """Whether the record is only about a default, so that the report as text leaves it out."""
        return self.state is State.OK and self.source not in {None, "environment"}


def ok(name: str, text: str, value: str | None = None, source: str | None = None) -> Record:
    return Record(name, State.OK, text, value=value, source=source)


def notice(name: str, text: str, advice: str = "") -> Record:
    return Record(name, State.NOTICE, text, advice)


def problem(name: str, text: str, advice: str) -> Record:
    return Record(name, State.PROBLEM, text, advice)


@dataclass(frozen=True, slots=True)
class Section:
    """The findings of one check."""

    check: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of all checks."""

    sections: tuple[Section, ...]

    @property
    def problems(self) -> list[Record]:
        return [*self._with_state(State.PROBLEM)]

    @property
    def notices(self) -> list[Record]:
        return [*self._with_state(State.NOTICE)]

    @property
    def state(self) -> State:
        """The worst state of all records."""
        if self.problems:
            return State.PROBLEM
        return State.NOTICE if self.notices else State.OK

    @property
    def conclusion(self) -> str:
        """The last line of the report: the first problem, which may be the cause of the others, and the advice for it.
        Without problems, it is the command that starts an application.
        """
        if self.problems:
            count = "1 problem:" if len(self.problems) == 1 else f"{len(self.problems)} problems. First:"
            first = self.problems[0]
            is_named = re.search(rf"(?<!\w){re.escape(first.name)}(?!\w)", first.text)
            name = "" if is_named else f"{first.name}: "
            return f"{count} {name}{first.text.rstrip('.')}. {first.advice}"
        return "No problems. Start your app with: opentelemetry-instrument python app.py"

    def _with_state(self, state: State) -> Iterable[Record]:
        return (record for section in self.sections for record in section.records if record.state is state)
