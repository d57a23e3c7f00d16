"""The packages of the image for the OpenTelemetry Operator, injected by environment variables into applications whose
environments have other versions of the packages that this one needs. The image itself is not built.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import ROOT
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver, ReceivedSpan

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
IMAGE = "3.12"
"""The Python of the image, which compiles the extension modules."""
MUSL = (
    *("--platform", "musllinux_1_2_x86_64", "--implementation", "cp", "--python-version", IMAGE),
    "--only-binary=:all:",
)
LAYOUTS: dict[str, tuple[str, ...]] = {"glibc": (), "musl": MUSL}
"""Directory of the image → pip's options. Without the C library that they are for, extension modules cannot be loaded
here, and the packages' Python code is used.
"""
# Other versions than constraints.txt has. LiteLLM accepts them, and so do this package's requirements.
OTHER_VERSIONS = ("requests==2.31.0", "protobuf==5.29.5", "wrapt==1.17.3", "typing-extensions==4.15.0", "rich==13.7.1")
OLD_SDK = ("opentelemetry-sdk==1.39.1", "opentelemetry-exporter-otlp-proto-http==1.39.1")
OLD_PROTOBUF = ("protobuf==4.25.8",)

APP = """
import json, os, sys
import google.protobuf, litellm, requests, rich, typing_extensions, wrapt
from importlib.metadata import version
names = ["requests", "protobuf", "wrapt", "typing-extensions", "rich"]
modules = [google.protobuf, requests, rich, typing_extensions, wrapt]
litellm.drop_params = True
response = litellm.completion(
    model="openai/gpt-4o", messages=[{"role": "user", "content": "hi"}],
    api_base=os.environ["PROVIDER"], api_key="sk-canary", max_retries=0,
)
print(json.dumps({
    "answer": response.choices[0].message.content,
    "versions": {name: version(name) for name in names},
    "own": [module.__file__.startswith(sys.prefix) for module in modules],
}))
"""
APP_WITH_SDK = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
trace.get_tracer("app").start_span("own").end()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the images are for Linux")


def python(version: str) -> str:
    """The command of an installed Python. The test is skipped if there is none."""
    found = find_python(version)
    if found is None:
        pytest.skip(f"Python {version} is not installed")
    return found


def find_python(version: str) -> str | None:
    """The command of a Python on PATH or of pyenv, whose commands on PATH fail for versions that are not selected."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    candidates = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"versions/{version}.*/bin/python"))]
    return next((each for each in candidates if each and run(each, "--version").returncode == 0), None)


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOPS_", "PYTHON"))}
    return subprocess.run(command, env={**kept, **variables}, capture_output=True, text=True, timeout=600, check=False)


@functools.cache
def layout(name: str, directory: Path) -> Path:
    """A directory of the image, made by the commands of the Dockerfile."""
    target = directory / name
    done = run("sh", str(ROOT / "deploy/operator/install.sh"), str(target), *LAYOUTS[name], PYTHON=python(IMAGE))
    assert done.returncode == 0, done.stderr
    return target


@functools.cache
def application(version: str, packages: tuple[str, ...], directory: Path) -> str:
    """The Python of an application's own virtual environment, without this package."""
    environment = directory / "-".join([version, *(each.replace("==", "-") for each in packages)])
    assert run(python(version), "-m", "venv", str(environment)).returncode == 0
    own = str(environment / "bin" / "python")
    chosen = {each.partition("==")[0]: each for each in (*OTHER_VERSIONS, *packages)}
    done = run(own, "-m", "pip", "install", "--quiet", "litellm>=1.80,<1.107", *chosen.values())
    assert done.returncode == 0, done.stderr
    return own


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("injection")


@pytest.fixture
def provider() -> Iterator[str]:
    with OpenAIProvider() as server:
        yield server.base_url


def injected(root: Path, backend: OTLPReceiver, own_path: str = "") -> dict[str, str]:
    """The variables that the operator sets. It keeps an application's own PYTHONPATH between its two directories."""
    starter = root / "opentelemetry" / "instrumentation" / "auto_instrumentation"
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(starter), own_path, str(root)])),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint,
        "OTEL_SERVICE_NAME": "an-app",
        # From deploy/operator/instrumentation.yaml.
        "OTEL_PYTHON_DISTRO": "agentops",
        "OTEL_PYTHON_CONFIGURATOR": "agentops",
    }


def facts(span: ReceivedSpan) -> tuple[str, object, object]:
    return span.name, span.resource["service.name"], span.resource["telemetry.distro.name"]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("version", PYTHONS)
def test_an_application_with_other_versions(
    version: str, name: str, directory: Path, backend: OTLPReceiver, provider: str
) -> None:
    """It imports its own packages as without the injection, prints the same, and its call is traced."""
    own = application(version, (), directory)
    variables = {"PROVIDER": provider, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    alone = run(own, "-c", APP, **variables)
    assert alone.returncode == 0, alone.stderr
    traced = run(own, "-c", APP, **variables, **injected(layout(name, directory), backend))
    assert (traced.returncode, traced.stdout, traced.stderr) == (0, alone.stdout, alone.stderr)
    assert all(json.loads(traced.stdout)["own"])
    assert [facts(span) for span in backend.spans] == [("chat gpt-4o", "an-app", "agentops-otel-litellm")]
    assert backend.metrics


def test_child_processes(directory: Path, backend: OTLPReceiver, provider: str) -> None:
    """They have the application's packages too, and are traced."""
    own = application("3.12", (), directory)
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {APP!r}], check=True)"
    variables = {"PROVIDER": provider, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    traced = run(own, "-c", program, **variables, **injected(layout("glibc", directory), backend))
    assert all(json.loads(traced.stdout)["own"]), traced.stderr
    assert [span.name for span in backend.spans] == ["chat gpt-4o"]


def test_an_own_sitecustomize(directory: Path, backend: OTLPReceiver, tmp_path: Path) -> None:
    """It runs, although the operator's directory hides it."""
    (tmp_path / "sitecustomize.py").write_text("print('own')", "utf-8")
    own = application("3.12", (), directory)
    traced = run(own, "-c", "", **injected(layout("glibc", directory), backend, own_path=str(tmp_path)))
    assert (traced.stdout, traced.stderr) == ("own\n", "")


@pytest.mark.parametrize("packages", [OLD_SDK, OLD_PROTOBUF], ids=["an SDK", "protobuf"])
def test_an_application_with_older_packages(
    packages: tuple[str, ...], directory: Path, backend: OTLPReceiver, provider: str
) -> None:
    """It runs as without the injection. One log line, also for child processes, states why it is not traced."""
    own = application("3.12", packages, directory)
    code = APP + (APP_WITH_SDK if packages == OLD_SDK else "")
    variables = {"PROVIDER": provider, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    child = f"{code}\nimport subprocess\nsubprocess.run([sys.executable, '-c', 'pass'], check=True)"
    alone, traced = (
        run(own, "-c", child, **variables, **more) for more in ({}, injected(layout("glibc", directory), backend))
    )
    assert alone.returncode == 0, alone.stderr
    assert (traced.returncode, _without_ids(traced.stdout)) == (0, _without_ids(alone.stdout)), traced.stderr
    (line,) = traced.stderr.removesuffix(alone.stderr).splitlines()
    name, _, version = packages[0].partition("==")
    assert line.startswith("agentops-otel-litellm: LiteLLM is not traced, because the injected ")
    assert f", but the app has {version}. Update the app's packages, or install agentops-otel-litellm" in line
    assert name == "protobuf" or backend.requests == []


def _without_ids(text: str) -> str:
    """The output without the ids and times of spans, and without the service's name, which the operator sets."""
    varying = ('"0x', '_time"', '"service.name"')
    return "\n".join(line for line in text.splitlines() if not any(each in line for each in varying))


def test_an_application_with_the_same_sdk(directory: Path, backend: OTLPReceiver, provider: str) -> None:
    """Its spans and its calls are exported, and one line states that its own provider is ignored."""
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    (pin,) = (each for each in pins if each.startswith("opentelemetry-sdk=="))
    own = application("3.12", (pin,), directory)
    variables = {"PROVIDER": provider, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    traced = run(own, "-c", APP_WITH_SDK + APP, **variables, **injected(layout("glibc", directory), backend))
    assert traced.returncode == 0, traced.stderr
    assert traced.stderr.splitlines() == ["Overriding of current TracerProvider is not allowed"]
    assert sorted(span.name for span in backend.spans) == ["chat gpt-4o", "own"]


def test_an_old_python(directory: Path, backend: OTLPReceiver) -> None:
    """Python 3.8 and 3.9 run as without the injection, with one log line."""
    old = next((found for each in ("3.9", "3.8") if (found := find_python(each))), None)
    if old is None:
        pytest.skip("no Python before 3.10 is installed")
    traced = run(
        old, "-c", "import os; print(os.environ.get('PYTHONPATH'))", **injected(layout("glibc", directory), backend)
    )
    assert (traced.returncode, traced.stdout) == (0, "None\n")
    (line,) = traced.stderr.splitlines()
    assert "because it needs Python 3.10 or later" in line
