"""An app with the decorators of the package agentops, which traces OpenAI's client too; it calls models by LiteLLM.

    python beside_app.py <theirs first|theirs>

It prints the responses. `theirs first`: it calls our `init()` after theirs; `theirs`: the launcher has called ours.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import partial
from typing import Any

# Loaded by name: it is installed in few environments, and has no types.
agentops: Any = importlib.import_module("agentops")
tracer: Any = importlib.import_module("agentops.sdk.core").tracer

# Their settings have no endpoint for metrics, so without this metrics would leave the machine.
tracer.initialize = partial(tracer.initialize, metrics_endpoint=f"{os.environ['AGENTOPS_API_ENDPOINT']}/v1/metrics")
agentops.init()
if sys.argv[1] == "theirs first":
    from agentops_otel_litellm import init

    init()

import litellm

URL = os.environ["PROVIDER"]
MESSAGES: list[Any] = [{"role": "user", "content": "Say hello."}]
STREAM_WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@agentops.operation  # type: ignore[untyped-decorator]  # theirs
def call_model(**options: Any) -> str:  # noqa: ANN401 - any parameters
    response: Any = litellm.completion("openai/gpt-4o", MESSAGES, api_base=URL, api_key="sk-test", **options)
    if options:
        return "".join(chunk.choices[0].delta.content or "" for chunk in response if chunk.choices)
    return str(response.choices[0].message.content)


@agentops.agent
class Assistant:
    @agentops.operation  # type: ignore[untyped-decorator]  # theirs
    def work(self) -> list[str]:
        return [call_model(), call_model(**STREAM_WITH_USAGE)]


@agentops.trace  # type: ignore[untyped-decorator]  # theirs
def main() -> list[str]:
    return list(Assistant().work())


sys.stdout.write(f"\nanswers: {main()}\n")
