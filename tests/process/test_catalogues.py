"""A new operation is one row in `operations.py`, a new provider one row in `providers.py`, for every convention."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import reference

import agentops_otel_litellm
from support.launching import environment
from support.project import ROOT

PACKAGE = Path(agentops_otel_litellm.__file__).parent
PROGRAM = """
import json
from agentops_otel_litellm import LiteLLMInstrumentor
from support.recorder import Recorder, attributes_of

recorder = Recorder()
LiteLLMInstrumentor().instrument(**recorder.providers)
import litellm
import reference
from litellm.utils import client


@client
def imagine(model, messages, **kwargs):
    usage = litellm.Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7)
    message = litellm.Message(content="a garden")
    choice = litellm.Choices(message=message, finish_reason="stop")
    return litellm.ModelResponse(id="r1", model="acme-1", choices=[choice], usage=usage)


imagine("openai/acme-1", [{"role": "user", "content": "canary"}], custom_llm_provider="openai")
try:
    litellm.completion("acme-2", [{"role": "user", "content": "canary"}])
except litellm.BadRequestError:
    pass
metrics = {point.name: point.attributes for point in recorder.points()}
spans = [{"name": span.name, **attributes_of(span)} for span in recorder.spans()]
table = reference.operations()
print(json.dumps({"spans": spans, "metrics": metrics, "table": table}, default=list))
"""


def run_with(tmp_path: Path, **rows: str) -> Any:  # noqa: ANN401 - JSON
    """What is recorded with a copy of the package that has one more row in the named catalogues."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for catalogue, row in rows.items():
        path = tmp_path / PACKAGE.name / f"{catalogue}.py"
        text = path.read_text("utf-8")
        (start,) = (line for line in text.splitlines() if line.startswith(f"{catalogue.upper()}: tuple["))
        path.write_text(text.replace(start, f"{start}\n    {row},"), "utf-8")
    prices = tmp_path / "prices.json"
    prices.write_text('{"acme-1": {"input_cost_per_token": 1, "output_cost_per_token": 2}}', "utf-8")
    given = environment(
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT / "docs"), str(ROOT / "tests")]),
        AGENTOPS_SEMCONV="gen_ai,llm,openinference,agentops",
        AGENTOPS_PRICES=str(prices),
        LITELLM_LOCAL_MODEL_COST_MAP="True",
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_row_is_a_new_operation_or_provider(tmp_path: Path) -> None:
    """Its name, kind, cost, metric and place in the documentation follow from the row."""
    recorded = run_with(
        tmp_path,
        operations='Operation(name="imagine", functions=("imagine",), api_format="chat", kind=Kind.CHAT)',
        providers='Provider(name="acme", models=("acme-",))',
    )
    call, failed = recorded["spans"]
    expected = {
        "name": "imagine acme-1",
        "gen_ai.operation.name": "imagine",
        "gen_ai.usage.input_tokens": 3,
        "llm.response.id": "r1",
        "agentops.cost.total": 3 * 1 + 4 * 2,
        "agentops.cost.source": "user",
        "openinference.span.kind": "LLM",
        "llm.token_count.prompt": 3,
        "agentops.span.kind": "llm",
        "gen_ai.usage.prompt_tokens": 3,
    }
    assert {name: call.get(name) for name in expected} == expected
    assert (failed["gen_ai.provider.name"], failed["litellm.provider"]) == ("acme", "acme")
    assert recorded["metrics"]["gen_ai.client.operation.duration"]["gen_ai.operation.name"] in {"imagine", "chat"}
    assert "| `imagine` | `imagine` | chat | ✓ | ✓ | ✓ | ✓ |" in recorded["table"]
    assert "imagine" not in reference.operations()
