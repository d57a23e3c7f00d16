"""The user's redactors are used after ours, are loaded when they are first needed, and without them nothing is told."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import ModuleType

import pytest

from agentops_otel_litellm.processors.redaction import Redactors
from agentops_otel_litellm.settings import Settings
from support.logged_warnings import LoggedWarnings
from support.redactor_modules import modules  # noqa: F401 - a fixture


def using(reference: str) -> Redactors:
    return Redactors(Settings.from_environment({"AGENTOPS_REDACTOR": reference}))


def test_it_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the built-in one."""
    module = ModuleType("their_rules")
    module.redact = lambda text: text.replace("[email]", "somebody")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_rules", module)
    text = "from ada@example.com"
    for each in using("their_rules:redact")() or ():
        text = each(text)
    assert text == "from somebody"


@pytest.mark.parametrize("reference", ["no_such_module:redact", "json:no_such_function", "json:__name__", "not a name"])
def test_one_that_cannot_be_had(reference: str, logged: LoggedWarnings, caplog: pytest.LogCaptureFixture) -> None:
    """It is told of once, by name, and nothing that is said is told."""
    with caplog.at_level(logging.WARNING):
        redactors = using(reference)
        assert [redactors(), redactors()] == [None, None]
    (line,) = logged.take()
    assert f"AGENTOPS_REDACTOR={reference!r}" in line
    assert "No content is recorded." in line


def test_a_module_that_exits_does_not_end_the_app(modules: Path, logged: LoggedWarnings) -> None:
    """As a program does that was not meant to be imported."""
    (modules / "their_program.py").write_text("raise SystemExit(1)")
    assert using("their_program:redact")() is None
    assert "(SystemExit)" in logged.take()[0]


def test_nothing_is_imported_before_it_is_needed(modules: Path) -> None:
    """And then once, by however many threads at the same time: each of them has it."""
    (modules / "their_slow.py").write_text("import time\ntime.sleep(0.2)\ndef redact(text): return text")
    redactors = using("their_slow:redact")
    assert "their_slow" not in sys.modules
    together = Barrier(8)

    def first() -> int:
        together.wait()
        return len(redactors() or ())

    with ThreadPoolExecutor(8) as threads:
        assert {each.result() for each in [threads.submit(first) for _ in range(8)]} == {2}


def test_a_module_that_calls_litellm_while_it_is_imported(modules: Path) -> None:
    """What is said in that call is not told, for there is no redactor yet; it is in those that follow."""
    (modules / "their_caller.py").write_text(
        "import sys\nsys.modules['their_test'].during()\ndef redact(text): return text"
    )
    redactors, found = using("their_caller:redact"), []
    sys.modules["their_test"] = test = ModuleType("their_test")
    test.during = lambda: found.append(redactors())  # type: ignore[attr-defined]
    assert len(redactors() or ()) == 2
    assert found == [None]
