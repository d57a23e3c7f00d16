"""The instrumentations that `bootstrap` suggests."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError

import pytest
from opentelemetry.instrumentation.bootstrap_gen import default_instrumentations, libraries
from packaging.requirements import Requirement

from agentops_otel_litellm.__main__ import main
from agentops_otel_litellm.cli import bootstrap
from agentops_otel_litellm.cli.bootstrap import KINDS, PREFIX, suggestions

OPENTELEMETRYS = {Requirement(each["instrumentation"]).name.removeprefix(PREFIX): each for each in libraries}
LEFT_OUT = {
    # They trace LLM calls, also those that LiteLLM makes.
    *("openai-v2", "vertexai"),
    # They have no instrumentor that the launcher loads.
    *("asgi", "wsgi", "dbapi"),
    # They record what is not part of a request.
    *("asyncclick", "asyncio", "click", "exceptions", "jinja2", "logging", "structlog", "system-metrics"),
}


def installed(monkeypatch: pytest.MonkeyPatch, versions: Mapping[str, str]) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(bootstrap, "version", version)


def names() -> list[str]:
    return [Requirement(each.requirement).name.removeprefix(PREFIX) for each in suggestions()]


def test_each_instrumentation_is_chosen_or_left_out() -> None:
    """A new one in OpenTelemetry's list fails this test, so that somebody decides whether it traces LLM calls."""
    all_of_them = {*OPENTELEMETRYS, *(Requirement(each).name.removeprefix(PREFIX) for each in default_instrumentations)}
    assert all_of_them - KINDS.keys() - LEFT_OUT == set()
    assert KINDS.keys() & LEFT_OUT == set()


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({}, []),
        ({"httpx": "0.28.1"}, ["httpx"]),
        ({"httpx": "0.1.0"}, []),
        ({"httpx": "0.28.1", f"{PREFIX}httpx": "0.66b2"}, []),
        ({"openai": "2.0.0", "pydantic": "2.0.0", "click": "8.2.0"}, []),
        ({"fastapi": "0.115.0", "redis": "6.0.0", "celery": "5.4.0"}, ["celery", "fastapi", "redis"]),
        ({"aiobotocore": "2.13.0", "botocore": "1.40.0"}, ["botocore"]),
    ],
    ids=str,
)
def test_suggestions(versions: Mapping[str, str], expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose library is installed in a supported release, and that are not installed, each once."""
    installed(monkeypatch, versions)
    always = ["sqlite3", "threading", "urllib"]
    assert names() == sorted([*expected, *always])


def test_the_list_is_a_requirements_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed(monkeypatch, {"httpx": "0.28.1"})
    assert main(["bootstrap"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Requirement(line.partition("  # ")[0]).name for line in lines] == [f"{PREFIX}{name}" for name in names()]
    assert lines[0] == f"{OPENTELEMETRYS['httpx']['instrumentation']}  # HTTP client: httpx"


def test_nothing_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed(monkeypatch, {f"{PREFIX}{name}": "0.66b2" for name in KINDS})
    assert main(["bootstrap", "--install"]) == 0
    assert capsys.readouterr().out == "No instrumentation is missing for the installed libraries.\n"


def test_without_an_installer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A virtual environment of uv has no pip, and uv may not be on PATH."""
    installed(monkeypatch, {})
    monkeypatch.setattr(bootstrap, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["bootstrap", "--install"]) == 1
    assert "Neither pip nor uv is available" in capsys.readouterr().out
