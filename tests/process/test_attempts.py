"""Retries and fallbacks: one call, whose attempts are those that the provider saw."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from support.failed_attempts import (
    restored_num_retries,  # noqa: F401 - a fixture
)
from support.servers.openai_provider import OpenAIProvider, Script


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
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), provider.base_url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    assert ran.returncode == 0, ran.stderr
    told = [line.split() for line in ran.stdout.splitlines() if line.endswith(" InternalServerError")]
    assert [attempts for _, *attempts in told] == [["InternalServerError"]] * 2
    assert len(provider.ledger) == 4
