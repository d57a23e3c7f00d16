"""Programs that PyInstaller has frozen, by the commands in docs/servers.md. `tox -e frozen` installs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.requirements import is_installed
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver

pytestmark = pytest.mark.skipif(not is_installed("PyInstaller"), reason="PyInstaller: `tox -e frozen`")

PROGRAM = """
import os
import agentops_otel_litellm
agentops_otel_litellm.init()
import litellm
response = litellm.completion(
    model="openai/gpt-4o", messages=[{"role": "user", "content": "hi"}], api_base=os.environ["PROVIDER"],
    api_key="sk-canary",
)
print(response.choices[0].message.content)
"""
# LiteLLM's own needs: its data files, and a plug-in of tiktoken, which PyInstaller cannot find.
OPTIONS = ("--collect-data", "litellm", "--hidden-import", "tiktoken_ext.openai_public")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("frozen")
    (directory / "app.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", *OPTIONS, "app.py"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return directory / "dist" / "app" / "app"


def run(program: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOPS_", "PYTHON"))}
    environment = {**kept, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **variables}
    return subprocess.run([program], env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_frozen_program_is_traced(frozen: Path) -> None:
    with OpenAIProvider() as provider, OTLPReceiver() as backend:
        variables = {"PROVIDER": provider.base_url, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint}
        done = run(frozen, OTEL_SERVICE_NAME="a", **variables)
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n"), done.stderr
    assert [span.name for span in backend.spans] == ["chat gpt-4o"]
    assert backend.spans[0].resource["telemetry.distro.name"] == "agentops-otel-litellm"
    assert backend.metrics


def test_a_frozen_program_prints_its_calls(frozen: Path) -> None:
    with OpenAIProvider() as provider:
        done = run(frozen, PROVIDER=provider.base_url)
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("chat gpt-4o") for line in done.stderr.splitlines())
