"""Several streams at once, under one span of the app's own.

Run it with `opentelemetry-instrument python examples/concurrent_streams.py`.
"""

import asyncio

import litellm
from loopback import serve
from opentelemetry import trace

tracer = trace.get_tracer("concurrent_streams")


async def ask(question: str, provider: dict[str, str]) -> str:
    stream = await litellm.acompletion(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
        **provider,
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def main() -> None:
    questions = ["Why is the sky blue?", "Why is the sea salt?", "Why is grass green?"]
    with serve() as api_base, tracer.start_as_current_span("answer questions"):
        provider = {"api_base": api_base, "api_key": "no-key-needed"}
        answers = await asyncio.gather(*(ask(question, provider) for question in questions))
    for question, answer in zip(questions, answers, strict=True):
        print(f"{question} {answer}")


asyncio.run(main())
