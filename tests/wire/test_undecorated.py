"""Functions that LiteLLM's decorator does not build, and what LiteLLM gives the app to go on with."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from time import sleep
from types import CoroutineType
from typing import Any

import litellm
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel_litellm.invocation.stream_proxy import TracedStream
from agentops_otel_litellm.patching import traced_functions, wrapping
from agentops_otel_litellm.patching.patch_points import PATCH_POINTS
from agentops_otel_litellm.patching.traced_functions import TRACING
from support.apps import Caller
from support.expected import response_id_attributes, target_attributes
from support.recorder import Attributes, Recorder, seconds
from support.servers import openai_resources
from support.servers.wire import Reply, WireProvider

Parameters = dict[str, Any]

# OpenAI has deprecated its assistants, and LiteLLM uses what pydantic has.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def listed(entry: object) -> dict[str, object]:
    return {"object": "list", "data": [entry], "has_more": False, "first_id": "a", "last_id": "z"}


def asking(id_: str) -> Attributes:
    return {"llm.request.resource_id": id_}


ASKING_ASSISTANT: Attributes = {
    **asking("asst_1"),
    "llm.request.agent_id": "asst_1",
    "gen_ai.agent.id": "asst_1",
}
ENTRIES: Attributes = {"llm.response.results_count": 1, "llm.response.has_more": False}
MODEL: Attributes = {"gen_ai.response.model": "gpt-4o", "llm.response.model": "gpt-4o"}
BATCH = {**openai_resources.BATCH, "status": "cancelling"}
TUNING = {**openai_resources.TUNING, "model": "gpt-4o", "hyperparameters": {}}
ASSISTANT = {
    "id": "asst_1",
    "object": "assistant",
    "created_at": 1,
    "name": "a name",
    "model": "gpt-4o",
    "tools": [],
    "metadata": {},
}
THREAD = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}}
MESSAGE = {
    "id": "msg_1",
    "object": "thread.message",
    "created_at": 1,
    "thread_id": "thread_1",
    "role": "user",
    "status": "completed",
    "content": [],
    "attachments": [],
    "metadata": {},
}
RUN = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "status": "completed",
    "model": "gpt-4o",
    "instructions": "",
    "tools": [],
    "metadata": {},
    "parallel_tool_calls": True,
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}
RUN_USED: Attributes = {
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "llm.usage.prompt_tokens": 11,
    "llm.usage.completion_tokens": 7,
    "llm.usage.total_tokens": 18,
}
THREAD_ID: Parameters = {"thread_id": "thread_1"}
RUN_IDS: Parameters = {**THREAD_ID, "assistant_id": "asst_1"}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
# Function → its parameters, the end of the path it asks, the answer, and what the span says of them.
UNDECORATED: dict[str, tuple[Parameters, str, object, Attributes]] = {
    "cancel_batch": (
        {"batch_id": "batch_1"},
        "/cancel",
        BATCH,
        {
            **asking("batch_1"),
            **response_id_attributes(
                "batch_1", status="cancelling", requests_count=5, requests_completed=3, requests_failed=2
            ),
        },
    ),
    "list_fine_tuning_jobs": ({"limit": 2}, "/jobs", listed(TUNING), {"llm.request.page_size": 2, **ENTRIES}),
    "create_assistants": (
        {"model": "gpt-4o"},
        "/assistants",
        ASSISTANT,
        {
            "gen_ai.request.model": "gpt-4o",
            "llm.request.model": "gpt-4o",
            **response_id_attributes("asst_1"),
            **MODEL,
        },
    ),
    "get_assistants": (
        {"limit": 2},
        "/assistants",
        listed(ASSISTANT),
        {"llm.request.page_size": 2, **ENTRIES},
    ),
    "delete_assistant": (
        {"assistant_id": "asst_1"},
        "/asst_1",
        {"id": "asst_1", "object": "assistant.deleted", "deleted": True},
        {**ASKING_ASSISTANT, **response_id_attributes("asst_1", deleted=True)},
    ),
    "create_thread": (
        {"messages": [{"role": "user", "content": "Hi."}]},
        "/threads",
        THREAD,
        {"llm.request.messages_count": 1, **response_id_attributes("thread_1")},
    ),
    "get_thread": (THREAD_ID, "/thread_1", THREAD, {**asking("thread_1"), **response_id_attributes("thread_1")}),
    "add_message": (
        {**THREAD_ID, "role": "user", "content": "Hi."},
        "/messages",
        MESSAGE,
        {**asking("thread_1"), **response_id_attributes("msg_1", status="completed")},
    ),
    "get_messages": (THREAD_ID, "/messages", listed(MESSAGE), {**asking("thread_1"), **ENTRIES}),
    "run_thread": (
        RUN_IDS,
        "/runs",
        RUN,
        {**ASKING_ASSISTANT, **response_id_attributes("run_1", status="completed"), **MODEL, **RUN_USED},
    ),
}


@pytest.fixture
def openai(wire: WireProvider) -> Parameters:
    """How OpenAI's part of the provider is reached."""
    return {"api_key": "sk-test", "api_base": f"{wire.url}/v1", "custom_llm_provider": "openai", "max_retries": 0}


@pytest.mark.parametrize("function", UNDECORATED)
def test_an_undecorated_function_is_described_in_full(
    caller: Caller, wire: WireProvider, openai: Parameters, telemetry: Recorder, function: str
) -> None:
    """A function that the decorator does not build makes one span, whose asynchronous twin calls it for its own."""
    parameters, path_end, answer, told = UNDECORATED[function]
    wire.reply(path_end, Reply(body=answer))
    wire.reply("/run_1", Reply(body=RUN))  # asked for until the run is over
    caller.call(litellm, function, **parameters, **openai)
    (span,) = telemetry.spans()
    assert (span.name.partition(" ")[0], span.kind, span.parent) == (function, SpanKind.CLIENT, None)
    assert telemetry.attributes() == {**target_attributes(function, "openai", wire), **told}


@pytest.mark.parametrize("function", ["cancel_batch", "list_fine_tuning_jobs", "get_assistants", "run_thread"])
def test_a_refusal_is_told(
    caller: Caller, wire: WireProvider, openai: Parameters, telemetry: Recorder, function: str
) -> None:
    """Where the provider refuses, the call's one span has failed and says why."""
    wire.reply("", Reply(status=401, body={"error": {"message": "a secret"}}))
    with pytest.raises(Exception, match="a secret") as raised:
        caller.call(litellm, function, **UNDECORATED[function][0], **openai)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert attributes["error.type"] == type(raised.value).__name__
    assert (attributes["llm.error.status_code"], attributes["llm.error.category"]) == (401, "auth")
    assert "a secret" not in telemetry.everything()


def test_a_synchronous_moderation_is_one_call(wire: WireProvider, openai: Parameters, telemetry: Recorder) -> None:
    """Of the two moderations the decorator builds the asynchronous one only."""
    wire.reply("/moderations", Reply(body={"id": "modr-1", "model": "omni", "results": []}))
    result = litellm.moderation(input="Hi.", **openai)
    assert type(result).__name__ == "OpenAIModerationResponse"
    (span,) = telemetry.spans()
    assert (span.name, telemetry.attributes()["llm.response.id"]) == ("moderation", "modr-1")


@pytest.mark.skipif(not hasattr(litellm, "acount_tokens"), reason="this LiteLLM does not count at providers'")
@pytest.mark.parametrize(
    ("reply", "tokenizer"),
    [(Reply(body={"input_tokens": 14}), "anthropic_api"), (Reply(status=500, body={}), "local_tokenizer")],
    ids=["by the provider", "by LiteLLM, since the provider did not"],
)
def test_tokens_that_are_counted_beforehand(
    wire: WireProvider, telemetry: Recorder, reply: Reply, tokenizer: str
) -> None:
    """To have tokens counted is a call that uses none. LiteLLM counts itself where the provider does not, and how many
    there are is told with who says so.
    """
    wire.reply("/count_tokens", reply)
    counted = asyncio.run(
        litellm.acount_tokens(
            model="anthropic/claude-3-5-haiku-20241022",
            messages=[{"role": "user", "content": "Hi."}],
            system="Be brief.",
            tools=[TOOL],
            api_key="sk-test",
            api_base=wire.url,
        )
    )
    assert type(counted).__name__ == "TokenCountResponse"
    assert (counted.total_tokens == 14) is (tokenizer == "anthropic_api")
    (span,) = telemetry.spans()
    assert span.name == "count_tokens claude-3-5-haiku-20241022"
    assert telemetry.attributes() == {
        **target_attributes("count_tokens", "anthropic", wire, model="claude-3-5-haiku-20241022"),
        "llm.request.messages_count": 2,
        "llm.request.messages.system_count": 1,
        "llm.request.messages.user_count": 1,
        "llm.request.content_length": len("Be brief.Hi."),
        "llm.request.modalities": ("text",),
        "llm.request.tools_count": 1,
        "gen_ai.response.model": "claude-3-5-haiku-20241022",
        "llm.response.model": "claude-3-5-haiku-20241022",
        "llm.response.tokens_counted": counted.total_tokens,
        "llm.response.tokenizer": tokenizer,
    }


def test_every_function_is_wrapped_once() -> None:
    """A function that later releases decorate is traced once, there: its row is for the releases before."""
    rows = [seam for seam in PATCH_POINTS if seam.wrapper.endswith("trace_undecorated")]
    functions = {seam.name: getattr(sys.modules[seam.module], seam.name, None) for seam in rows}
    layers = {name: list(ours_of(function)) for name, function in functions.items() if function is not None}
    assert {name: len(ours) for name, ours in layers.items()} == dict.fromkeys(layers, 1)
    assert layers.keys() >= UNDECORATED.keys()


def ours_of(function: Any) -> Iterator[object]:  # noqa: ANN401 - functions are told by what they wrap
    """The functions of ours that one is wrapped in."""
    while function is not None:
        if function.__code__.co_filename == traced_functions.__file__:
            yield function
        function = wrapping._originals.get(function)


def test_what_was_imported_before_is_one_span_too(
    caller: Caller,
    wire: WireProvider,
    openai: Parameters,
    telemetry: Recorder,
    instrumented_with: Callable[[Recorder], AbstractContextManager[Recorder]],
) -> None:
    """Instrumented late, functions that are decorated and functions that are not make one span each."""
    wire.reply("/cancel", Reply(body=BATCH))
    wire.reply("/batch_1", Reply(body=BATCH))
    with instrumented_with(Recorder()) as late:
        caller.call(litellm, "cancel_batch", batch_id="batch_1", **openai)
        caller.call(litellm, "retrieve_batch", batch_id="batch_1", **openai)
        assert [span.name for span in late.spans()] == ["cancel_batch", "retrieve_batch"]
    caller.call(litellm, "cancel_batch", batch_id="batch_1", **openai)
    assert [span.name for span in telemetry.spans()] == ["cancel_batch"]


# --- an assistant's run that streams ----------------------------------------------------------------------


STREAMED_RUN = [
    f"event: {name}\ndata: {json.dumps(data) if isinstance(data, dict) else data}\n\n".encode()
    for name, data in [
        ("thread.run.created", {**RUN, "status": "queued"}),
        ("thread.run.completed", RUN),
        ("done", "[DONE]"),
    ]
]
TOLD_OF_RUN: Attributes = {
    "gen_ai.request.stream": True,
    "llm.request.stream": True,
    **ASKING_ASSISTANT,
}


def run_sync(parameters: Parameters) -> None:
    with litellm.run_thread_stream(**parameters) as run:
        run.until_done()


def run_async(parameters: Parameters) -> None:
    async def scenario() -> None:
        async with litellm.arun_thread_stream(**parameters) as run:
            await run.until_done()

    asyncio.run(scenario())


@pytest.mark.parametrize("run", [run_sync, run_async])
def test_a_streamed_run_lasts_until_it_is_left(
    wire: WireProvider, openai: Parameters, telemetry: Recorder, run: Callable[[Parameters], None]
) -> None:
    """An assistant's run that streams is sent when it is entered, and is over when it is left."""
    wire.reply("/runs", Reply(pieces=STREAMED_RUN, delay=0.02))
    run({**RUN_IDS, **openai})
    (exchange,) = wire.ledger
    (span,) = telemetry.spans()
    assert span.name == "run_thread"
    assert telemetry.attributes() == {**target_attributes("run_thread", "openai", wire), **TOLD_OF_RUN}
    assert span.end_time is not None
    assert span.start_time is not None
    assert (span.end_time - span.start_time) / 1e9 >= exchange.piece_times[-1] - exchange.piece_times[0]


@pytest.mark.parametrize("run", [run_sync, run_async])
def test_a_streamed_run_fails_where_it_is_entered(
    wire: WireProvider, openai: Parameters, telemetry: Recorder, run: Callable[[Parameters], None]
) -> None:
    """A refusal of a run that streams comes when it is entered, and is the call's."""
    wire.reply("/runs", Reply(status=429, body={"error": {"message": "slow down"}}))
    with pytest.raises(Exception, match="slow down"):
        run({**RUN_IDS, **openai})
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["llm.error.category"] == "rate_limit"


def test_a_streamed_run_that_is_not_entered_ends(openai: Parameters, telemetry: Recorder) -> None:
    """A run that the app does not enter is over when it is forgotten."""
    run = litellm.run_thread_stream(**RUN_IDS, **openai)
    assert issubclass(type(run), TracedStream)
    assert isinstance(run, litellm.assistants.main.AssistantStreamManager)
    assert telemetry.spans() == []
    del run
    gc.collect()
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.UNSET


# --- a coroutine from a synchronous function --------------------------------------------------------------


def promised(openai: Parameters) -> CoroutineType[object, object, object]:
    """What a synchronous function gives to its asynchronous twin, or to whoever says that they are that."""
    coroutine: object = litellm.get_assistants(aget_assistants=True, **openai)
    assert isinstance(coroutine, CoroutineType)
    return coroutine


def test_a_coroutine_that_nobody_awaits_is_abandoned(
    wire: WireProvider, openai: Parameters, telemetry: Recorder
) -> None:
    """The span of a call that the app does not go on with ends when that is certain, dated back, and is no failure."""
    coroutine = promised(openai)
    assert telemetry.spans() == []
    sleep(0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it was never awaited
        del coroutine
        gc.collect()
    (span,) = telemetry.spans()
    assert (span.name, span.status.status_code) == ("get_assistants", StatusCode.UNSET)
    assert seconds(span) < 0.05
    assert telemetry.attributes() == {**target_attributes("get_assistants", "openai", wire)}
    assert wire.ledger == []


def test_a_coroutine_that_is_awaited_is_not_abandoned(
    wire: WireProvider, openai: Parameters, telemetry: Recorder
) -> None:
    """A coroutine that has done its part is gone, too: the call ends as it went."""
    wire.reply("/assistants", Reply(body=listed(ASSISTANT)))

    async def scenario() -> None:
        coroutine = promised(openai)
        await coroutine
        del coroutine
        gc.collect()

    asyncio.run(scenario())
    assert telemetry.attributes() == {**target_attributes("get_assistants", "openai", wire), **ENTRIES}


def test_a_stream_from_a_coroutine_outlives_it(telemetry: Recorder) -> None:
    """A stream that was awaited goes on when the coroutine that gave it is gone."""

    async def streaming() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def later() -> AsyncIterator[int]:
        return streaming()

    def promise() -> object:
        return later()

    async def scenario() -> list[int]:
        coroutine = TRACING.trace(promise)()
        assert isinstance(coroutine, CoroutineType)
        stream: AsyncIterator[int] = await coroutine
        del coroutine
        gc.collect()
        assert telemetry.spans() == []
        return [chunk async for chunk in stream]

    assert asyncio.run(scenario()) == [1, 2]
    assert telemetry.attributes()["llm.response.stream_outcome"] == "completed"


AT_EXIT = """
import sys
from agentops_otel_litellm.telemetry import Telemetry
from agentops_otel_litellm.patching.traced_functions import Tracing
from agentops_otel_litellm.semconv import VOCABULARIES
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.name + "\\n")))
telemetry = Telemetry(list(VOCABULARIES.values()), tracer_provider=provider)

async def later():
    pass

def get_file():
    return later()

kept = Tracing(telemetry).trace(get_file)()
kept.close()
"""


def test_a_coroutine_that_is_kept_ends_at_exit() -> None:
    """What the app still holds when the process exits is over, too."""
    program = [sys.executable, "-W", "ignore", "-c", AT_EXIT]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == ["get_file"]
