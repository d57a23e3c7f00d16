"""Parameters that can be iterated only once, such as generators: what they give is for LiteLLM, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import litellm
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from agentops_otel_litellm.readers.values import elements, is_collection
from support.captured import Capture
from support.recorder import Recorder
from support.servers.wire import Reply, WireProvider

Once = Callable[[Iterable[Any]], Any]
"""Makes a list one that can be iterated once, or not at all without effect."""
Body = dict[str, Any]

USER: Body = {"role": "user", "content": "hello"}
MESSAGES: list[Body] = [USER, {"role": "assistant", "content": "hi"}, USER]
FUNCTION: Body = {"name": "look", "parameters": {"type": "object", "properties": {}}}
TOOL: Body = {"type": "function", "function": FUNCTION}
CALL: Body = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED: list[Body] = [{"role": "tool", "tool_call_id": "call_1", "content": "seen"}]
TEXT_PARTS: list[Body] = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
GOOGLES: list[Body] = [{"role": "user", "parts": [{"text": "hello"}]}]
REPLY: Body = {"error": {"message": "The request is all that matters.", "type": "invalid_request_error"}}


class Lazy:
    """Elements that are fetched when they are wanted, as an ORM's query does; each fetch counts."""

    def __init__(self, given: Iterable[Any]) -> None:
        self.given = list(given)
        self.fetches = 0

    def __iter__(self) -> Iterator[Any]:
        self.fetches += 1
        return iter(self.given)

    def __len__(self) -> int:
        self.fetches += 1
        return len(self.given)


def generator(given: Iterable[Any]) -> Iterator[Any]:
    yield from given


KINDS: dict[str, Once] = {
    "generator": generator,
    "filter": lambda given: filter(None, given),
    "map": lambda given: map(dict, given) if all(isinstance(each, dict) for each in given) else map(str, given),
    "reversed": lambda given: reversed(list(given)),
}


@dataclass(frozen=True)
class Case:
    """An operation, with one parameter, or a part of one, that can be iterated once."""

    function: str
    parameters: Callable[[Once], Body]
    module: str = "litellm"
    asynchronous: bool = False


def chat(**parameters: object) -> Body:
    return {"model": "openai/gpt-4o", "messages": MESSAGES, **parameters}


def claude(**parameters: object) -> Body:
    return {"model": "anthropic/claude-sonnet-4-6", "messages": MESSAGES, "max_tokens": 5, **parameters}


def gemini(**parameters: object) -> Body:
    return {"model": "gemini/gemini-2.5-flash", "contents": GOOGLES, **parameters}


def responses(**parameters: object) -> Body:
    return {"model": "openai/gpt-4o", "input": [USER], **parameters}


ANTHROPIC: Body = {"module": "litellm.anthropic_interface.messages", "asynchronous": True}
GOOGLE: Body = {"module": "litellm.google_genai"}
CASES = {
    "chat messages": Case("completion", lambda once: chat(messages=once(MESSAGES))),
    "chat messages, asynchronous": Case("acompletion", lambda once: chat(messages=once(MESSAGES)), asynchronous=True),
    "streamed chat messages": Case("completion", lambda once: chat(messages=once(MESSAGES), stream=True)),
    "translated chat messages": Case(
        "completion", lambda once: {"model": "anthropic/claude-sonnet-4-6", "messages": once(MESSAGES)}
    ),
    "parts of a chat message": Case(
        "completion", lambda once: chat(messages=[{"role": "user", "content": once(TEXT_PARTS)}])
    ),
    "tool calls of a chat message": Case(
        "completion",
        lambda once: chat(messages=[USER, {"role": "assistant", "content": None, "tool_calls": once([CALL])}, *CALLED]),
    ),
    "images of a chat message": Case(
        "completion",
        lambda once: chat(
            messages=[USER, {"role": "assistant", "images": once([{"image_url": {"url": "data:,"}}])}, USER]
        ),
    ),
    "tools of a chat": Case("completion", lambda once: chat(tools=once([TOOL]))),
    "functions of a chat": Case("completion", lambda once: chat(functions=once([FUNCTION]))),
    "stop sequences": Case("completion", lambda once: chat(stop=once(["a", "b"]))),
    "modalities": Case("completion", lambda once: chat(modalities=once(["text"]))),
    "tags in metadata": Case("completion", lambda once: chat(metadata={"tags": once(["a", "b"])})),
    "prompts": Case("text_completion", lambda once: {"model": "openai/gpt-4o", "prompt": once(["a", "b"])}),
    "embedded texts": Case("embedding", lambda once: {"model": "openai/e", "input": once(["a", "b"])}),
    "embedded tokens": Case("embedding", lambda once: {"model": "openai/e", "input": [once([1, 2])]}),
    "moderated texts": Case("moderation", lambda once: {"model": "omni", "input": once(["a", "b"])}),
    "ranked documents": Case(
        "rerank", lambda once: {"model": "cohere/rerank", "query": "q", "documents": once(["a", "b"])}
    ),
    "rank fields": Case(
        "rerank", lambda once: {"model": "cohere/r", "query": "q", "documents": ["a"], "rank_fields": once(["a"])}
    ),
    "image prompts": Case("image_generation", lambda once: {"model": "openai/dall-e-3", "prompt": once(["a"])}),
    "items of a response's input": Case("responses", lambda once: responses(input=once([USER]))),
    "parts of an item": Case(
        "responses",
        lambda once: responses(input=[{"role": "user", "content": once([{"type": "input_text", "text": "x"}])}]),
    ),
    "summary of a reasoning item": Case(
        "responses",
        lambda once: responses(
            input=[{"type": "reasoning", "id": "r", "summary": once([{"type": "summary_text", "text": "x"}])}, USER]
        ),
    ),
    "output of a tool": Case(
        "responses",
        lambda once: responses(
            input=[
                {"type": "function_call_output", "call_id": "c", "output": once([{"type": "input_text", "text": "x"}])}
            ]
        ),
    ),
    "tools of a response": Case("responses", lambda once: responses(tools=once([{"type": "function", **FUNCTION}]))),
    "Anthropic's messages": Case("acreate", lambda once: claude(messages=once(MESSAGES)), **ANTHROPIC),
    "blocks of Anthropic's": Case(
        "acreate", lambda once: claude(messages=[{"role": "user", "content": once(TEXT_PARTS)}]), **ANTHROPIC
    ),
    "Anthropic's system prompt": Case("acreate", lambda once: claude(system=once(TEXT_PARTS)), **ANTHROPIC),
    "Anthropic's tools": Case(
        "acreate", lambda once: claude(tools=once([{"name": "f", "input_schema": {"type": "object"}}])), **ANTHROPIC
    ),
    "a tool's result at Anthropic's": Case(
        "acreate",
        lambda once: claude(
            messages=[
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": once(TEXT_PARTS)}],
                }
            ]
        ),
        **ANTHROPIC,
    ),
    "Google's contents": Case("generate_content", lambda once: gemini(contents=once(GOOGLES)), **GOOGLE),
    "parts of Google's": Case(
        "generate_content",
        lambda once: gemini(contents=[{"role": "user", "parts": once([{"text": "hello"}])}]),
        **GOOGLE,
    ),
    "Google's tools": Case(
        "generate_content", lambda once: gemini(tools=once([{"functionDeclarations": [{"name": "x"}]}])), **GOOGLE
    ),
    "a batch": Case("batch_completion", lambda once: chat(messages=once([MESSAGES, MESSAGES]))),
    "messages of a batch": Case("batch_completion", lambda once: chat(messages=[once(MESSAGES), once(MESSAGES)])),
}


def outcome(case: Case, once: Once, wire: WireProvider) -> object:
    """What the application and the provider get: the exception's type, and the bodies of the requests."""
    wire.reset()
    wire.reply("", Reply(status=400, body=REPLY))
    parameters = {"api_base": wire.url, "api_key": "sk-test", "max_retries": 0, **case.parameters(once)}
    raised = ""
    try:
        result = getattr(import_module(case.module), case.function)(**parameters)
        result = asyncio.run(result) if case.asynchronous else result
    except Exception as error:  # noqa: BLE001 - whatever LiteLLM makes of it
        raised = type(error).__name__
    return raised, sorted(exchange.data for exchange in wire.ledger)


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_the_provider_gets_what_it_gets_without_us(
    case: str, kind: str, mode: str, wire: WireProvider, capture: Capture
) -> None:
    """A parameter that can be iterated once reaches LiteLLM untouched, whether content is captured or not."""
    with suppress_instrumentation():
        without = outcome(CASES[case], KINDS[kind], wire)
    telemetry = capture(mode)
    assert outcome(CASES[case], KINDS[kind], wire) == without
    assert telemetry.spans()


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("case", CASES)
def test_a_lazy_collection_is_fetched_as_often_as_without_us(
    case: str, mode: str, wire: WireProvider, capture: Capture
) -> None:
    """A class of the application's may query a database when it is iterated or asked for its length."""

    def fetches() -> list[int]:
        made: list[Lazy] = []

        def lazily(given: Iterable[Any]) -> Lazy:
            made.append(Lazy(given))
            return made[-1]

        outcome(CASES[case], lazily, wire)
        return [each.fetches for each in made]

    with suppress_instrumentation():
        without = fetches()
    capture(mode)
    assert fetches() == without


def test_what_is_unknown_is_absent(telemetry: Recorder, wire: WireProvider) -> None:
    """The number of messages in a generator is not known, and neither is their length."""
    wire.reply("", Reply(status=400, body=REPLY))
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(
            model="openai/gpt-4o", messages=filter(None, MESSAGES), api_base=wire.url, api_key="sk-test", max_retries=0
        )
    attributes = telemetry.attributes()
    assert "llm.request.messages_count" not in attributes
    assert "llm.request.content_length" not in attributes
    assert attributes["llm.request.model"] == "openai/gpt-4o"


@pytest.mark.parametrize("given", [[1], (1,), {1}, frozenset({1}), {1: 2}.values(), {1: 2}.keys()])
def test_collections_are_read(given: object) -> None:
    """What can be iterated again is."""
    assert is_collection(given)
    assert len(elements(given)) == 1


@pytest.mark.parametrize("given", [None, "text", b"bytes", 1, iter([1]), Lazy([1]), {1: 2}])
def test_what_is_no_collection_has_no_elements(given: object) -> None:
    assert not is_collection(given)
    assert not elements(given)
