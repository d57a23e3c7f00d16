"""An ordinary LiteLLM program: a chat, a stream, a tool call, an embedding, and a failure that is handled.

It needs no key: it serves itself a provider on loopback (`loopback.py`). Pointed at a real one, drop `api_base`
and `api_key`. Run it with `opentelemetry-instrument python examples/quickstart.py`.
"""

import json

import litellm
from loopback import serve

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]

with serve() as api_base:
    provider = {"api_base": api_base, "api_key": "no-key-needed"}

    question = [{"role": "user", "content": "Why is the sky blue?"}]
    answer = litellm.completion(model="openai/gpt-4o-mini", messages=question, **provider)
    print("chat:     ", answer.choices[0].message.content)

    stream = litellm.completion(
        model="openai/gpt-4o-mini",
        messages=question,
        stream=True,
        stream_options={"include_usage": True},
        **provider,
    )
    print("stream:   ", "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))

    weather = [{"role": "user", "content": "What is the weather in Oslo?"}]
    called = litellm.completion(model="openai/gpt-4o", messages=weather, tools=TOOLS, **provider)
    for tool_call in called.choices[0].message.tool_calls:
        print("tool call:", tool_call.function.name, json.loads(tool_call.function.arguments))

    embedded = litellm.embedding(model="openai/text-embedding-3-small", input=["sky", "sea"], **provider)
    print("embedding:", len(embedded.data), "vectors of", len(embedded.data[0]["embedding"]))

    try:
        litellm.completion(model="openai/gpt-missing", messages=question, max_retries=0, **provider)
    except litellm.NotFoundError:
        print("failure:   handled, there is no such model")
