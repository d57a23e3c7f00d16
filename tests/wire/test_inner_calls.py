"""Calls for which LiteLLM sends several requests: the sums over all spans are the provider's counts.

For callbacks that run a tool, LiteLLM makes follow-up calls, each with a span of its own. After it has run one of its
own tools, it sends a further request for the same call. And it repeats a request whose response it rejects.
"""

from __future__ import annotations

import asyncio
import functools
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeAlias, cast

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind

from support import releases
from support.api_caller import rest
from support.recorder import Recorder, attributes_of
from support.servers.wire import Exchange, Reply, WireProvider, events

Parameters = dict[str, Any]
Unknown: TypeAlias = Any
"""A value that LiteLLM passes to a callback or returns: its type differs for each function."""
Replies = list[tuple[str, Callable[["Turn"], Reply]]]
CHAT, RESPONSES, MESSAGES = "/chat/completions", "/responses", "/v1/messages"
QUESTION = [{"role": "user", "content": "Any news?"}]


# --- what the provider sends ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """A response. No two have the same numbers of tokens."""

    number: int

    @property
    def input(self) -> int:
        return int(10**self.number)

    @property
    def output(self) -> int:
        return 2 * self.input


def chat(
    tool: str | None = None, text: str = "Nothing.", *, model: str = "gpt-4o-2024-08-06"
) -> Callable[[Turn], Reply]:
    def reply(turn: Turn) -> Reply:
        message: Parameters = {"role": "assistant", "content": text}
        if tool:
            function = {"name": tool, "arguments": '{"query": "news", "queries": ["news"]}'}
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
            }
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}
        head = {**_chat(turn, "chat.completion"), "model": model}
        return Reply(body={**head, "choices": [choice], "usage": _chat_usage(turn)})

    return reply


def chat_stream(tool: str | None = None, text: str = "Nothing.") -> Callable[[Turn], Reply]:
    def reply(turn: Turn) -> Reply:
        head = _chat(turn, "chat.completion.chunk")
        function = {"name": tool, "arguments": "{}"}
        delta: Parameters = {"content": text}
        if tool:
            delta = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
        chunks: list[Parameters] = [
            {**head, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]},
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if tool else "stop"}]},
            {**head, "choices": [], "usage": _chat_usage(turn)},
        ]
        return Reply(pieces=[*events(*chunks), b"data: [DONE]\n\n"])

    return reply


def _chat(turn: Turn, kind: str) -> Parameters:
    return {"id": f"chatcmpl-{turn.number}", "object": kind, "created": 1, "model": "gpt-4o-2024-08-06"}


def _chat_usage(turn: Turn) -> Parameters:
    counted = {"prompt_tokens": turn.input, "completion_tokens": turn.output}
    return {**counted, "total_tokens": turn.input + turn.output}


def response(tool: str | None = None) -> Callable[[Turn], Reply]:
    return lambda turn: Reply(body=_response(turn, tool))


def response_stream(tool: str | None = None) -> Callable[[Turn], Reply]:
    def reply(turn: Turn) -> Reply:
        whole = _response(turn, tool)
        item = whole["output"][0]
        stream_events = [
            {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": whole},
        ]
        numbered = [{**event, "sequence_number": number} for number, event in enumerate(stream_events)]
        return Reply(pieces=events(*numbered, names=True))

    return reply


def _response(turn: Turn, tool: str | None) -> Parameters:
    content = {"type": "output_text", "text": "Nothing.", "annotations": []}
    item: Parameters = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [content],
    }
    if tool:
        item = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": tool,
            "arguments": '{"query": "news"}',
            "status": "completed",
        }
    counted = {"input_tokens": turn.input, "output_tokens": turn.output, "total_tokens": turn.input + turn.output}
    return {
        "id": f"resp_{turn.number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-4o-2024-08-06",
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": counted,
    }


def message(tool: str | None = None) -> Callable[[Turn], Reply]:
    return lambda turn: Reply(body=_message(turn, tool))


def message_stream(tool: str | None = None) -> Callable[[Turn], Reply]:
    def reply(turn: Turn) -> Reply:
        whole = _message(turn, tool)
        (block,) = whole["content"]
        begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
        delta = {"type": "text_delta", "text": "Nothing."}
        if tool:
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        ends = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        stream_events = [
            {"type": "message_start", "message": begun},
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {**block, "input": {}} if tool else {"type": "text", "text": ""},
            },
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ends, "usage": {"output_tokens": turn.output}},
            {"type": "message_stop"},
        ]
        return Reply(pieces=events(*stream_events, names=True))

    return reply


def _message(turn: Turn, tool: str | None) -> Parameters:
    block: Parameters = {"type": "text", "text": "Nothing."}
    if tool:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {"query": "news"}}
    return {
        "id": f"msg_{turn.number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [block],
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": turn.input, "output_tokens": turn.output},
    }


def found(_turn: Turn) -> Reply:
    """The response of a web search and of a vector store. It has no usage."""
    return Reply(body={"results": [], "object": "vector_store.search_results.page", "data": [], "has_more": False})


def refusal(_turn: Turn) -> Reply:
    return Reply(status=400, body={"error": {"message": "No.", "type": "invalid_request_error"}})


# --- the provider's ledger --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens that the provider counted, and LiteLLM's price for them."""

    input: int
    output: int
    cost: float


def counted(ledger: Iterable[Exchange]) -> Count:
    """Add up the usage of all exchanges, as the provider sent it."""
    input_, output, cost = 0, 0, 0.0
    for exchange in ledger:
        usage = _usage(exchange.reply)
        if usage is not None:
            prompt, completion, model = usage
            price = litellm.model_cost[model]
            input_ += prompt
            output += completion
            cost += prompt * price["input_cost_per_token"] + completion * price["output_cost_per_token"]
    return Count(input_, output, cost)


def _usage(reply: Reply | None) -> tuple[int, int, str] | None:
    """The last input tokens, output tokens and model in the reply; `None` if it has no usage."""
    found: Parameters = {}
    for body in _bodies(reply):
        for place in (body, body.get("message") or {}, body.get("response") or {}):
            found |= {name: each for name, each in place.items() if name == "model"} | (place.get("usage") or {})
    if len(found) <= 1:
        return None
    prompt, completion = ("prompt", "completion") if "prompt_tokens" in found else ("input", "output")
    return found[f"{prompt}_tokens"], found[f"{completion}_tokens"], found["model"]


def _bodies(reply: Reply | None) -> Iterator[Mapping[str, Any]]:
    assert reply is not None
    if isinstance(reply.body, dict):
        yield reply.body
    for piece in reply.pieces or ():
        data = piece.decode().partition("data: ")[2].strip()
        if data != "[DONE]":
            yield json.loads(data)


# --- callbacks that make LiteLLM send further requests ----------------------------------------------------


def depth(kwargs: Mapping[str, Any]) -> int:
    return kwargs.get("_agentic_loop_depth") or 0


class FollowsUp(CustomLogger):
    """Makes LiteLLM make a follow-up call for each response, `times` times."""

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self.times = times

    async def async_should_run_agentic_loop(self, **arguments: Unknown) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        made = depth(arguments["kwargs"])
        return made < self.times, {"tool_calls": [made]}

    async def async_build_agentic_loop_plan(self, messages: list[Any], **_arguments: Unknown) -> Unknown:  # type: ignore[override]  # by name
        types = import_module("litellm.types.integrations.custom_logger")
        patch = types.AgenticLoopRequestPatch(messages=[*messages, *QUESTION])
        return types.AgenticLoopPlan(run_agentic_loop=True, request_patch=patch)


class FollowsUpEndlessly(FollowsUp):
    """Makes a follow-up call with the same tool each time, until LiteLLM detects a loop."""

    async def async_should_run_agentic_loop(self, **_arguments: Unknown) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        return True, {"tool_calls": ["the same"]}


class CallsLiteLLM(CustomLogger):
    """Makes the follow-up call itself, and returns its response."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters: Parameters = {}

    async def async_should_run_agentic_loop(self, **arguments: Unknown) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        return not depth(arguments["kwargs"]), {}

    async def async_run_agentic_loop(self, **_arguments: Unknown) -> object:  # type: ignore[override]  # by name
        return await litellm.acompletion(**self.parameters, _agentic_loop_depth=1)


class CallsLiteLLMAtTheEnd(CallsLiteLLM):
    """Makes the follow-up call in the last hook that LiteLLM calls before it returns."""

    async def async_should_run_agentic_loop(self, **_arguments: Unknown) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        return False, {}

    async def async_post_call_success_deployment_hook(self, request_data: Parameters, *_given: Unknown) -> Unknown:
        return None if depth(request_data) else await self.async_run_agentic_loop()


class Judges(CallsLiteLLM):
    """Has a model judge the response, and does not change it."""

    async def async_should_run_agentic_loop(self, **arguments: Unknown) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        if not depth(arguments["kwargs"]):
            await self.async_run_agentic_loop()
        return False, {}


class Edits(CustomLogger):
    """Returns a copy of the response, as a callback does that removes something."""

    async def async_post_call_success_deployment_hook(
        self, _request_data: Parameters, response: Unknown, _call_type: object
    ) -> Unknown:
        return response.model_copy(deep=True)


def searches() -> CustomLogger:
    """LiteLLM's own callback, which searches the web for models that cannot."""
    handler = import_module("litellm.integrations.websearch_interception.handler")
    made: CustomLogger = handler.WebSearchInterceptionLogger(enabled_providers=["openai", "anthropic"])
    return made


# --- the cases --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call of the application, and the expected spans."""

    function: str
    parameters: Parameters = field(default_factory=dict)
    replies: Replies
    spans: tuple[str, ...]
    """Name and number of attempts of each span, in the order in which they end."""
    callback: Callable[[], CustomLogger] | None = None
    routed: bool = False
    fails: bool = False
    of_proxy: bool = False
    """Whether LiteLLM runs code of its proxy, which has requirements of its own."""


@functools.cache
def has_proxy() -> bool:
    """Whether the requirements of LiteLLM's proxy are installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import_module("litellm.proxy.proxy_server")
        except ImportError:
            return False
        return True


OPENAI: Parameters = {"model": "openai/gpt-4o", "max_retries": 0}
CLAUDE: Parameters = {"model": "anthropic/claude-haiku-4-5"}
CHATS = {"messages": QUESTION}
NOTES = {"messages": QUESTION, "max_tokens": 99}
SEARCH = [
    {"type": "function", "function": {"name": "litellm_web_search", "parameters": {"type": "object", "properties": {}}}}
]
FILES = [{"type": "file_search", "vector_store_ids": ["vs_1"]}]
ADVISOR = [{"type": "advisor_20260301", "name": "advisor", "model": "anthropic/claude-haiku-4-5"}]
GATEWAY = [{"type": "mcp", "server_label": "litellm", "server_url": "litellm_proxy", "require_approval": "never"}]
BRIDGED = {"input": "Any news?", "use_chat_completions_api": True, "tools": FILES}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "news", "schema": {"type": "object", "required": ["news"]}},
}
JUDGED = {**OPENAI, **CHATS, "response_format": SCHEMA, "enable_json_schema_validation": True}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
GPT, HAIKU = "chat gpt-4o 1", "chat claude-haiku-4-5 1"

CASES: dict[str, Case] = {
    # Follow-up calls: each has a span of its own.
    "a follow-up of a chat": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=FollowsUp,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT),
    ),
    "two follow-ups": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=lambda: FollowsUp(2),
        replies=[(CHAT, chat("lookup")), (CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT, GPT),
    ),
    "a follow-up of a routed chat": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=FollowsUp,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT, "route fast 1"),
        routed=True,
    ),
    "a follow-up of a chat with Anthropic": Case(
        function="acompletion",
        parameters={**CLAUDE, **CHATS},
        callback=FollowsUp,
        replies=[(MESSAGES, message("lookup")), (MESSAGES, message())],
        spans=(HAIKU, HAIKU),
    ),
    "a follow-up of a message": Case(
        function="anthropic_messages",
        parameters={**CLAUDE, **NOTES},
        callback=FollowsUp,
        replies=[(MESSAGES, message("lookup")), (MESSAGES, message())],
        spans=(HAIKU, HAIKU),
    ),
    "a follow-up of a message's stream": Case(
        function="anthropic_messages",
        parameters={**CLAUDE, **NOTES, "stream": True},
        callback=FollowsUp,
        replies=[(MESSAGES, message_stream("lookup")), (MESSAGES, message_stream())],
        spans=(HAIKU, HAIKU),
    ),
    "a follow-up of a routed message's stream": Case(
        function="aanthropic_messages",
        parameters={**CLAUDE, **NOTES, "stream": True},
        callback=FollowsUp,
        replies=[(MESSAGES, message_stream("lookup")), (MESSAGES, message_stream())],
        spans=(HAIKU, HAIKU, "route fast 1"),
        routed=True,
    ),
    "a follow-up of a translated message": Case(
        function="anthropic_messages",
        parameters={**OPENAI, **NOTES},
        callback=FollowsUp,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
        spans=(GPT, GPT),
    ),
    "a follow-up of a response": Case(
        function="aresponses",
        parameters={**OPENAI, "input": "Any news?"},
        callback=FollowsUp,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
        spans=(GPT, GPT),
    ),
    "a follow-up of a synchronous response": Case(
        function="responses",
        parameters={**OPENAI, "input": "Any news?"},
        callback=FollowsUp,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
        spans=(GPT, GPT),
    ),
    "a follow-up that fails": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=FollowsUp,
        replies=[(CHAT, chat("lookup")), (CHAT, refusal)],
        spans=(GPT, GPT),
        fails=releases.FAILED_FOLLOW_UPS_RAISE,
    ),
    "follow-ups without end": Case(
        function="aresponses",
        parameters={**OPENAI, "input": "Any news?"},
        callback=FollowsUpEndlessly,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response("lookup"))],
        spans=(GPT, GPT),
    ),
    "a callback that makes the call itself": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=CallsLiteLLM,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT),
    ),
    "a callback that calls LiteLLM at the end": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=CallsLiteLLMAtTheEnd,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT),
    ),
    "a callback that judges the response": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=Judges,
        replies=[(CHAT, chat()), (CHAT, chat())],
        spans=(GPT, GPT),
    ),
    "a web search for a chat": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS, "tools": SEARCH},
        callback=searches,
        replies=[(CHAT, chat("litellm_web_search")), ("/search", found), (CHAT, chat())],
        spans=("search 1", GPT, GPT),
    ),
    "a web search for a chat with Anthropic": Case(
        function="acompletion",
        parameters={**CLAUDE, **CHATS, "tools": SEARCH},
        callback=searches,
        replies=[(MESSAGES, message("litellm_web_search")), ("/search", found), (MESSAGES, message())],
        spans=("search 1", HAIKU, HAIKU),
    ),
    "a web search for a message's stream": Case(
        function="anthropic_messages",
        parameters={
            **CLAUDE,
            **NOTES,
            "stream": True,
            "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        },
        callback=searches,
        replies=[(MESSAGES, message("litellm_web_search")), ("/search", found), (MESSAGES, message())],
        spans=("search 1", HAIKU, HAIKU),
    ),
    "a web search for a response": Case(
        function="aresponses",
        parameters={**OPENAI, "input": "Any news?", "tools": [{"type": "web_search"}]},
        callback=searches,
        replies=[(RESPONSES, response("litellm_web_search")), ("/search", found), (RESPONSES, response())],
        spans=("search 1", GPT, GPT),
    ),
    "an advisor": Case(
        function="anthropic_messages",
        parameters={**OPENAI, **NOTES, "tools": ADVISOR},
        replies=[(RESPONSES, response("advisor")), (MESSAGES, message()), (RESPONSES, response())],
        spans=(HAIKU, "chat gpt-4o 2"),
    ),
    # LiteLLM continues the call, which has one span.
    **{
        f"files searched for a response, {function}": Case(
            function=function,
            parameters={**OPENAI, **BRIDGED},
            replies=[(CHAT, chat("litellm_file_search")), ("/search", found), (CHAT, chat())],
            spans=("retrieval vs_1 1", "chat gpt-4o 2"),
        )
        for function in ("responses", "aresponses")
    },
    "files searched for a routed response": Case(
        function="aresponses",
        parameters={**OPENAI, **BRIDGED},
        replies=[(CHAT, chat("litellm_file_search")), ("/search", found), (CHAT, chat())],
        spans=("retrieval vs_1 1", "chat gpt-4o 2", "route fast 1"),
        routed=True,
    ),
    "files searched, and an error": Case(
        function="aresponses",
        parameters={**OPENAI, **BRIDGED},
        replies=[(CHAT, chat("litellm_file_search")), ("/search", found), (CHAT, refusal)],
        spans=("retrieval vs_1 1", "chat gpt-4o 2"),
        fails=True,
    ),
    "tools of a gateway for a chat": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS, "tools": GATEWAY},
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=("chat gpt-4o 2",),
        of_proxy=True,
    ),
    "tools of a gateway for a chat's stream": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS, **USAGE, "tools": GATEWAY},
        replies=[(CHAT, chat_stream("lookup")), (CHAT, chat_stream())],
        spans=("chat gpt-4o 2",),
        of_proxy=True,
    ),
    **{
        f"tools of a gateway for a response, {function}": Case(
            function=function,
            parameters={**OPENAI, "input": "Any news?", "tools": GATEWAY},
            replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
            spans=("chat gpt-4o 2",),
            of_proxy=True,
        )
        for function in ("responses", "aresponses")
    },
    "tools of a gateway for a response's stream": Case(
        function="aresponses",
        parameters={**OPENAI, "input": "Any news?", "stream": True, "tools": GATEWAY},
        replies=[(RESPONSES, response_stream("lookup")), (RESPONSES, response_stream())],
        spans=("chat gpt-4o 2",),
        of_proxy=True,
    ),
    # LiteLLM retries, or uses a fallback.
    **{
        f"a rejected response, {function}": Case(
            function=function,
            parameters={**JUDGED, "num_retries": 1},
            replies=[(CHAT, chat(text="{}")), (CHAT, chat(text='{"news": 1}'))],
            spans=("chat gpt-4o 2",),
        )
        for function in ("completion", "acompletion")
    },
    "a rejected response without a retry": Case(
        function="acompletion",
        parameters=JUDGED,
        replies=[(CHAT, chat(text="{}"))],
        spans=(GPT,),
        fails=True,
    ),
    **{
        f"a fallback after a rejected response, {function}": Case(
            function=function,
            parameters={**JUDGED, "fallbacks": ["openai/gpt-4o-mini"]},
            replies=[(CHAT, chat(text="{}")), (CHAT, chat(text='{"news": 1}', model="gpt-4o-mini-2024-07-18"))],
            spans=("chat gpt-4o-mini 2",),
        )
        for function in ("completion", "acompletion")
    },
    **{
        f"an edited response, {function}": Case(
            function=function, parameters=parameters, callback=Edits, replies=[reply], spans=(span,)
        )
        for function, parameters, reply, span in (
            ("acompletion", {**OPENAI, **CHATS}, (CHAT, chat()), GPT),
            ("atext_completion", {**OPENAI, "prompt": "Any news?"}, (CHAT, chat()), "text_completion gpt-4o 1"),
            ("aresponses", {**CLAUDE, "input": "Any news?"}, (MESSAGES, message()), HAIKU),
        )
    },
    # Mock responses, and a batch.
    **{
        f"a mock response, {function}{', streamed' if stream else ''}": Case(
            function=function,
            parameters={**OPENAI, **CHATS, "mock_response": "Nothing.", "stream": stream},
            replies=[],
            spans=(GPT,),
        )
        for function in ("completion", "acompletion")
        for stream in (False, True)
    },
    "a batch": Case(
        function="batch_completion",
        parameters={**OPENAI, "messages": [QUESTION, QUESTION]},
        replies=[(CHAT, chat()), (CHAT, chat())],
        spans=(GPT, GPT, "batch_completion gpt-4o 0"),
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, wire: WireProvider, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case. All requests of its call go to the test's provider."""
    case = CASES[request.param]
    if not has_proxy() and case.of_proxy:
        pytest.skip("the requirements of LiteLLM's proxy are not installed")
    for name in ("OPENAI", "ANTHROPIC", "PERPLEXITY", "PERPLEXITYAI"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-test")
        monkeypatch.setenv(f"{name}_API_BASE", wire.url)
        monkeypatch.setenv(f"{name}_BASE_URL", f"{wire.url}/v1")
    return case


def play(case: Case, wire: WireProvider) -> Unknown:
    """Make the call. Return its result; of a stream, the list of chunks; of a failed call, the exception."""
    litellm.in_memory_llm_clients_cache.flush_cache()  # a closed event loop's client would repeat its request
    wire.reset()
    for number, (path, reply) in enumerate(case.replies):
        wire.reply_once(path, reply(Turn(number)))
    base = wire.url if case.parameters["model"].startswith("anthropic/") else f"{wire.url}/v1"
    parameters = {"api_base": base, "api_key": "sk-test", **case.parameters}
    callback = case.callback() if case.callback is not None else None
    if isinstance(callback, CallsLiteLLM):
        callback.parameters = parameters
    litellm.callbacks = [] if callback is None else [callback]
    owner: Any = litellm
    if case.routed:
        deployed = {name: parameters.pop(name) for name in ("model", "api_base", "api_key")}
        owner = litellm.Router(model_list=[{"model_name": "fast", "litellm_params": deployed}])
        parameters["model"] = "fast"

    async def scenario() -> Unknown:
        result = await getattr(owner, case.function)(**parameters)
        return await rest(result) if hasattr(type(result), "__aiter__") else result

    try:
        if case.function.startswith("a"):
            return asyncio.run(scenario())
        result = getattr(owner, case.function)(**parameters)
        return list(result) if hasattr(type(result), "__next__") else result
    except Exception as error:  # noqa: BLE001 - any exception is a result
        return error


def comparable(result: Unknown) -> object:
    """The part of a result that is the same each time."""
    if isinstance(result, list):
        if result and isinstance(result[0], bytes):  # the pieces differ
            return b"".join(result).decode().count("event: ")
        return [comparable(each) for each in result]
    if isinstance(result, Exception):
        return type(result), str(result)
    body = result.model_dump() if hasattr(result, "model_dump") else result
    output = body.get("output") if isinstance(body, dict) else None
    return type(result), [each.get("type") for each in output] if output else _text(body)


def _text(body: Unknown) -> object:
    if not isinstance(body, dict):
        return None
    return (
        body.get("type"),
        body.get("content"),
        [(each.get("message") or each.get("delta") or {}).get("content") for each in body.get("choices") or ()],
    )


@pytest.mark.usefixtures("restored_callbacks")
def test_sums_over_spans_equal_the_providers_counts(case: Case, wire: WireProvider, telemetry: Recorder) -> None:
    """Each token and its price is recorded once, on spans and in metrics. Each call has one span."""
    result = play(case, wire)
    assert isinstance(result, Exception) == case.fails, result
    spans = telemetry.spans()
    attempts = [sum(event.name == "litellm.attempt" for event in span.events) for span in spans]
    assert sorted(f"{span.name} {made}" for span, made in zip(spans, attempts, strict=True)) == sorted(case.spans)
    assert spans[-1].parent is None
    # LiteLLM may still be logging calls of earlier tests, and request the properties of Ollama's models to do so.
    requests = [exchange for exchange in wire.ledger if exchange.path != "/api/show"]
    assert len(requests) == len(case.replies)
    truth = counted(wire.ledger)
    calls: list[Parameters] = [attributes_of(span) for span in spans if span.kind is SpanKind.CLIENT]
    chats = [call for call in calls if "search" not in call["gen_ai.operation.name"]]
    assert total("gen_ai.usage.input_tokens", chats) == truth.input
    assert total("gen_ai.usage.output_tokens", chats) == truth.output
    assert total("llm.usage.cost", chats) == pytest.approx(truth.cost, abs=1e-12)
    points = telemetry.points("gen_ai.client.token.usage")
    assert sum(point.sum for point in points) == truth.input + truth.output


@pytest.mark.usefixtures("restored_callbacks", "telemetry")
def test_result_and_requests_are_the_same_without_tracing(case: Case, wire: WireProvider) -> None:
    with suppress_instrumentation():
        without, requests = comparable(play(case, wire)), [exchange.path for exchange in wire.ledger]
    assert comparable(play(case, wire)) == without
    assert [exchange.path for exchange in wire.ledger] == requests


def total(name: str, calls: list[Parameters]) -> float:
    return float(sum(call.get(name, 0) for call in calls))


@pytest.mark.usefixtures("restored_callbacks")
def test_a_follow_up_has_its_own_response(wire: WireProvider, telemetry: Recorder) -> None:
    """The follow-up is a child of the call for which it is made. That call has its own, first response."""
    play(CASES["a follow-up of a chat"], wire)
    follow_up, call = telemetry.spans()
    assert follow_up.parent is not None
    assert call.context is not None
    assert follow_up.parent.span_id == call.context.span_id
    responses = [
        (each["gen_ai.response.id"], each["gen_ai.response.finish_reasons"], each["gen_ai.usage.input_tokens"])
        for each in map(attributes_of, (call, follow_up))
    ]
    assert responses == [("chatcmpl-0", ("tool_call",), 1), ("chatcmpl-1", ("stop",), 10)]


@pytest.mark.usefixtures("restored_callbacks")
def test_a_stream_that_is_closed_during_its_follow_up(wire: WireProvider, telemetry: Recorder) -> None:
    """The usage of the first response is recorded."""
    case = CASES["a follow-up of a message's stream"]
    for number, (path, reply) in enumerate(case.replies):
        wire.reply_once(path, reply(Turn(number)))
    litellm.callbacks = [FollowsUp()]

    async def scenario() -> None:
        parameters = {**case.parameters, "api_base": wire.url, "api_key": "sk-test"}
        stream = cast("Any", await litellm.anthropic_messages(**parameters))
        begun = 0
        async for chunk in stream:
            begun += chunk.count(b"event: message_start")
            if begun > 1:
                break
        await stream.aclose()

    asyncio.run(scenario())
    call = attributes_of(telemetry.spans()[-1])
    recorded = [call.get(f"gen_ai.{name}") for name in ("response.id", "usage.input_tokens", "usage.output_tokens")]
    assert recorded == ["msg_0", 1, 2]


@pytest.mark.parametrize("function", ["completion", "acompletion"])
def test_a_custom_handler_that_calls_litellm(
    wire: WireProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """The inner call has the usage. The outer call has the same response, and no usage of its own."""
    wire.reply(CHAT, chat()(Turn(0)))
    parameters: Parameters = {**OPENAI, **CHATS, "api_base": f"{wire.url}/v1", "api_key": "sk-test"}

    class Handler(litellm.CustomLLM):
        def completion(self, *_args: Unknown, **_kwargs: Unknown) -> Unknown:
            return litellm.completion(**parameters)

        async def acompletion(self, *_args: Unknown, **_kwargs: Unknown) -> Unknown:
            return await litellm.acompletion(**parameters)

    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "hands", "custom_handler": Handler()}])

    async def scenario() -> Unknown:
        result = getattr(litellm, function)(model="hands/on", messages=QUESTION)
        return await result if function == "acompletion" else result

    result = asyncio.run(scenario())
    assert result.choices[0].message.content == "Nothing."
    inner, outer = (attributes_of(span) for span in telemetry.spans())
    assert (inner["gen_ai.usage.input_tokens"], inner["gen_ai.usage.output_tokens"]) == (1, 2)
    assert outer["gen_ai.response.id"] == inner["gen_ai.response.id"]
    assert [name for name in outer if "usage" in name or "cost" in name] == ["agentops.trace.cost"]


@pytest.mark.usefixtures("restored_callbacks")
def test_usage_is_unknown_if_one_of_several_responses_has_none(wire: WireProvider, telemetry: Recorder) -> None:
    case = CASES["files searched for a response, aresponses"]
    first, found_, _last = case.replies

    def uncounted(turn: Turn) -> Reply:
        body = chat()(turn).body
        assert isinstance(body, dict)
        return Reply(body={name: part for name, part in body.items() if name != "usage"})

    play(
        Case(function="aresponses", parameters=case.parameters, replies=[first, found_, (CHAT, uncounted)], spans=()),
        wire,
    )
    attributes = attributes_of(telemetry.spans()[-1])
    assert [name for name in attributes if "usage" in name or "cost" in name] == []
