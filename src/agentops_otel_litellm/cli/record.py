"""The findings of the checks. The text and the JSON of a report are two renderings of the same records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """The severity of a finding."""

    OK = "ok"
    NOTICE = "notice"
    """The user should look at it, but calls are traced and delivered."""
    PROBLEM = "problem"
    """Something is not traced, not delivered, or recorded twice."""


@dataclass(frozen=True, slots=True)
class Record:
    """One finding. `name` is its subject: a package, a variable, a signal, a patch point."""

    name: str
    state: State
    text: str
    advice: str = ""
    """What the user can do. It is never empty for a problem."""


def ok(name: str, text: str) -> Record:
    return Record(name, State.OK, text)


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
    def first(self) -> str:
        """The advice of the first problem. The checks are ordered so that a cause is reported before its
        consequences.
        """
        if self.problems:
            count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
            return f"{count}. First: {self.problems[0].advice}"
        return "No problems. Start your app with: opentelemetry-instrument python app.py"

    def _with_state(self, state: State) -> Iterable[Record]:
        return (record for section in self.sections for record in section.records if record.state is state)
