"""A vocabulary of a user's own, in a package of theirs, as `docs/vocabularies.md` has it."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from agentops_otel_litellm import VOCABULARIES, semconv
from agentops_otel_litellm.settings import Settings
from support.backends import run_agent, shell_blocks
from support.launching import launch
from support.logged_warnings import LoggedWarnings
from support.project import ROOT
from support.servers.otlp_receiver import OTLPReceiver

PAGE = (ROOT / "docs" / "vocabularies.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's module as a package that is installed."""
    (tmp_path / "acme_tracing.py").write_text(block("python"), encoding="utf-8")
    information = tmp_path / "acme_tracing-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tracing\nVersion: 1.0\n", encoding="utf-8")
    group, entry = block("toml").strip().splitlines()
    (information / "entry_points.txt").write_text(
        f"{group.replace('project.entry-points.', '')}\n{entry.replace(chr(34), '')}\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path[1:]]))
    return tmp_path


@pytest.mark.usefixtures("installed")
def test_a_vocabulary_of_a_package_is_chosen_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written beside the one of ours that is chosen too, and no other."""
    run = block("sh")
    with OTLPReceiver() as receiver:
        monkeypatch.setenv("OTLP", receiver.endpoint)
        telling = "export OTEL_EXPORTER_OTLP_ENDPOINT=$OTLP OTEL_SERVICE_NAME=a-test\n"
        telling += "export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY\n"
        run_agent(telling + run, {})
        first, *_, embedding = sorted(
            (span for span in receiver.spans if span.name in {"chat gpt-4o", "embeddings text-embedding-3-small"}),
            key=lambda span: "acme.cents" not in span.attributes,
        )
    acme = {name: value for name, value in first.attributes.items() if name.startswith("acme.")}
    assert acme == {
        "acme.model": "gpt-4o",
        "acme.tokens": 52,
        "acme.cents": pytest.approx(0.021),
        "acme.message.0.role": "system",
        "acme.message.1.role": "user",
        **{name: value for name, value in acme.items() if name in {"acme.message.2.role", "acme.message.3.role"}},
        "acme.gateway": "litellm",
    }
    assert first.attributes["gen_ai.operation.name"] == "chat"
    assert not any(name.startswith("llm.") for name in first.attributes)
    assert "acme.cents" not in embedding.attributes


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("chosen", "loaded"), [("gen_ai", "False"), ("acme", "True")])
def test_it_is_imported_only_where_it_is_chosen(chosen: str, loaded: str) -> None:
    """Others do not pay for it."""
    code = "import sys, litellm.utils; print('acme_tracing' in sys.modules)"
    assert launch(sys.executable, "-c", code, AGENTOPS_SEMCONV=chosen).stdout.splitlines()[-1] == loaded


@pytest.mark.parametrize(
    ("value", "fault"),
    [("nowhere:ACME", "ModuleNotFoundError"), ("agentops_otel_litellm:always", "it is not a Vocabulary")],
)
def test_one_that_cannot_be_loaded_is_left_out(
    monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings, value: str, fault: str
) -> None:
    """It is told of, and the others are written; by themselves the default's are."""
    broken = {"acme": EntryPoint("acme", value, semconv.ENTRY_POINTS)}
    monkeypatch.setattr(semconv, "_registered", lambda: broken)
    assert semconv.choose_vocabularies(Settings(semconv=("acme", "llm"))) == [VOCABULARIES["llm"]]
    assert semconv.choose_vocabularies(Settings(semconv=("acme",))) == [
        VOCABULARIES["gen_ai"],
        VOCABULARIES["llm"],
    ]
    assert logged.take() == [f"The vocabulary acme='{value}' cannot be loaded ({fault}), so it is left out."] * 2


def test_the_page_names_all_of_ours() -> None:
    """In the order in which they decide."""
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(VOCABULARIES)
    assert shell_blocks("vocabularies.md") == [block("sh")]
