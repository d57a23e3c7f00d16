"""The files in `deploy`: they are valid, agree with each other, and set variables that are read. No container runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.settings import Settings
from support.project import ROOT

DEPLOY = ROOT / "deploy"
FILES = sorted(DEPLOY.rglob("*.yaml"))
COMPOSE = DEPLOY / "compose"
KNOWN = {
    *(each.metadata["variable"] for each in fields(Settings)),
    *DEFAULTS,
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR"),
}


def read(file: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(file.read_text("utf-8"))


def scalars(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from scalars(each)
    elif isinstance(value, list):
        for each in value:
            yield from scalars(each)
    else:
        yield str(value)


def test_there_are_files() -> None:
    assert len(FILES) == 8


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_variables_are_read(file: Path) -> None:
    """Each variable of OpenTelemetry or of this package is one that this package documents."""
    named = {each for each in scalars(read(file)) if re.fullmatch(r"(?:OTEL|AGENTOPS)_\w+", each)}
    assert named <= KNOWN


def test_compose_mounts_files_that_exist() -> None:
    services = read(COMPOSE / "compose.yaml")["services"]
    mounted = {volume.partition(":")[0] for each in services.values() for volume in each.get("volumes", ())}
    assert {(COMPOSE / each).resolve() for each in mounted} == {*FILES} & {*COMPOSE.glob("*")} - {
        COMPOSE / "compose.yaml"
    }
    assert (COMPOSE / services["litellm"]["build"] / "Dockerfile").is_file()
    assert {name for each in services.values() for name in each.get("depends_on", ())} <= services.keys()


def test_compose_connects_services_that_exist() -> None:
    """The host of each URL in the configuration is a service."""
    services = read(COMPOSE / "compose.yaml")["services"]
    text = "".join(file.read_text("utf-8") for file in COMPOSE.glob("*.yaml"))
    hosts = set(re.findall(r"http://([\w.-]+):\d+", text)) - {"localhost"}
    assert hosts == {"collector", "prometheus", "tempo"}
    assert hosts <= services.keys()


def test_the_collectors_pipelines() -> None:
    """Each pipeline has only components that are configured, and each of these is in a pipeline."""
    configuration = read(COMPOSE / "collector.yaml")
    pipelines = configuration["service"]["pipelines"]
    assert pipelines.keys() == {"traces", "metrics", "logs"}
    for kind in ("receivers", "processors", "exporters"):
        assert {name for each in pipelines.values() for name in each[kind]} == configuration[kind].keys()


def test_the_images_have_the_directories_that_the_operator_copies() -> None:
    text = (DEPLOY / "operator/Dockerfile").read_text("utf-8")
    copied = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith("COPY --from")]
    assert copied == ["/autoinstrumentation", "/autoinstrumentation-musl"]
    assert text.count("deploy/operator/install.sh /autoinstrumentation") == 2
    assert text.splitlines()[-1].startswith("USER 65532")


def test_images_receive_all_sources() -> None:
    """What .dockerignore leaves in is what a wheel is built from."""
    kept = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()[1:]]
    assert all((ROOT / each).exists() for each in kept)
    assert {"constraints.txt", "deploy", "LICENSE", "README.md", "pyproject.toml", "src"} == {*kept}
