"""Where LiteLLM asks several times for one call of the app: the sums over spans are what the provider counted.

It makes follow-up calls for callbacks that have a tool run, which are calls of their own; it has tools of its own run
and asks again, for the same call; and it tries again where it did not like an answer.
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
Given: TypeAlias = Any
"""What LiteLLM gives, to callbacks and to the app: each function something else."""
Replies = list[tuple[str, Callable[["Turn"], Reply]]]
CHAT, RESPONSES, MESSAGES = "/chat/completions", "/responses", "/v1/messages"
QUESTION = [{"role": "user", "content": "What is new?"}]


# --- what the provider sends ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer; no two count the same tokens."""

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
        told = [
            {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": whole},
        ]
        numbered = [{**event, "sequence_number": number} for number, event in enumerate(told)]
        return Reply(pieces=events(*numbered, names=True))

    return reply


def _response(turn: Turn, tool: str | None) -> Parameters:
    said = {"type": "output_text", "text": "Nothing.", "annotations": []}
    item: Parameters = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said]}
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
        told = [
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
        return Reply(pieces=events(*told, names=True))

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
    """What a web search finds, and a vector store: nobody counts tokens."""
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
    """By all exchanges, from the bytes that were sent."""
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
    """The last that the reply tells of input, output and model."""
    told: Parameters = {}
    for body in _bodies(reply):
        for place in (body, body.get("message") or {}, body.get("response") or {}):
            told |= {name: each for name, each in place.items() if name == "model"} | (place.get("usage") or {})
    if len(told) <= 1:
        return None
    prompt, completion = ("prompt", "completion") if "prompt_tokens" in told else ("input", "output")
    return told[f"{prompt}_tokens"], told[f"{completion}_tokens"], told["model"]


def _bodies(reply: Reply | None) -> Iterator[Mapping[str, Any]]:
    assert reply is not None
    if isinstance(reply.body, dict):
        yield reply.body
    for piece in reply.pieces or ():
        data = piece.decode().partition("data: ")[2].strip()
        if data != "[DONE]":
            yield json.loads(data)


# --- what has LiteLLM ask again ---------------------------------------------------------------------------


def depth(kwargs: Mapping[str, Any]) -> int:
    return kwargs.get("_agentic_loop_depth") or 0


class AsksAgain(CustomLogger):
    """Has LiteLLM make a follow-up call for each answer, until there were so many."""

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self.times = times

    async def async_should_run_agentic_loop(self, **given: Given) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        asked = depth(given["kwargs"])
        return asked < self.times, {"tool_calls": [asked]}

    async def async_build_agentic_loop_plan(self, messages: list[Any], **_given: Given) -> Given:  # type: ignore[override]  # by name
        types = import_module("litellm.types.integrations.custom_logger")
        patch = types.AgenticLoopRequestPatch(messages=[*messages, *QUESTION])
        return types.AgenticLoopPlan(run_agentic_loop=True, request_patch=patch)


class AsksWithoutEnd(AsksAgain):
    """Does so with the same tool each time, which LiteLLM takes for a loop."""

    async def async_should_run_agentic_loop(self, **_given: Given) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        return True, {"tool_calls": ["the same"]}


class AsksItself(CustomLogger):
    """Makes the follow-up call by itself, and answers with what that gives."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters: Parameters = {}

    async def async_should_run_agentic_loop(self, **given: Given) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        return not depth(given["kwargs"]), {}

    async def async_run_agentic_loop(self, **_given: Given) -> object:  # type: ignore[override]  # by name
        return await litellm.acompletion(**self.parameters, _agentic_loop_depth=1)


class AsksAtLast(AsksItself):
    """Does so when LiteLLM is nearly done."""

    async def async_should_run_agentic_loop(self, **_given: Given) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        return False, {}

    async def async_post_call_success_deployment_hook(self, request_data: Parameters, *_given: Given) -> Given:
        return None if depth(request_data) else await self.async_run_agentic_loop()


class Judges(AsksItself):
    """Asks what another model thinks of an answer, and leaves it as it is."""

    async def async_should_run_agentic_loop(self, **given: Given) -> tuple[bool, Parameters]:  # type: ignore[override]  # by name
        if not depth(given["kwargs"]):
            await self.async_run_agentic_loop()
        return False, {}


class Edits(CustomLogger):
    """Gives a copy of the answer, as what takes something out of it does."""

    async def async_post_call_success_deployment_hook(
        self, _request_data: Parameters, response: Given, _call_type: object
    ) -> Given:
        return response.model_copy(deep=True)


def searches() -> CustomLogger:
    """LiteLLM's own: it searches the web for models that cannot."""
    handler = import_module("litellm.integrations.websearch_interception.handler")
    made: CustomLogger = handler.WebSearchInterceptionLogger(enabled_providers=["openai", "anthropic"])
    return made


# --- the cases --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call of the app's, and what comes of it."""

    function: str
    parameters: Parameters = field(default_factory=dict)
    replies: Replies
    spans: tuple[str, ...]
    """Their names and numbers of attempts, as they end."""
    callback: Callable[[], CustomLogger] | None = None
    routed: bool = False
    fails: bool = False
    of_proxy: bool = False
    """Whether LiteLLM's proxy has part in it, which has its own requirements."""


@functools.cache
def has_proxy() -> bool:
    """Whether it has what it needs. Other parts of LiteLLM look for it, too."""
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
BRIDGED = {"input": "What is new?", "use_chat_completions_api": True, "tools": FILES}
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
        callback=AsksAgain,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT),
    ),
    "two follow-ups": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=lambda: AsksAgain(2),
        replies=[(CHAT, chat("lookup")), (CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT, GPT),
    ),
    "a follow-up of a routed chat": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=AsksAgain,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT, "route fast 1"),
        routed=True,
    ),
    "a follow-up of a chat with Anthropic": Case(
        function="acompletion",
        parameters={**CLAUDE, **CHATS},
        callback=AsksAgain,
        replies=[(MESSAGES, message("lookup")), (MESSAGES, message())],
        spans=(HAIKU, HAIKU),
    ),
    "a follow-up of a message": Case(
        function="anthropic_messages",
        parameters={**CLAUDE, **NOTES},
        callback=AsksAgain,
        replies=[(MESSAGES, message("lookup")), (MESSAGES, message())],
        spans=(HAIKU, HAIKU),
    ),
    "a follow-up of a message's stream": Case(
        function="anthropic_messages",
        parameters={**CLAUDE, **NOTES, "stream": True},
        callback=AsksAgain,
        replies=[(MESSAGES, message_stream("lookup")), (MESSAGES, message_stream())],
        spans=(HAIKU, HAIKU),
    ),
    "a follow-up of a routed message's stream": Case(
        function="aanthropic_messages",
        parameters={**CLAUDE, **NOTES, "stream": True},
        callback=AsksAgain,
        replies=[(MESSAGES, message_stream("lookup")), (MESSAGES, message_stream())],
        spans=(HAIKU, HAIKU, "route fast 1"),
        routed=True,
    ),
    "a follow-up of a translated message": Case(
        function="anthropic_messages",
        parameters={**OPENAI, **NOTES},
        callback=AsksAgain,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
        spans=(GPT, GPT),
    ),
    "a follow-up of a response": Case(
        function="aresponses",
        parameters={**OPENAI, "input": "What is new?"},
        callback=AsksAgain,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
        spans=(GPT, GPT),
    ),
    "a follow-up of a synchronous response": Case(
        function="responses",
        parameters={**OPENAI, "input": "What is new?"},
        callback=AsksAgain,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
        spans=(GPT, GPT),
    ),
    "a follow-up that fails": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=AsksAgain,
        replies=[(CHAT, chat("lookup")), (CHAT, refusal)],
        spans=(GPT, GPT),
        fails=releases.FAILED_FOLLOW_UPS_RAISE,
    ),
    "follow-ups without end": Case(
        function="aresponses",
        parameters={**OPENAI, "input": "What is new?"},
        callback=AsksWithoutEnd,
        replies=[(RESPONSES, response("lookup")), (RESPONSES, response("lookup"))],
        spans=(GPT, GPT),
    ),
    "a callback that asks by itself": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=AsksItself,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT),
    ),
    "a callback that asks at last": Case(
        function="acompletion",
        parameters={**OPENAI, **CHATS},
        callback=AsksAtLast,
        replies=[(CHAT, chat("lookup")), (CHAT, chat())],
        spans=(GPT, GPT),
    ),
    "a callback that asks what to think of it": Case(
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
        parameters={**OPENAI, "input": "What is new?", "tools": [{"type": "web_search"}]},
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
    # LiteLLM goes on with the call: it has one span.
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
    "files searched, and no answer": Case(
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
            parameters={**OPENAI, "input": "What is new?", "tools": GATEWAY},
            replies=[(RESPONSES, response("lookup")), (RESPONSES, response())],
            spans=("chat gpt-4o 2",),
            of_proxy=True,
        )
        for function in ("responses", "aresponses")
    },
    "tools of a gateway for a response's stream": Case(
        function="aresponses",
        parameters={**OPENAI, "input": "What is new?", "stream": True, "tools": GATEWAY},
        replies=[(RESPONSES, response_stream("lookup")), (RESPONSES, response_stream())],
        spans=("chat gpt-4o 2",),
        of_proxy=True,
    ),
    # LiteLLM tries again, or anew.
    **{
        f"an answer that is refused, {function}": Case(
            function=function,
            parameters={**JUDGED, "num_retries": 1},
            replies=[(CHAT, chat(text="{}")), (CHAT, chat(text='{"news": 1}'))],
            spans=("chat gpt-4o 2",),
        )
        for function in ("completion", "acompletion")
    },
    "an answer that is refused for good": Case(
        function="acompletion",
        parameters=JUDGED,
        replies=[(CHAT, chat(text="{}"))],
        spans=(GPT,),
        fails=True,
    ),
    **{
        f"a fallback of a refused answer, {function}": Case(
            function=function,
            parameters={**JUDGED, "fallbacks": ["openai/gpt-4o-mini"]},
            replies=[(CHAT, chat(text="{}")), (CHAT, chat(text='{"news": 1}', model="gpt-4o-mini-2024-07-18"))],
            spans=("chat gpt-4o-mini 2",),
        )
        for function in ("completion", "acompletion")
    },
    **{
        f"an answer that is edited, {function}": Case(
            function=function, parameters=given, callback=Edits, replies=[reply], spans=(span,)
        )
        for function, given, reply, span in (
            ("acompletion", {**OPENAI, **CHATS}, (CHAT, chat()), GPT),
            ("atext_completion", {**OPENAI, "prompt": "What is new?"}, (CHAT, chat()), "text_completion gpt-4o 1"),
            ("aresponses", {**CLAUDE, "input": "What is new?"}, (MESSAGES, message()), HAIKU),
        )
    },
    # What is made up, and what is several calls.
    **{
        f"an answer of the app's, {function}{', streamed' if stream else ''}": Case(
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
    """One of them, where all that it asks is the test's provider."""
    case = CASES[request.param]
    if not has_proxy() and case.of_proxy:
        pytest.skip("LiteLLM's proxy has not got what it needs")
    for name in ("OPENAI", "ANTHROPIC", "PERPLEXITY", "PERPLEXITYAI"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-test")
        monkeypatch.setenv(f"{name}_API_BASE", wire.url)
        monkeypatch.setenv(f"{name}_BASE_URL", f"{wire.url}/v1")
    return case


def play(case: Case, wire: WireProvider) -> Given:
    """What the app gets: of a stream, its chunks; of a failure, the exception."""
    litellm.in_memory_llm_clients_cache.flush_cache()  # one of another event loop asks, fails, and asks again
    wire.reset()
    for number, (path, reply) in enumerate(case.replies):
        wire.reply_once(path, reply(Turn(number)))
    base = wire.url if case.parameters["model"].startswith("anthropic/") else f"{wire.url}/v1"
    parameters = {"api_base": base, "api_key": "sk-test", **case.parameters}
    callback = case.callback() if case.callback is not None else None
    if isinstance(callback, AsksItself):
        callback.parameters = parameters
    litellm.callbacks = [] if callback is None else [callback]
    owner: Any = litellm
    if case.routed:
        deployed = {name: parameters.pop(name) for name in ("model", "api_base", "api_key")}
        owner = litellm.Router(model_list=[{"model_name": "fast", "litellm_params": deployed}])
        parameters["model"] = "fast"

    async def scenario() -> Given:
        result = await getattr(owner, case.function)(**parameters)
        return await rest(result) if hasattr(type(result), "__aiter__") else result

    try:
        if case.function.startswith("a"):
            return asyncio.run(scenario())
        result = getattr(owner, case.function)(**parameters)
        return list(result) if hasattr(type(result), "__next__") else result
    except Exception as error:  # noqa: BLE001 - whatever the app gets
        return error


def alike(result: Given) -> object:
    """What of a result is the same each time."""
    if isinstance(result, list):
        if result and isinstance(result[0], bytes):  # which come in any pieces
            return b"".join(result).decode().count("event: ")
        return [alike(each) for each in result]
    if isinstance(result, Exception):
        return type(result), str(result)
    told = result.model_dump() if hasattr(result, "model_dump") else result
    output = told.get("output") if isinstance(told, dict) else None
    return type(result), [each.get("type") for each in output] if output else _text(told)


def _text(told: Given) -> object:
    if not isinstance(told, dict):
        return None
    return (
        told.get("type"),
        told.get("content"),
        [(each.get("message") or each.get("delta") or {}).get("content") for each in told.get("choices") or ()],
    )


@pytest.mark.usefixtures("restored_callbacks")
def test_the_sums_over_spans_are_the_providers(case: Case, wire: WireProvider, telemetry: Recorder) -> None:
    """Every token and every cent is told once, by as many spans as calls were made, and so it is in the metrics."""
    result = play(case, wire)
    assert isinstance(result, Exception) == case.fails, result
    spans = telemetry.spans()
    attempts = [sum(event.name == "litellm.attempt" for event in span.events) for span in spans]
    assert sorted(f"{span.name} {made}" for span, made in zip(spans, attempts, strict=True)) == sorted(case.spans)
    assert spans[-1].parent is None
    asked = [exchange for exchange in wire.ledger if exchange.path != "/api/show"]
    assert len(asked) == len(case.replies)  # the other: LiteLLM may still be logging, and pricing, Ollama's calls
    truth = counted(wire.ledger)
    calls: list[Parameters] = [attributes_of(span) for span in spans if span.kind is SpanKind.CLIENT]
    chats = [call for call in calls if "search" not in call["gen_ai.operation.name"]]
    assert total("gen_ai.usage.input_tokens", chats) == truth.input
    assert total("gen_ai.usage.output_tokens", chats) == truth.output
    assert total("llm.usage.cost", chats) == pytest.approx(truth.cost, abs=1e-12)
    points = telemetry.points("gen_ai.client.token.usage")
    assert sum(point.sum for point in points) == truth.input + truth.output


@pytest.mark.usefixtures("restored_callbacks", "telemetry")
def test_the_app_gets_what_it_gets_without_us(case: Case, wire: WireProvider) -> None:
    """The same result after the same requests."""
    with suppress_instrumentation():
        without, requests = alike(play(case, wire)), [exchange.path for exchange in wire.ledger]
    assert alike(play(case, wire)) == without
    assert [exchange.path for exchange in wire.ledger] == requests


def total(name: str, calls: list[Parameters]) -> float:
    return float(sum(call.get(name, 0) for call in calls))


@pytest.mark.usefixtures("restored_callbacks")
def test_a_follow_up_tells_of_its_own_answer(wire: WireProvider, telemetry: Recorder) -> None:
    """It is beneath the call that it is made for, which tells of the answer that it got first."""
    play(CASES["a follow-up of a chat"], wire)
    follow_up, call = telemetry.spans()
    assert follow_up.parent is not None
    assert call.context is not None
    assert follow_up.parent.span_id == call.context.span_id
    told = [
        (each["gen_ai.response.id"], each["gen_ai.response.finish_reasons"], each["gen_ai.usage.input_tokens"])
        for each in map(attributes_of, (call, follow_up))
    ]
    assert told == [("chatcmpl-0", ("tool_call",), 1), ("chatcmpl-1", ("stop",), 10)]


@pytest.mark.usefixtures("restored_callbacks")
def test_a_stream_that_is_closed_in_its_follow_up(wire: WireProvider, telemetry: Recorder) -> None:
    """What the provider had counted for the first answer stays known."""
    case = CASES["a follow-up of a message's stream"]
    for number, (path, reply) in enumerate(case.replies):
        wire.reply_once(path, reply(Turn(number)))
    litellm.callbacks = [AsksAgain()]

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
    told = [call.get(f"gen_ai.{name}") for name in ("response.id", "usage.input_tokens", "usage.output_tokens")]
    assert told == ["msg_0", 1, 2]


@pytest.mark.parametrize("function", ["completion", "acompletion"])
def test_a_handler_of_the_apps_that_calls_litellm(
    wire: WireProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """It gives the answer of a call that tells of itself."""
    wire.reply(CHAT, chat()(Turn(0)))
    asked: Parameters = {**OPENAI, **CHATS, "api_base": f"{wire.url}/v1", "api_key": "sk-test"}

    class Hands(litellm.CustomLLM):
        def completion(self, *_args: Given, **_kwargs: Given) -> Given:
            return litellm.completion(**asked)

        async def acompletion(self, *_args: Given, **_kwargs: Given) -> Given:
            return await litellm.acompletion(**asked)

    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "hands", "custom_handler": Hands()}])

    async def scenario() -> Given:
        result = getattr(litellm, function)(model="hands/on", messages=QUESTION)
        return await result if function == "acompletion" else result

    result = asyncio.run(scenario())
    assert result.choices[0].message.content == "Nothing."
    inner, outer = (attributes_of(span) for span in telemetry.spans())
    assert (inner["gen_ai.usage.input_tokens"], inner["gen_ai.usage.output_tokens"]) == (1, 2)
    assert outer["gen_ai.response.id"] == inner["gen_ai.response.id"]
    assert [name for name in outer if "usage" in name or "cost" in name] == ["agentops.trace.cost"]


@pytest.mark.usefixtures("restored_callbacks")
def test_what_one_of_several_answers_did_not_count_is_not_known(wire: WireProvider, telemetry: Recorder) -> None:
    """The sum would be of the others."""
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
    told = attributes_of(telemetry.spans()[-1])
    assert [name for name in told if "usage" in name or "cost" in name] == []
