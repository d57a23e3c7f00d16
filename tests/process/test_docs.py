"""What the README and the pages say to run, runs: each block by one test, here or elsewhere, or it is said why not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from support.backends import with_ports
from support.launching import environment
from support.project import PROJECT, ROOT
from support.servers.agentops_platform import AgentOpsPlatform, without_suffix
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


class Block(NamedTuple):
    page: str
    language: str
    text: str


FENCE = re.compile(r"^```([\w{}-]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    Block(page.name, language, text)
    for page in PAGES
    for language, text in FENCE.findall(page.read_text("utf-8"))
    if not language.startswith("{")  # a directive of the documentation site
]

# The page, and what only one of its blocks has → the test that runs it.
ELSEWHERE = {
    ("README.md", "python examples/quickstart.py"): "test_readme.py",
    ("troubleshooting.md", '"schema"'): "test_troubleshooting.py",
    ("backends.md", "python agent.py"): "test_backends.py",
    ("collector.md", "python agent.py"): "test_collector.py",
    ("configuration.md", "OTEL_CONFIG_FILE="): "test_config_file.py",
    ("configuration.md", "capture_message_content: SPAN_ONLY"): "test_config_file.py",
    ("configuration.md", "capture_message_content: NO_CONTENT"): "test_config_file.py",
    ("cost.md", '"input_cost_per_token"'): "test_cost_page.py",
    ("cost.md", "AGENTOPS_PRICES="): "test_cost_page.py",
    ("mlflow.md", "mlflow server"): "test_mlflow.py",
    ("mlflow.md", "python agent.py"): "test_mlflow.py",
    ("proxy.md", "litellm -c config.yaml"): "test_proxy.py",
    ("proxy.md", "└ route fast"): "test_proxy.py",
    ("proxy.md", 'model="litellm_proxy/fast"'): "test_proxy.py",
    ("servers.md", "pip install pyinstaller"): "test_frozen.py",
    ("phoenix.md", "phoenix serve"): "test_phoenix.py",
    ("phoenix.md", "python agent.py"): "test_phoenix.py",
    ("vocabularies.md", "def who_spoke"): "test_vocabularies_of_users.py",
    ("vocabularies.md", "entry-points"): "test_vocabularies_of_users.py",
    ("vocabularies.md", "python agent.py"): "test_vocabularies_of_users.py",
}
# Likewise → why no test runs it.
NOT_RUN = {
    ("README.md", "litellm -c config.yaml"): "LiteLLM's proxy needs packages that would be others for the whole suite",
    ("README.md", "pytest"): "it would run this",
    ("collector.md", "receivers:"): "a Collector is no Python package",
    ("cost.md", "AGENTOPS_LIVE_PRICES="): "it fetches prices from the internet",
    ("docker.md", "FROM python"): "Docker cannot run here",
    ("docker.md", "docker build -t"): "Docker cannot run here",
    ("docker.md", "docker build -f"): "Docker cannot run here",
    ("docker.md", "docker compose"): "Docker cannot run here",
    ("kubernetes.md", "docker build"): "Docker cannot run here",
    ("kubernetes.md", "kubectl apply"): "it needs a cluster",
    ("kubernetes.md", "kubectl create secret"): "it needs a cluster",
    ("kubernetes.md", "helm"): "it needs a cluster",
    ("serverless.md", "aws lambda"): "it needs an account of AWS",
    ("servers.md", "uvicorn app:app"): "the servers are not installed; test_servers.py has others of their commands",
    ("servers.md", "-k gevent"): "gevent is not installed",
    ("servers.md", "eventlet"): "eventlet is not installed",
    ("getting-started.md", "litellm -c config.yaml"): "LiteLLM's proxy needs packages that would be others for all",
    ("getting-started.md", "from celery"): "Celery is not installed for one decorator",
}
# What an app of the reader's is, and does with a function that a block defines.
APP = "import litellm\nlitellm.completion('openai/gpt-4o-mini', [{'role': 'user', 'content': 'Hi'}])\n"
SPAN = "from opentelemetry import trace\ntrace.get_tracer('app').start_span('a span').end()\n"
USES = {
    "def handler(": "print(handler({'question': 'Hi'}, None))\n",
    "def test_summary(": "test_summary()\n",
    "def post_fork(": f"post_fork(None, None)\n{SPAN}",
}


def of(page: str, text: str) -> list[Block]:
    return [block for block in BLOCKS if block.page == page and text in block.text]


RUN_HERE = [block for block in BLOCKS if not any(block in of(*where) for where in [*ELSEWHERE, *NOT_RUN])]


def test_every_other_block_is_accounted_for() -> None:
    """Each that is not run here is there, once, and the test that runs it names its page."""
    assert not set(ELSEWHERE) & set(NOT_RUN)
    where = [*ELSEWHERE, *NOT_RUN]
    assert {place: len(of(*place)) for place in where} == dict.fromkeys(where, 1)
    assert len({block for place in where for block in of(*place)}) == len(where)
    for (page, _), module in ELSEWHERE.items():
        files = (ROOT / "tests").rglob(module)
        assert any(page in file.read_text("utf-8") for file in files), f"{module} does not name {page}"
    assert {block.language for block in RUN_HERE} == {"sh", "python"}


@pytest.fixture
def agentops() -> Iterator[AgentOpsPlatform]:
    with AgentOpsPlatform() as platform:
        yield platform


@pytest.fixture
def given(agentops: AgentOpsPlatform, provider: OpenAIProvider, tmp_path: Path) -> dict[str, str]:
    """The environment of a reader, who has an app in the current directory, and a `pip` that installs nothing."""
    (tmp_path / "app.py").write_text(APP, "utf-8")
    (redactor,) = of("content.md", "def redact")
    (tmp_path / "acme_redacting.py").write_text(redactor.text, "utf-8")
    pip = tmp_path / "pip"
    pip.write_text('#!/bin/sh\necho "$@" >> installed\n', "utf-8")
    pip.chmod(0o755)
    return environment(
        PATH=os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]),
        AGENTOPS_API_ENDPOINT=agentops.environment["AGENTOPS_API_ENDPOINT"],
        AGENTOPS_EXPORTER_ENDPOINT=agentops.environment["AGENTOPS_EXPORTER_ENDPOINT"],
        OPENAI_API_BASE=provider.base_url,
        OPENAI_API_KEY="sk-a",
    )


def run(command: list[str], given: dict[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=directory, env=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "export" not in done.stderr.replace("OTEL_TRACES_EXPORTER", ""), done.stderr
    assert "cannot be" not in done.stderr, done.stderr
    return done


def blocks(language: str) -> pytest.MarkDecorator:
    found = [block for block in RUN_HERE if block.language == language]
    return pytest.mark.parametrize(
        "block", found, ids=[f"{block.page}:{block.text.splitlines()[-1]}" for block in found]
    )


@blocks("sh")
def test_commands(
    block: Block, backend: OTLPReceiver, agentops: AgentOpsPlatform, given: dict[str, str], tmp_path: Path
) -> None:
    """What is installed is to be had, and an app that is run is seen: by the backend, or on the terminal."""
    text = with_ports(block.text, {"4318": backend.port})
    text = text.replace("AGENTOPS_API_KEY=…", f"AGENTOPS_API_KEY={agentops.KEY}")
    named = re.search(r"AGENTOPS_TRACE_NAME=(\S+)", text)
    done = run(["/bin/sh", "-ec", text], given, tmp_path)
    to_agentops = [span for span in agentops.spans if span.attributes["agentops.span.kind"] != "session"]
    assert len(agentops.spans) - len(to_agentops) == text.count("AGENTOPS_AUTO_START_SESSION=true")
    calls = [*(span.name for span in backend.spans), *map(without_suffix, to_agentops)]
    calls += re.findall(r"^(chat gpt-4o-mini) ", done.stderr, re.MULTILINE)
    expected = [named[1] if named else "chat gpt-4o-mini"] * text.count("python app.py")
    assert calls == [*expected, *["agentops-otel-litellm doctor"] * text.count("doctor --quick --send")]
    installed = tmp_path / "installed"
    for line in installed.read_text("utf-8").splitlines() if installed.exists() else ():
        _, required = line.split(maxsplit=1)
        assert Requirement(required).name == "agentops-otel-litellm"
        assert Requirement(required).extras <= set(PROJECT["optional-dependencies"])


@blocks("python")
def test_programs(block: Block, backend: OTLPReceiver, given: dict[str, str], tmp_path: Path) -> None:
    """They do what they say, and what is traced where `init()` was called is sent."""
    use = next((use for definition, use in USES.items() if definition in block.text), SPAN)
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint, "OTEL_SERVICE_NAME": "app"}
    run([sys.executable, "-c", f"{block.text}\n{use}"], {**given, **told}, tmp_path)
    assert len(backend.spans) == ("init()" in block.text)
