"""`docs/troubleshooting.md`: each row is of something that happens, with the lines that it quotes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from venv import EnvBuilder

import pytest

from agentops_otel_litellm.cli.doctor import CHECKS, as_json, as_text, examine
from agentops_otel_litellm.cli.report import Examined
from support.launching import LAUNCHER, environment, launch, run_program
from support.project import ROOT
from support.requirements import needs_files, needs_no_grpc
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.otlp_receiver import OTLPReceiver

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SPAN = "from opentelemetry import trace; trace.get_tracer('app').start_span('a span').end(); print('the app ran')"
MANY_SPANS = """
from opentelemetry import trace
for _ in range(500):
    trace.get_tracer('app').start_span('a span').end()
print('the app ran')
"""
NO_SPAN = "print('the app ran')"
NOWHERE = "http://127.0.0.1:9"

Case = Callable[[Path], str]


def rows() -> list[list[str]]:
    """The cells of the table, but for its head."""
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| ")
    ][1:]


def quoted(cell: str) -> list[str]:
    """What a cell has as code: a line that is printed, or a command, which has a place of its own."""
    return [
        found.strip() for _, found in re.findall(r"(`+)(.+?)\1(?!`)", cell) if not found.startswith(("doctor", "-- "))
    ]


def app(variables: dict[str, str], *, code: str = SPAN) -> str:
    """What an app says that runs under the launcher; it always runs."""
    done = launch(sys.executable, "-c", code, **variables)
    assert (done.returncode, done.stdout) == (0, "the app ran\n"), done.stderr
    return done.stderr


def doctor(*command: str, **variables: str) -> str:
    """What `doctor` says, asked within this process."""
    examined = Examined(variables=environment(**variables), command=command, imports_litellm=False)
    return as_text(examine(examined))


def sent(**variables: str) -> str:
    """What `doctor --send` says of its sending."""
    examined = Examined(variables=environment(**variables), imports_litellm=False, sends=True)
    return as_text(examine(examined, {"delivery": CHECKS["delivery"]}))


def both(**variables: str) -> str:
    """What an app says, and what `doctor --send` does."""
    return app(variables) + sent(**variables)


def with_litellm(version: str, path: Path) -> str:
    """Beside another release of LiteLLM, as far as its metadata go."""
    metadata = path / f"litellm-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: litellm\nVersion: {version}\n", "utf-8")
    return app({"PYTHONPATH": os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])})


def without_litellm(path: Path) -> str:
    """In an environment that has what this one has, but LiteLLM."""
    EnvBuilder(with_pip=False, symlinks=True).create(path / "venv")
    base = {"base": str(path / "venv"), "platbase": str(path / "venv")}
    packages = Path(sysconfig.get_path("purelib", vars=base))
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not each.name.startswith("litellm"):
            (packages / each.name).symlink_to(each)
    start = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    python = path / "venv" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", start, str(python), "-c", SPAN],
        env=environment(OTEL_TRACES_EXPORTER="none"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "the app ran\n"), done.stderr
    assert "which no installed" not in done.stderr
    return done.stderr


def with_instrumentation(path: Path) -> str:
    """Beside OpenInference's, as far as its metadata go."""
    metadata = path / "openinference_instrumentation_litellm-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: openinference-x\nVersion: 0.1\n", "utf-8")
    entry_point = "litellm = openinference.instrumentation.litellm:LiteLLMInstrumentor"
    (metadata / "entry_points.txt").write_text(f"[opentelemetry_instrumentor]\n{entry_point}\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path)
        return doctor()


def without_the_vocabulary(_path: Path) -> str:
    return doctor(AGENTOPS_SEMCONV="llm", AGENTOPS_API_KEY=AgentOpsPlatform.KEY)


@contextmanager
def grpc() -> Iterator[str]:
    """Something that answers as a server of gRPC does: with a frame of HTTP/2."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(bytes(3) + b"\x04" + bytes(5) + b"\x00\x00\x08\x07" + bytes(17))
                # If a part of the request were not read, closing would reset the connection, and lose the response.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def to_grpc(_path: Path) -> str:
    with grpc() as url:
        return sent(OTEL_EXPORTER_OTLP_ENDPOINT=url)


def refused(status: int, _path: Path) -> str:
    with OTLPReceiver() as backend:
        backend.status = status
        return both(OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint)


def with_key(key: str, _path: Path) -> str:
    with AgentOpsPlatform() as platform:
        variables = {**platform.environment, "AGENTOPS_API_KEY": key, "OTEL_TRACES_EXPORTER": "agentops"}
        said = app(variables)
        assert not key or key not in said
        return said


def without_the_reader(_path: Path) -> str:
    """Without the package that reads configuration files."""
    needs_files(["OTEL_CONFIG_FILE"])
    hidden = "import sys; sys.modules['opentelemetry.configuration'] = None"
    program = f"{hidden}\nimport agentops_otel_litellm\nagentops_otel_litellm.init()\n{SPAN}"
    done = run_program(program, OTEL_CONFIG_FILE="nowhere.yaml")
    assert (done.returncode, done.stdout) == (0, "the app ran\n"), done.stderr
    return done.stderr


def with_an_invalid_file(path: Path) -> str:
    needs_files(["OTEL_CONFIG_FILE"])
    file = path / "otel.yaml"
    file.write_text('file_format: "1.0"\ntracer_provider:\n  processors: {}\n', "utf-8")
    return app({"OTEL_CONFIG_FILE": str(file)})


def with_an_invalid_option(path: Path) -> str:
    needs_files(["OTEL_CONFIG_FILE"])
    file = path / "otel.yaml"
    options = "{python: {agentops_litellm: {redact: names}}}"
    file.write_text(f'file_format: "1.0"\ninstrumentation/development: {options}\n', "utf-8")
    return app({"OTEL_CONFIG_FILE": str(file)})


def run(*command: str) -> str:
    """What is said on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "agentops_otel_litellm", "run", "--", *command],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (127, "")
    return done.stderr


def running(**variables: str) -> str:
    """What an application says that `agentops-otel-litellm run` starts."""
    done = subprocess.run(
        [sys.executable, "-m", "agentops_otel_litellm", "run", "--", sys.executable, "-c", NO_SPAN],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "the app ran\n"), done.stderr
    return done.stderr


def of_app(code: str = SPAN, **variables: str) -> Case:
    return lambda _path: app(variables, code=code)


def of_doctor(*command: str, **variables: str) -> Case:
    return lambda _path: doctor(*command, **variables)


def of_sending(**variables: str) -> Case:
    return lambda _path: sent(**variables)


def propagator_of_the_launcher(_path: Path) -> str:
    """The last line of its traceback."""
    done = subprocess.run(
        [str(LAUNCHER), sys.executable, "-c", NO_SPAN],
        env=environment(OTEL_PROPAGATORS="b3"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.splitlines()[-1]


OTHER_KEY = AgentOpsPlatform.KEY.replace("6", "7")
# For each row, in order: how it comes about.
CASES: list[Case] = [
    of_doctor(),
    of_doctor(sys.executable, "-I", "app.py"),
    of_doctor(OTEL_SDK_DISABLED="true"),
    of_doctor(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="requests, agentops_litellm"),
    without_litellm,
    partial(with_litellm, "1.60.0"),
    partial(with_litellm, "1.82.7"),
    lambda _path: run("pyhton", "app.py"),
    of_app(OTEL_TRACES_EXPORTER="nonsense"),
    of_app(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"),
    of_app(OTEL_TRACES_EXPORTER="none", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317", OTEL_LOGS_EXPORTER="none"),
    of_app(OTEL_TRACES_EXPORTER="none", OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4318"),
    of_app(OTEL_TRACES_EXPORTER="none", OTEL_EXPORTER_OTLP_ENDPOINT=f"{NOWHERE}/v1/traces"),
    of_app(NO_SPAN, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=NOWHERE),
    of_sending(OTEL_EXPORTER_OTLP_ENDPOINT=NOWHERE),
    to_grpc,
    partial(refused, 401),
    partial(refused, 404),
    partial(with_key, ""),
    partial(with_key, "canary-key"),
    partial(with_key, OTHER_KEY),
    without_the_reader,
    with_an_invalid_file,
    with_an_invalid_option,
    of_app(),
    of_doctor(OTEL_PYTHON_DISTRO="distro"),
    lambda _path: running(OTEL_PROPAGATORS="tracecontext,b3"),
    propagator_of_the_launcher,
    of_app(MANY_SPANS, OTEL_BSP_MAX_QUEUE_SIZE="2"),
    of_app(NO_SPAN, OTEL_EXPORTER_OTLP_ENDPOINT=NOWHERE),
    with_instrumentation,
    without_the_vocabulary,
    lambda _path: as_json(examine(Examined(variables=environment(), imports_litellm=False))),
    of_app(NO_SPAN, OTEL_TRACES_EXPORTER="agentops", AGENTOPS_REDACT="names"),
    of_app(NO_SPAN, AGENTOPS_APIKEY="canary-key"),
    of_doctor(AGENTOPS_TAGS="canary"),
    of_sending(OTEL_TRACES_SAMPLER="always_off"),
]


def test_each_row_has_its_case() -> None:
    """A row that is added needs a case, and quotes something that is printed."""
    assert len(rows()) == len(CASES)
    assert all(len(row) == 3 and quoted(row[0]) for row in rows())


@pytest.mark.parametrize(("row", "case"), [*zip(rows(), CASES, strict=False)], ids=[row[0] for row in rows()])
def test_what_the_page_says(row: list[str], case: Case, tmp_path: Path) -> None:
    """What a row quotes is said, in the same words, where that happens; no key is."""
    needs_no_grpc(quoted(row[0]))
    said = case(tmp_path)
    for line in quoted(row[0]):
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert re.search(pattern, said), said
    assert "Traceback" not in said
    assert "canary" not in said


def test_the_json_of_the_page() -> None:
    """It is what `--json` prints of the same; of that, one record."""
    (example,) = (json.loads(found) for found in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    report = examine(
        Examined(variables=environment(OTEL_SDK_DISABLED="true"), imports_litellm=False),
        {"what runs": CHECKS["what runs"]},
    )
    printed = json.loads(as_json(report))
    printed["checks"][0]["records"] = printed["checks"][0]["records"][:1]
    assert printed == example
