"""Canaries in everything that an application, its environment and a provider have: where each of them comes out."""

from __future__ import annotations

import re
import sys

import pytest

from support.launching import LAUNCHER, run
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.otlp_receiver import OTLPReceiver

PROGRAM = """
import logging, os
import litellm
litellm.suppress_debug_info = True
logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
litellm.headers = {"x-global": "sk-CANARY-global-header-1"}
tool = {"type": "function", "function": {"name": "look", "description": "WORD-description", "parameters": {}}}
called = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"place": "WORD-argument"}'}}
messages = [
    {"role": "system", "content": "WORD-system"},
    {"role": "user", "content": "WORD-prompt with sk-CANARY-in-prompt-000001 and password=CANARYinprompt2"},
    {"role": "assistant", "content": None, "tool_calls": [called]},
    {"role": "tool", "tool_call_id": "c", "content": "WORD-result of https://me:CANARY-in-url@host.example"},
]
given = {
    "messages": messages,
    "tools": [tool],
    "api_base": os.environ["PROVIDER"],
    "api_key": "sk-CANARY-api-key-0000001",
    "extra_headers": {"authorization-2": "Bearer CANARYextraheader00001"},
    "metadata": {"secret": "CANARY-metadata", "headers": {"authorization": "CANARY-metadata-header"}},
    "extra_body": {"key": "CANARY-body"},
    "max_retries": 0,
}
for model in ("openai/gpt-4o", "openai/gpt-4o?api_key=CANARY-query", "openai/me:CANARY-user@host/m"):
    for stream in (False, True):
        try:
            response = litellm.completion(model, stream=stream, **given)
            list(response) if stream else None
        except Exception as error:
            pass
try:
    litellm.completion("openai/gpt-4o", **{**given, "api_base": "sk-CANARY-as-address-1"})
except Exception:
    pass
print("the end")
"""
ECHO = "CANARY-error: {authorization} {prompt}"
SCRIPTS = (
    Script(content=("WORD-answer ", "with sk-CANARY-in-answer-000001"), headers={"x-secret": "CANARY-response-header"}),
    Script(content=("WORD-answer",), tool_calls=(("c", "look", ('{"password": ', '"CANARY-in-arguments"}')),)),
    Script(status=401, error_message=ECHO, headers={"x-secret": "CANARY-response-header"}),
    Script(status=429, error_message=ECHO),
    Script(status=400, error_code="context_length_exceeded", error_message=ECHO),
    Script(status=500, error_message=ECHO),
)
SECRETS = {
    "OPENAI_API_KEY": "sk-CANARY-environment-01",
    "DATABASE_URL": "postgres://me:CANARY-database@host/x",
    "AGENTOPS_PRICES": "https://me:CANARY-prices@host.example/p.json?sig=CANARY-signature",
    "AGENTOPS_APP_URL": "https://me:CANARY-app@app.example/?key=CANARY-app-key",
    "OTEL_EXPORTER_OTLP_HEADERS": "x-key=CANARY-otlp-header",
    "OTEL_SERVICE_NAME": "app",
}
CONTENT = {"system", "prompt", "argument", "result", "description", "answer"}
"""The places of content in which the program and the provider have a `WORD-…`."""


@pytest.mark.parametrize("capture", ["NO_CONTENT", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("destination", ["otlp", "agentops_console"])
def test_no_secret_comes_out(capture: str, destination: str) -> None:
    """Neither on stdout and stderr, at any log level, nor in telemetry. With capture, telemetry has the content
    without the secrets in it; stdout and stderr never have content.
    """
    with OpenAIProvider() as provider, OTLPReceiver() as receiver:
        provider.scripts(SCRIPTS)
        variables = {
            **SECRETS,
            "PROVIDER": provider.base_url,
            "OTEL_TRACES_EXPORTER": destination,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": capture,
            "AGENTOPS_LOG_LEVEL": "DEBUG",
            "OTEL_LOG_LEVEL": "debug",
        }
        ran = run(str(LAUNCHER), sys.executable, "-c", PROGRAM, **variables)
        received = b"\n".join(each.body for each in receiver.requests).decode("utf-8", "replace")
    printed = ran.stdout + ran.stderr
    assert ran.stdout == "the end\n"
    assert "AGENTOPS_PRICES" in printed
    assert re.findall(r"\S*(?:CANARY|WORD-)\S*", printed) == []
    assert re.findall(r"[^\x00-\x20]*CANARY[^\x00-\x20]*", received) == []
    assert "gen_ai.client.operation.duration" in received
    words = set(re.findall(r"WORD-(\w+)", received))
    expected = set() if capture == "NO_CONTENT" else CONTENT
    assert words == expected
    assert ("chat gpt-4o" in received) == (destination == "otlp")
    assert (printed.count("gpt-4o") >= len(SCRIPTS)) == (destination == "agentops_console")
