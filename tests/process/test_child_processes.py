"""Python processes that an application under the launcher starts: traced if they can be, else as without it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from opentelemetry.instrumentation import auto_instrumentation

from agentops_otel_litellm.exporters.console import HINT
from support.launching import LAUNCHER, launch

IS_TRACED = """
from agentops_otel_litellm import LiteLLMInstrumentor
print(LiteLLMInstrumentor().is_instrumented_by_opentelemetry)
"""
RUN = "import subprocess, sys; print(subprocess.run(sys.argv[1:], capture_output=True, text=True))"
SPAWN = """
import multiprocessing
from agentops_otel_litellm import LiteLLMInstrumentor

def work():
    print(LiteLLMInstrumentor().is_instrumented_by_opentelemetry, flush=True)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
"""


starts_in_children = pytest.mark.skipif(
    not hasattr(auto_instrumentation, "_initialize"),
    reason="before OpenTelemetry 1.42 the launcher does not start it in child processes",
)


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has nothing installed."""
    directory = tmp_path_factory.mktemp("bare")
    venv.create(directory, symlinks=os.name != "nt")
    return str(directory / "bin" / "python")


def outputs(program: list[str], **variables: str) -> str:
    """What the program prints, on stdout and stderr, that an application under the launcher starts."""
    done = launch(sys.executable, "-c", RUN, *program, **variables)
    return done.stdout.strip()


def without_us(program: list[str], **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_python_without_opentelemetry_prints_nothing_else(bare_python: str) -> None:
    program = [bare_python, "-c", "print(41 + 1)"]
    assert outputs(program, PYTHONPATH="") == without_us(program, PYTHONPATH="")
    assert "stdout='42\\n', stderr=''" in outputs(program, PYTHONPATH="")


@starts_in_children
@pytest.mark.parametrize("depth", [1, 2])
def test_python_with_opentelemetry_is_traced(depth: int) -> None:
    """Also one that a child process starts."""
    program = [sys.executable, "-c", IS_TRACED]
    for _ in range(depth - 1):
        program = [sys.executable, "-c", RUN, *program]
    assert "True" in outputs(program)


@starts_in_children
def test_process_of_multiprocessing_is_traced(tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(SPAWN)
    done = launch(sys.executable, str(program))
    assert (done.stdout, done.stderr.count(HINT)) == ("True\n", 1)


@starts_in_children
def test_broken_opentelemetry_is_not_silent(bare_python: str, tmp_path: Path) -> None:
    """A Python that has OpenTelemetry, without what that needs."""
    package = tmp_path / "opentelemetry" / "instrumentation" / "auto_instrumentation"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import a_package_that_is_not_installed")
    command = f'PYTHONPATH="$PYTHONPATH:{tmp_path}" exec {bare_python} -c "print(42)"'
    printed = outputs(["sh", "-c", command], PYTHONPATH="")
    assert "stdout='42\\n'" in printed
    assert "No module named 'a_package_that_is_not_installed'" in printed


@pytest.mark.parametrize("python", ["bare", "this"])
def test_sitecustomize_of_the_application_runs(bare_python: str, tmp_path: Path, python: str) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.mark = 'the application was here'")
    executable = bare_python if python == "bare" else sys.executable
    program = [executable, "-c", "import sys, sitecustomize; print(sys.mark, sitecustomize.__file__)"]
    entries = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    assert f"stdout='the application was here {tmp_path / 'sitecustomize.py'}\\n'" in outputs(
        program, PYTHONPATH=os.pathsep.join(entries)
    )


def test_error_in_sitecustomize_of_the_application(bare_python: str, tmp_path: Path) -> None:
    """It is reported as without us, and the program runs."""
    (tmp_path / "sitecustomize.py").write_text("import a_package_that_is_not_installed")
    program = [bare_python, "-c", "print(42)"]
    assert outputs(program, PYTHONPATH=str(tmp_path)) == without_us(program, PYTHONPATH=str(tmp_path))


def test_start_up_lines_of_the_first_process_only() -> None:
    """Neither ours nor OpenTelemetry's about what it does not load."""
    done = launch(
        sys.executable,
        "-c",
        "import subprocess, sys\nfor _ in range(2): subprocess.run([sys.executable, '-c', 'pass'])",
        AGENTOPS_CONTENT_PART_LIMIT="none",
        OTEL_LOGS_EXPORTER="nowhere",
        OTEL_EXPORTER_OTLP_ENDPOINT="127.0.0.1:9",
    )
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == len(set(lines))
    for said in (
        "AGENTOPS_CONTENT_PART_LIMIT",
        "'nowhere'",
        "No service name",
        "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL",
    ):
        assert len([line for line in lines if said in line]) == 1, lines


def test_application_that_starts_the_launcher() -> None:
    """What that starts is the first process of another application."""
    done = launch(sys.executable, "-c", f"import subprocess; subprocess.run([{str(LAUNCHER)!r}, 'true'])")
    assert done.stderr.count(HINT) == 1
    nested = [str(LAUNCHER), sys.executable, "-c", IS_TRACED]
    done = launch(sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *nested)
    assert (done.stdout, done.stderr.count(HINT)) == ("True\n", 2)


@starts_in_children
def test_pythonpath_of_the_application_is_kept(tmp_path: Path) -> None:
    entries = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    code = "import os; print(os.environ['PYTHONPATH'])"
    done = launch(sys.executable, "-c", code, PYTHONPATH=os.pathsep.join(entries))
    ours, launchers, *others = done.stdout.strip().split(os.pathsep)
    assert Path(ours).name == "child_processes"
    assert Path(launchers).name == "auto_instrumentation"
    assert others[-len(entries) :] == entries
