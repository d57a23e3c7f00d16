"""What a check has found: both renderings, for people and for programs, are of the same records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """How good a finding is."""

    OK = "ok"
    NOTICE = "notice"
    """Worth a look; calls are traced and delivered all the same."""
    PROBLEM = "problem"
    """Something is not traced, not delivered, or told twice."""


@dataclass(frozen=True, slots=True)
class Record:
    """One finding. `name` is what it is about: a package, a variable, a signal, a place."""

    name: str
    state: State
    text: str
    advice: str = ""
    """What to do; a problem always has some."""


def ok(name: str, text: str) -> Record:
    return Record(name, State.OK, text)


def notice(name: str, text: str, advice: str = "") -> Record:
    return Record(name, State.NOTICE, text, advice)


def problem(name: str, text: str, advice: str) -> Record:
    return Record(name, State.PROBLEM, text, advice)


@dataclass(frozen=True, slots=True)
class Section:
    """What one check has found."""

    check: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Report:
    sections: tuple[Section, ...]

    @property
    def problems(self) -> list[Record]:
        return [*self._of(State.PROBLEM)]

    @property
    def notices(self) -> list[Record]:
        return [*self._of(State.NOTICE)]

    @property
    def state(self) -> State:
        """The worst of all."""
        if self.problems:
            return State.PROBLEM
        return State.NOTICE if self.notices else State.OK

    @property
    def first(self) -> str:
        """What to do first. The checks are in the order in which one thing is in the way of the next."""
        if self.problems:
            count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
            return f"{count}. First: {self.problems[0].advice}"
        return "No problems. Start your app with: opentelemetry-instrument python app.py"

    def _of(self, state: State) -> Iterable[Record]:
        return (record for section in self.sections for record in section.records if record.state is state)
