"""The zero-code path: real programs under the real `opentelemetry-instrument`, and what reaches a backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from support.launching import PRELUDE, launch, quickstart
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.otlp_receiver import OTLPReceiver, ReceivedSpan

# What a program does → (span name, status, stream outcome) of each call a backend must have when it is gone.
PROGRAMS: dict[str, tuple[str, list[tuple[str, str, object]]]] = {
    "sync": ("completion(**chat)", [("chat gpt-4o", "UNSET", None)]),
    "async": ("asyncio.run(acompletion(**chat))", [("chat gpt-4o", "UNSET", None)]),
    "stream": ("list(completion(stream=True, **chat))", [("chat gpt-4o", "UNSET", "completed")]),
    "open stream at exit": (
        "stream = completion(stream=True, **chat); next(stream)",
        [("chat gpt-4o", "UNSET", "abandoned")],
    ),
    "error": (
        "litellm.completion(**{**chat, 'api_base': 'http://127.0.0.1:9/v1'})",
        [("chat gpt-4o", "ERROR", None)],
    ),
    "sys.exit in asyncio": (
        "async def main():\n    await acompletion(**chat)\n    sys.exit(3)\nasyncio.run(main())",
        [("chat gpt-4o", "UNSET", None)],
    ),
}


@pytest.fixture
def openai() -> Iterator[OpenAIProvider]:
    with OpenAIProvider() as server:
        server.script(Script(content=("canary-answer ", "more"), delay=0.01))
        yield server


def calls(spans: list[ReceivedSpan]) -> list[tuple[str, str, object]]:
    return [(span.name, span.status, span.attributes.get("llm.response.stream_outcome")) for span in spans]


@pytest.mark.parametrize("program", PROGRAMS)
def test_short_lived_programs_lose_nothing(program: str, backend: OTLPReceiver, openai: OpenAIProvider) -> None:
    """A program that ends at once, however it ends, leaves its spans, its metrics, and no content."""
    code, expected = PROGRAMS[program]
    launch(
        sys.executable,
        "-c",
        PRELUDE + code,
        PROVIDER=openai.base_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
        OTEL_SERVICE_NAME="a-test",
    )
    assert calls(backend.spans) == expected
    (span,) = backend.spans
    assert {key: span.resource[key] for key in ("service.name", "telemetry.distro.name")} == {
        "service.name": "a-test",
        "telemetry.distro.name": "agentops-otel-litellm",
    }
    assert "gen_ai.client.operation.duration" in {point.name for point in backend.metrics}
    received = b"".join(request.body for request in backend.requests)
    assert b"canary" not in received
    assert all(request.headers["content-encoding"] == "gzip" for request in backend.requests)


def test_a_program_without_litellm_does_not_import_it() -> None:
    """The launcher's own start-up does not pay for litellm."""
    done = launch(sys.executable, "-c", "import sys; print('litellm' in sys.modules, 'rich' in sys.modules)")
    assert (done.returncode, done.stdout) == (0, "False False\n")


def test_with_no_destination_calls_are_shown_on_the_console() -> None:
    """The quickstart prints its calls, with one line before them that says how to send them on."""
    done = quickstart()
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line and "Configuration of" not in line]
    assert lines[0].startswith("agentops-otel-litellm: LiteLLM calls are printed here.")
    shown = [line.split()[:3] for line in lines if " openai " in line]
    assert shown == [
        ["chat", "gpt-4o-mini", "openai"],
        ["chat", "gpt-4o-mini", "openai"],
        ["chat", "gpt-4o", "openai"],
        ["embeddings", "text-embedding-3-small", "openai"],
        ["chat", "gpt-missing", "openai"],
    ]
    assert "5 calls" in done.stderr
    assert "44→18" in done.stderr


def test_calls_are_indented_under_the_span_of_the_app() -> None:
    """Three streams at once under a span of the app's own, each told with its time to the first token."""
    done = launch(sys.executable, "examples/concurrent_streams.py")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    start = lines.index("answer questions")
    assert all(line.startswith("  chat gpt-4o-mini ") and "14→6" in line for line in lines[start + 1 : start + 4])


def test_a_disabled_sdk_patches_nothing() -> None:
    """OTEL_SDK_DISABLED=true leaves LiteLLM as it is, and says nothing."""
    code = "import litellm.utils; print(litellm.utils.client.__module__, litellm.utils.client.__code__.co_filename)"
    done = launch(sys.executable, "-c", code, OTEL_SDK_DISABLED="true")
    assert "agentops_otel_litellm" not in done.stdout
    assert "LiteLLM calls are printed" not in done.stderr


def test_the_users_own_settings_win(backend: OTLPReceiver, openai: OpenAIProvider) -> None:
    """What is set is left alone: a signal that is switched off stays off."""
    launch(
        sys.executable,
        "-c",
        PRELUDE + "completion(**chat)",
        PROVIDER=openai.base_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
        OTEL_METRICS_EXPORTER="none",
    )
    assert len(backend.spans) == 1
    assert backend.metrics == []
    assert {request.headers.get("content-encoding") for request in backend.requests} == {None}
