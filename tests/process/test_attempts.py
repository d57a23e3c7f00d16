"""Retries and fallbacks: one call, whose attempts are those that the provider saw."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from support.failed_attempts import (
    restored_num_retries,  # noqa: F401 - a fixture
)
from support.servers import openai_resources
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider


def test_without_tenacity_the_error_is_litellms(provider: OpenAIProvider) -> None:
    """LiteLLM retries with a package that need not be there: what it raises then is what it raises without us, and the
    one request is the one attempt.
    """
    program = """
        import asyncio, sys
        sys.modules["tenacity"] = None
        from agentops_otel_litellm import LiteLLMInstrumentor
        from support.recorder import Recorder
        recorder = Recorder()
        LiteLLMInstrumentor().instrument(**recorder.providers)
        import litellm
        asked = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}], "api_base": sys.argv[1],
                 "api_key": "sk-test", "retry_policy": {"InternalServerErrorRetries": 1}, "max_retries": 0}
        def both():
            for call in (lambda: litellm.completion(**asked), lambda: asyncio.run(litellm.acompletion(**asked))):
                try:
                    call()
                except Exception as error:
                    yield f"{type(error).__name__}: {error}"
        traced = list(both())
        LiteLLMInstrumentor().uninstrument()
        assert traced == list(both()), traced
        for span in recorder.spans():
            failed = [event.attributes["litellm.attempt.error.type"] for event in span.events]
            print(span.attributes["error.type"], *failed)
    """
    provider.script(Script(status=500))
    printed = output(program, provider.base_url)
    told = [line.split() for line in printed.splitlines() if line.endswith(" InternalServerError")]
    assert [attempts for _, *attempts in told] == [["InternalServerError"]] * 2
    assert len(provider.ledger) == 4


def test_the_fetch_of_batch_results_at_the_exit_has_no_span(wire: WireProvider) -> None:
    """LiteLLM fetches the results of a finished batch in the background. If the event loop of the application's call is
    closed by then, it tries that when the interpreter exits, and fails. The fetch is not a call of the application.
    """
    program = """
        import asyncio, atexit, sys
        from agentops_otel_litellm import LiteLLMInstrumentor
        from support.recorder import Recorder
        recorder = Recorder()
        atexit.register(lambda: print(*((span.name, span.parent is not None) for span in recorder.spans())))
        LiteLLMInstrumentor().instrument(**recorder.providers)
        import litellm
        async def fetch():
            of = {"custom_llm_provider": "openai", "api_base": sys.argv[1], "api_key": "k"}
            await litellm.aretrieve_batch(batch_id="batch_1", **of)
            await asyncio.sleep(float(sys.argv[2]))
        asyncio.run(fetch())
    """
    batch = {**openai_resources.BATCH, "status": "completed", "output_file_id": "file-2"}
    wire.reply("/batches/batch_1", Reply(body=batch))
    wire.reply("/files/file-2/content", Reply(body={}))

    url = f"{wire.url}/v1"
    assert output(program, url, "0").count("False") == 1  # older releases of LiteLLM may fetch at once: in a child
    assert output(program, url, "1").strip() == "('retrieve_batch', False) ('file_content', True)"


def output(program: str, *arguments: str) -> str:
    """The output of a Python program."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
