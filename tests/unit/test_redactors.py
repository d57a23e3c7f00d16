"""The user's redactors run after ours, are imported at their first use, and without them no content is recorded."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import ModuleType

import pytest

from agentops_otel_litellm.processors.redactors import Redactors
from agentops_otel_litellm.settings import Settings
from support.logged_warnings import LoggedWarnings
from support.redactor_modules import modules  # noqa: F401 - a fixture


def redactors_for(reference: str) -> Redactors:
    return Redactors(Settings.from_environment({"AGENTOPS_REDACTOR": reference}))


def test_the_users_redactor_runs_after_the_built_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("their_rules")
    module.redact = lambda text: text.replace("[email]", "somebody")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_rules", module)
    text = "from ada@example.com"
    for each in redactors_for("their_rules:redact")() or ():
        text = each(text)
    assert text == "from somebody"


@pytest.mark.parametrize("reference", ["no_such_module:redact", "json:no_such_function", "json:__name__", "not a name"])
def test_a_redactor_that_cannot_be_imported_is_reported_once(
    reference: str, logged: LoggedWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning has its name, and no content is recorded."""
    with caplog.at_level(logging.WARNING):
        redactors = redactors_for(reference)
        assert [redactors(), redactors()] == [None, None]
    (line,) = logged.take()
    assert f"AGENTOPS_REDACTOR={reference!r}" in line
    assert "No content is recorded." in line


def test_a_module_that_exits_does_not_end_the_app(modules: Path, logged: LoggedWarnings) -> None:
    """A program that is not meant to be imported may exit."""
    (modules / "their_program.py").write_text("raise SystemExit(1)")
    assert redactors_for("their_program:redact")() is None
    assert "(SystemExit)" in logged.take()[0]


def test_the_module_is_imported_once_at_first_use(modules: Path) -> None:
    """By any number of threads at the same time, each of which receives it."""
    (modules / "their_slow.py").write_text("import time\ntime.sleep(0.2)\ndef redact(text): return text")
    redactors = redactors_for("their_slow:redact")
    assert "their_slow" not in sys.modules
    together = Barrier(8)

    def first() -> int:
        together.wait()
        return len(redactors() or ())

    with ThreadPoolExecutor(8) as threads:
        assert {each.result() for each in [threads.submit(first) for _ in range(8)]} == {2}


def test_no_content_is_recorded_while_the_redactor_is_imported(modules: Path) -> None:
    """If the module calls LiteLLM during its import, there is no redactor yet for that call."""
    (modules / "their_caller.py").write_text(
        "import sys\nsys.modules['their_test'].during()\ndef redact(text): return text"
    )
    redactors, results = redactors_for("their_caller:redact"), []
    sys.modules["their_test"] = test = ModuleType("their_test")
    test.during = lambda: results.append(redactors())  # type: ignore[attr-defined]
    assert len(redactors() or ()) == 2
    assert results == [None]
