"""The user's redactors are used after ours, are loaded when they are first needed, and without them nothing is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.launching import PRELUDE, launch
from support.redactor_modules import modules  # noqa: F401 - a fixture
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver


def test_the_program_itself_is_not_run_again(modules: Path) -> None:
    """Where it has the function: imported, it would make its calls a second time."""
    program = modules / "their_app.py"
    program.write_text(
        "from agentops_otel_litellm.processors.redactors import Redactors\n"
        "from agentops_otel_litellm.settings import Settings\n"
        "def redact(text): return text\n"
        "print('runs', Redactors(Settings.from_environment())()[-1] is redact)\n"
    )
    variables = {**os.environ, "AGENTOPS_REDACTOR": "their_app:redact"}
    done = subprocess.run([sys.executable, program], env=variables, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("runs True\n", "")


def test_a_module_that_imports_litellm(modules: Path) -> None:
    """It is there when the first call ends, under the launcher, which instruments LiteLLM as it is imported."""
    (modules / "their_rules.py").write_text("import litellm\ndef redact(text): return text.replace('prompt', 'word')")
    path = os.pathsep.join(filter(None, [str(modules), os.environ.get("PYTHONPATH")]))
    with OTLPReceiver() as backend, OpenAIProvider() as provider:
        launch(
            sys.executable,
            "-c",
            PRELUDE + "completion(**chat)",
            PYTHONPATH=path,
            PROVIDER=provider.base_url,
            AGENTOPS_REDACTOR="their_rules:redact",
            OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
        )
        (span,) = backend.spans
    assert '"canary-word"' in str(span.attributes["gen_ai.input.messages"])
