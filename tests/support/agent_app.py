"""An agent that calls models in every way a backend must show: `python agent_app.py <the provider's URL>`.

It has no tracing code but the span of its own task.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import litellm
import litellm.vector_stores
from opentelemetry import trace

URL = sys.argv[1]
CONNECTION: dict[str, Any] = {"api_base": f"{URL}/v1", "api_key": "sk-test", "max_retries": 0}
USER: dict[str, Any] = {
    "user": "ann",
    "metadata": {"session_id": "session-1", "tags": ["forecasts", "demo"], "feature": "forecast", "note": "not told"},
}
DOCUMENTS = ["Oslo is cold.", "Rome is sunny.", "Paris is large."]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA}}]
FIRST_MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is the weather here?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/rome.png"}},
        ],
    },
]


def main() -> None:
    with trace.get_tracer("agent").start_as_current_span("answer"):
        chosen = litellm.completion("openai/gpt-4o", FIRST_MESSAGES, tools=TOOLS, temperature=0.5, **USER, **CONNECTION)
        call = chosen.choices[0].message.tool_calls[0]
        result = {"role": "tool", "tool_call_id": call.id, "name": "weather", "content": "sunny"}
        conversation = [*FIRST_MESSAGES, chosen.choices[0].message.model_dump(exclude_none=True), result]
        litellm.completion("openai/gpt-4o", conversation, tools=TOOLS, **USER, **CONNECTION)
        stream = litellm.completion(
            "openai/gpt-4o", [{"role": "user", "content": "Say more."}], stream=True, **USER, **CONNECTION
        )
        text = ""
        while text != "It is ":
            text += next(stream).choices[0].delta.content or ""
        stream.completion_stream.close()
        del stream
    litellm.embedding("openai/text-embedding-3-small", ["one", "two"], **CONNECTION)
    litellm.vector_stores.search("vs_1", "Where is it sunny?", api_base=f"{URL}/v1", api_key="sk-test")
    litellm.rerank(
        "cohere/rerank-english-v3.0",
        "Where is it sunny?",
        DOCUMENTS,
        top_n=2,
        api_base=f"{URL}/v1/rerank",
        api_key="sk-test",
    )
    with contextlib.suppress(litellm.RateLimitError):
        litellm.completion("openai/gpt-4o-mini", [{"role": "user", "content": "Again?"}], **CONNECTION)


if __name__ == "__main__":
    main()
