"""Content beyond the limits is neither read nor recorded, and counts are those of the whole request."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from agentops_otel_litellm.call import Call, Timing
from agentops_otel_litellm.processors.content import create_content_processor
from agentops_otel_litellm.readers import API_FORMATS, read_within
from agentops_otel_litellm.readers.parts import Draft
from agentops_otel_litellm.readers.values import parsed, plain
from agentops_otel_litellm.records import ITEM_LENGTH, MARKS, Content, Limits, Message, Part
from agentops_otel_litellm.semconv.gen_ai import records_as_json

LIMITS = Limits(part=1_000, call=10_000)
NUMBER = 5_000
"""Number of items in each list, of which the limits allow less than a tenth."""


class Unread:
    """An item that must not be read."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was read")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A list in a request or a response."""

    api_format: str
    item: object
    within: Callable[[Any], Any]
    """The list → the parameters of the request, or the response."""
    reads: str = "request"
    """The function of `ContentReaders`."""
    found: Callable[[Any], tuple[Any, ...]]
    """What was read → the items."""


def first_parts(messages: Sequence[Message]) -> tuple[Any, ...]:
    return tuple(messages[0].parts)


USER = {"role": "user", "content": "x"}
TEXT = {"type": "text", "text": "x"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"type": "function", "function": {"name": "f"}}
CASES = {
    "chat tools": Case(
        api_format="chat", item=FUNCTION, within=lambda each: {"tools": each}, found=lambda read: read.tools
    ),
    "chat parts": Case(
        api_format="chat",
        item=TEXT,
        within=lambda each: {"messages": [{"role": "user", "content": each}]},
        found=lambda read: first_parts(read.input),
    ),
    "chat tool calls": Case(
        api_format="chat",
        item=CALL,
        within=lambda each: {"choices": [{"message": {"role": "assistant", "tool_calls": each}}]},
        reads="response",
        found=first_parts,
    ),
    "chat choices": Case(
        api_format="chat",
        item={"message": {"content": "x"}},
        within=lambda each: {"choices": each},
        reads="response",
        found=tuple,
    ),
    "text choices": Case(
        api_format="text",
        item={"text": "x"},
        within=lambda each: {"choices": each},
        reads="response",
        found=tuple,
    ),
    "responses tools": Case(
        api_format="responses",
        item={"type": "function", "name": "f"},
        within=lambda each: {"tools": each},
        found=lambda read: read.tools,
    ),
    "responses parts": Case(
        api_format="responses",
        item={"type": "input_text", "text": "x"},
        within=lambda each: {"input": [{"role": "user", "content": each}]},
        found=lambda read: first_parts(read.input),
    ),
    "responses output": Case(
        api_format="responses",
        item={"type": "output_text", "text": "x"},
        within=lambda each: {"output": [{"type": "message", "content": each}]},
        reads="response",
        found=first_parts,
    ),
    "messages tools": Case(
        api_format="messages", item={"name": "f"}, within=lambda each: {"tools": each}, found=lambda read: read.tools
    ),
    "messages system": Case(
        api_format="messages", item=TEXT, within=lambda each: {"system": each}, found=lambda read: read.instructions
    ),
    "messages blocks": Case(
        api_format="messages",
        item=TEXT,
        within=lambda each: {"messages": [{"role": "user", "content": each}]},
        found=lambda read: first_parts(read.input),
    ),
    "messages output": Case(
        api_format="messages",
        item={"type": "tool_use", "id": "i", "name": "f", "input": {}},
        within=lambda each: {"content": each},
        reads="response",
        found=first_parts,
    ),
    "generate_content parts": Case(
        api_format="generate_content",
        item={"text": "x"},
        within=lambda each: {"contents": [{"parts": each}]},
        found=lambda read: first_parts(read.input),
    ),
    "generate_content functions": Case(
        api_format="generate_content",
        item={"name": "f"},
        within=lambda each: {"config": {"tools": [{"functionDeclarations": each}]}},
        found=lambda read: read.tools,
    ),
    "generate_content output": Case(
        api_format="generate_content",
        item={"text": "x"},
        within=lambda each: {"candidates": [{"content": {"role": "model", "parts": each}}]},
        reads="response",
        found=first_parts,
    ),
    "rerank documents": Case(
        api_format="rerank",
        item={"text": "x"},
        within=lambda each: {"documents": each},
        found=lambda read: read.documents,
    ),
    "rerank results": Case(
        api_format="rerank",
        item={"index": 0, "document": {"text": "x"}},
        within=lambda each: {"results": each},
        reads="documents",
        found=tuple,
    ),
    "search results": Case(
        api_format="search",
        item={"snippet": "x"},
        within=lambda each: {"results": each},
        reads="documents",
        found=tuple,
    ),
    "images": Case(
        api_format="image",
        item={"url": "https://example.com/1.png"},
        within=lambda each: {"data": each},
        reads="response",
        found=tuple,
    ),
}
CONVERSATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("messages", USER),
    "responses": ("input", USER),
    "messages": ("messages", USER),
    "generate_content": ("contents", {"role": "user", "parts": [{"text": "x"}]}),
}
"""API format → the parameter with its messages, and a message."""
READ = 2 * MARKS + LIMITS.call // ITEM_LENGTH
"""More items than the limits allow to read."""


def content_reader(case: Case) -> Callable[[Any], Any]:
    content = API_FORMATS[case.api_format].content
    assert content is not None
    reader: Callable[[Any], Any] = getattr(content, case.reads)
    return reader


@pytest.mark.parametrize("name", CASES)
def test_reading_a_list_stops_at_the_limits(name: str) -> None:
    """Items that are not read still count: marks stand for them."""
    case = CASES[name]
    items = [*([case.item] * READ), *(Unread() for _ in range(NUMBER - READ))]
    found = case.found(read_within(LIMITS, content_reader(case), case.within(items)))
    assert len(found) == NUMBER
    assert "left out]" not in repr(found[0])
    assert "[1 " in repr(found[-1])
    with pytest.raises(AssertionError):
        case.found(content_reader(case)(case.within(items)))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_latest_messages_are_read(name: str) -> None:
    """And the instructions at the beginning."""
    parameter, message = CONVERSATIONS[name]
    system = {**message, "role": "system"}
    api_format = API_FORMATS[name]
    assert api_format.content is not None
    unread = [Unread() for _ in range(NUMBER - READ)]
    conversation = [system, *unread, *([message] * READ)]
    read = read_within(LIMITS, api_format.content.request, {parameter: conversation})
    first, second, *_, last = read.input or ()
    assert len(read.input or ()) == NUMBER + 1
    assert ["left out]" in repr(each) for each in (first, second, last)] == [False, True, False]


def test_the_whole_request_is_counted() -> None:
    """The number of messages and parts, of characters and tools is not that of what was read."""
    parameters = {"messages": [*([USER] * NUMBER), {"role": "user", "content": [TEXT] * NUMBER}], "tools": [1] * NUMBER}
    request = API_FORMATS["chat"].request(parameters)
    assert (request.messages_count, request.user_count, request.content_length, request.tools_count) == (
        NUMBER + 1,
        NUMBER + 1,
        2 * NUMBER,
        NUMBER,
    )


def test_the_parts_of_a_stream_are_read_up_to_the_limits() -> None:
    draft = Draft()
    for number in range(NUMBER):
        draft.add_tool_call(0, key=number, call_id=f"{number}", name="f", arguments="[" * number)
    (message,) = read_within(LIMITS, draft.messages)
    assert len(message.parts) == NUMBER
    assert message.parts[0].name == "f"
    assert message.parts[-1].content == "… [1 parts left out]"


def test_a_large_structure_is_not_copied() -> None:
    """It becomes JSON text, of which the beginning is recorded. Without limits, it is copied."""
    large = {"rows": [{"a": 1}] * 2_000}
    compact = json.dumps(large, separators=(",", ":"))
    assert read_within(LIMITS, plain, large) == compact
    assert read_within(LIMITS, parsed, compact) == compact
    assert plain(large) == parsed(compact) == large
    small = {"rows": [{"a": 1}] * 20}
    assert read_within(LIMITS, plain, small) == small


def test_structures_use_up_the_limits() -> None:
    """Many of them, each within the limit of a part."""
    call = {"id": "c", "function": {"name": "f", "arguments": {"rows": [1] * 400}}}
    answer = {"choices": [{"message": {"tool_calls": [*([call] * 50), *(Unread() for _ in range(50))]}}]}
    case = CASES["chat tool calls"]
    parts = case.found(read_within(LIMITS, content_reader(case), answer))
    assert len(parts) == 100
    assert parts[0].arguments == {"rows": [1] * 400}


def test_a_call_within_a_reader_has_its_own_limits() -> None:
    """A reader can run code of the application's, which can call LiteLLM."""
    inner = API_FORMATS["chat"].content
    assert inner is not None
    read_request = inner.request
    read_inner: list[Content] = []

    class CallingMessage(dict[str, object]):
        def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - as `dict`
            if name == "name":
                read_inner.append(read_within(Limits(part=1, call=1), read_request, {"messages": [USER] * 1_000}))
            return super().get(name, default)

    outer = read_within(LIMITS, read_request, {"messages": [USER, CallingMessage(USER), USER]})
    assert "left out]" not in repr(outer)
    assert [len(each.input or ()) for each in read_inner] == [1_000]
    assert "left out]" in repr(read_inner)


LONG_NAME = "n" * 900
MANY = {
    "messages": Content(input=(Message(role="user", parts=(Part(type="text", content="x" * 9),)),) * NUMBER),
    "long texts": Content(input=(Message(role="user", parts=(Part(type="text", content="x" * 900),)),) * NUMBER),
    "empty messages": Content(input=(Message(role="user"),) * NUMBER),
    "names": Content(input=(Message(role="user", name=LONG_NAME),) * NUMBER),
    "parts": Content(input=(Message(role="user", parts=(Part(type="text", content="x"),) * NUMBER),)),
    "tool calls": Content(
        output=(Message(role="assistant", parts=(Part(type="tool_call", id="c", name="f", arguments={}),) * NUMBER),)
    ),
    "long ids": Content(output=(Message(role="assistant", parts=(Part(type="file", file_id=LONG_NAME),) * NUMBER),)),
}
MARK_LENGTH = 120
"""Maximum length of the JSON of an item with a mark."""


@pytest.mark.parametrize("name", MANY)
def test_text_and_structure_together_are_within_the_limit(name: str) -> None:
    process = create_content_processor(list, LIMITS)
    edited = process(Call(name="chat", timing=Timing(started_at=0), content=MANY[name])).content
    assert edited is not None
    written = records_as_json(edited.input or edited.output)
    assert LIMITS.call / 2 < len(written) < LIMITS.call * 1.25 + MARKS * MARK_LENGTH
    assert "left out]" in written
