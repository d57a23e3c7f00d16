"""AWS Lambda: the layer's handler in a process that is frozen between invocations, as Lambda freezes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.launching import environment
from support.project import ROOT
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver

FUNCTION = """
import os
import litellm

def answer(event, context):
    if event == "fail":
        raise ValueError("canary")
    response = litellm.completion(
        model="openai/gpt-4o", messages=[{"role": "user", "content": event}], api_base=os.environ["PROVIDER"],
        api_key="sk-canary",
    )
    return response.choices[0].message.content
"""
# As Lambda's runtime does: it imports the handler, and calls it once for each event.
RUNTIME = """
import os, sys
from importlib import import_module
module, _, name = os.environ["_HANDLER"].rpartition(".")
handler = getattr(import_module(module), name)
for line in sys.stdin:
    try:
        print(handler(line.strip(), None), flush=True)
    except ValueError as error:
        print("error", error, flush=True)
"""
NEVER = "600000"
EVENTS = (("hi", "Hello, world!"), ("fail", "error canary"), ("hi", "Hello, world!"))


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows cannot stop a process")
def test_a_process_that_is_frozen_between_invocations(tmp_path: Path) -> None:
    """The spans of an invocation are delivered before its response, although the process does not run afterwards."""
    (tmp_path / "function.py").write_text(FUNCTION, "utf-8")
    with OpenAIProvider() as provider, OTLPReceiver() as backend:
        variables = environment(
            _HANDLER="function.answer",
            PROVIDER=provider.base_url,
            OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
            OTEL_SERVICE_NAME="a-function",
            OTEL_BSP_SCHEDULE_DELAY=NEVER,
            OTEL_METRIC_EXPORT_INTERVAL=NEVER,
            PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT / "deploy/lambda")]),
        )
        command = ["sh", str(ROOT / "deploy/lambda/agentops-handler"), sys.executable, "-c", RUNTIME]
        process = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            for number, (event, response) in enumerate(
                [("hi", "Hello, world!"), ("fail", "error canary"), ("hi", "Hello, world!")]
            ):
                process.stdin.write(f"{event}\n")
                process.stdin.flush()
                assert process.stdout.readline() == f"{response}\n"
                process.send_signal(signal.SIGSTOP)
                assert [span.name for span in backend.spans] == ["chat gpt-4o"] * (number // 2 + 1)
                assert backend.metrics
                process.send_signal(signal.SIGCONT)
            process.stdin.close()
        assert process.returncode == 0
