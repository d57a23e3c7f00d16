"""Realtime sessions: LiteLLM's part between an app's socket and a provider's, as the proxy has it play."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from http import HTTPStatus
from typing import Any

import litellm
import pytest
import websockets
from litellm.integrations.custom_logger import CustomLogger
from opentelemetry.trace import SpanKind, StatusCode
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from support.apps import CALL_ID
from support.expected import cost_attributes, target_attributes
from support.media import CANARY
from support.realtime import CREATED, MODEL, SESSION, ClientSocket, identity, run_session, session
from support.recorder import Attributes, Recorder
from support.servers.wire import Reply, WireProvider

PARTS = frozenset({"agentops.cost.input", "agentops.cost.output", "agentops.cost.price_map"})


def turn(number: int) -> dict[str, object]:
    """A response's end, with its usage."""
    return {
        "type": "response.done",
        "event_id": f"done{number}",
        "response": {
            "id": f"resp_{number}",
            "status": "completed",
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": CANARY}]}],
            "usage": {
                "total_tokens": 30 * number,
                "input_tokens": 20 * number,
                "output_tokens": 10 * number,
                "input_token_details": {
                    "text_tokens": 12 * number,
                    "audio_tokens": 8 * number,
                    "cached_tokens": 4 * number,
                },
                "output_token_details": {"text_tokens": 3 * number, "audio_tokens": 7 * number},
            },
        },
    }


TOKENS: Attributes = {
    "gen_ai.usage.input_tokens": 60,
    "gen_ai.usage.output_tokens": 30,
    "gen_ai.usage.cache_read.input_tokens": 12,
    "gen_ai.usage.text.input_tokens": 36,
    "gen_ai.usage.audio.input_tokens": 24,
    "gen_ai.usage.text.output_tokens": 9,
    "gen_ai.usage.audio.output_tokens": 21,
    "llm.usage.prompt_tokens": 60,
    "llm.usage.completion_tokens": 30,
    "llm.usage.total_tokens": 90,
    "llm.usage.cached_tokens": 12,
}
"""The sum over a first and a second turn."""


async def answering(connection: ServerConnection) -> None:
    """A provider that answers each time it is asked."""
    await connection.send(json.dumps(CREATED))
    number = 0
    async for _ in connection:
        number += 1
        await connection.send(json.dumps({"type": "response.output_text.delta", "delta": CANARY}))
        await connection.send(json.dumps(turn(number)))


def answered(turns: int) -> Attributes:
    return {
        "gen_ai.response.id": "sess_1",
        "gen_ai.response.model": "gpt-realtime-2025-08-28",
        "llm.response.id": "sess_1",
        "llm.response.model": "gpt-realtime-2025-08-28",
        "llm.response.turns_count": turns,
    }


@pytest.fixture
def callbacks() -> Iterator[list[Any]]:
    """LiteLLM's callbacks: it enters what it finds there into several lists of its own."""
    lists = [
        value
        for name, value in vars(litellm).items()
        if name.endswith(("callback", "callbacks")) and type(value) is list
    ]
    before = [list(each) for each in lists]
    yield litellm.callbacks
    for each, entries in zip(lists, before, strict=True):
        each[:] = entries


def test_a_session_is_one_span_from_its_start_to_its_end(telemetry: Recorder) -> None:
    """A session has the sum of what its turns used, LiteLLM's price of that, and who hung up."""
    socket, port = run_session(lambda: ClientSocket(leaves_after=2), answering)
    assert [message["type"] for message in socket.received] == [
        "session.created",
        "response.output_text.delta",
        "response.done",
        "response.output_text.delta",
        "response.done",
    ]
    (span,) = telemetry.spans()
    assert (span.name, span.kind) == ("realtime gpt-realtime", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert [event.name for event in span.events] == ["litellm.attempt"]
    attributes = telemetry.attributes()
    cost = attributes["agentops.cost.total"]
    assert isinstance(cost, float)
    assert cost > 0
    told = {name: each for name, each in attributes.items() if name in PARTS}
    sides = [each for each in told.values() if isinstance(each, float)]
    assert not told or sum(sides) == pytest.approx(cost, rel=0, abs=1e-12)
    assert attributes == {
        **identity(port),
        **answered(2),
        "llm.response.closed_by": "client",
        **TOKENS,
        **cost_attributes(cost),
        **told,
    }
    assert CANARY not in telemetry.everything()


def test_the_price_of_a_session_is_litellms(callbacks: list[Any], telemetry: Recorder) -> None:
    """It is what LiteLLM itself logs, in the background, once the session is over."""
    background = pytest.importorskip("litellm.litellm_core_utils.logging_worker", reason="this LiteLLM logs at once")

    class Prices(CustomLogger):
        logged: list[object]

        async def async_log_success_event(self, kwargs: dict[str, object], *_: object, **__: object) -> None:
            self.logged.append(kwargs["response_cost"])

    async def scenario() -> None:
        async with serve(answering, "127.0.0.1", 0) as server:
            await session(ClientSocket(leaves_after=2), server)
            await background.GLOBAL_LOGGING_WORKER.flush()

    prices = Prices()
    prices.logged = []
    callbacks.append(prices)
    asyncio.run(scenario())
    assert prices.logged == [telemetry.attributes()["gen_ai.usage.cost.amount"]]


@pytest.mark.parametrize("code", [1000, 1001])
def test_a_session_that_the_provider_ends(code: int, telemetry: Recorder) -> None:
    """A provider that says goodbye ended the session well; its code is told."""

    async def leaving(connection: ServerConnection) -> None:
        await connection.send(json.dumps(CREATED))
        await connection.recv()
        await connection.send(json.dumps(turn(1)))
        await connection.close(code, f"Bye, {CANARY}")

    socket, port = run_session(ClientSocket, leaving)
    assert socket.closed_with is not None
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.UNSET
    attributes = telemetry.attributes()
    money_and_tokens = ("gen_ai.usage.", "llm.usage.", "agentops.cost.")
    rest = {name: value for name, value in attributes.items() if not name.startswith(money_and_tokens)}
    assert rest == {
        **identity(port),
        **answered(1),
        "llm.response.closed_by": "provider",
        "llm.response.close_code": code,
    }
    assert attributes["gen_ai.usage.input_tokens"] == 20
    assert CANARY not in telemetry.everything()


def test_a_session_that_breaks_off(telemetry: Recorder) -> None:
    """A provider that closes the session with an error makes it a failure, which keeps what was used until then."""

    async def failing(connection: ServerConnection) -> None:
        await connection.send(json.dumps(CREATED))
        await connection.recv()
        await connection.send(json.dumps(turn(1)))
        await connection.close(1011, f"Out of {CANARY}")

    socket, _ = run_session(ClientSocket, failing)
    assert socket.closed_with == 1011
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert attributes["llm.response.close_code"] == 1011
    assert attributes["llm.error.category"] == "stream_interrupted"
    assert attributes["error.type"] == "ConnectionClosedError"
    assert attributes["gen_ai.usage.input_tokens"] == 20
    assert CANARY not in telemetry.everything()


@pytest.mark.filterwarnings("ignore:websockets.* deprecated:DeprecationWarning")  # that LiteLLM uses it
@pytest.mark.parametrize("model", [MODEL, "gemini/gemini-2.0-flash-live-001"])
def test_a_session_that_is_refused_whichever_way_litellm_connects(model: str, telemetry: Recorder) -> None:
    """Some of LiteLLM's providers enter the connection, others await it."""

    def refuse(connection: ServerConnection, _request: Request) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, f"No, {CANARY}\n")

    async def scenario() -> None:
        async with serve(answering, "127.0.0.1", 0, process_request=refuse) as server:
            await session(ClientSocket(), server, model=model)

    asyncio.run(scenario())
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["llm.error.status_code"] == 403


@pytest.mark.parametrize(("status", "category"), [(401, "auth"), (429, "rate_limit"), (503, "server_error")])
def test_a_session_that_is_refused(status: int, category: str, telemetry: Recorder) -> None:
    """LiteLLM tells only the app's socket that the provider refused; the span says what kind of refusal it was."""

    def refuse(connection: ServerConnection, _request: Request) -> Response:
        return connection.respond(HTTPStatus(status), f"No, {CANARY}\n")

    socket, port = run_session(ClientSocket, answering, process_request=refuse)
    assert socket.closed_with not in {None, 1000}
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes() == {
        **identity(port),
        "error.type": "InvalidStatus",
        "llm.error.type": "InvalidStatus",
        "llm.error.status_code": status,
        "llm.error.category": category,
        "llm.error.retryable": category != "auth",
        "llm.error.provider": "openai",
        "llm.error.message": span.status.description,
    }
    assert len(span.events) == 1
    assert CANARY not in telemetry.everything()


def test_a_provider_that_cannot_be_reached(telemetry: Recorder) -> None:
    """LiteLLM keeps that to itself as well."""

    async def scenario() -> None:
        await litellm._arealtime(
            model=MODEL, websocket=ClientSocket(), api_base="http://127.0.0.1:9", api_key="sk-test"
        )

    asyncio.run(scenario())
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["llm.error.category"] == "connection"


def test_a_url_that_is_none(telemetry: Recorder) -> None:
    """A session that LiteLLM cannot even try to connect is a failure, although nothing is raised."""

    async def scenario() -> None:
        await litellm._arealtime(
            model="azure/gpt-realtime",
            websocket=ClientSocket(),
            api_base="http://127.0.0.1:9",
            api_key="sk-test",
            api_version="2024-10-01-preview",
        )

    asyncio.run(scenario())
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["error.type"] == "InvalidURI"  # Azure's is taken as it is


def test_a_session_that_the_proxy_cancels(telemetry: Recorder) -> None:
    """A cancelled session ends its span, with what was used until then."""

    async def scenario() -> None:
        socket = ClientSocket()
        answered_once = asyncio.Event()

        async def once(connection: ServerConnection) -> None:
            await connection.send(json.dumps(CREATED))
            await connection.recv()
            await connection.send(json.dumps(turn(1)))
            await connection.recv()  # the app asks again: it has the first answer
            answered_once.set()
            await connection.wait_closed()

        async with serve(once, "127.0.0.1", 0) as server:
            task = asyncio.create_task(session(socket, server))
            await answered_once.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert attributes["llm.error.category"] == "cancelled"
    assert attributes["gen_ai.usage.input_tokens"] == 20


@pytest.mark.filterwarnings("ignore:websockets.* deprecated:DeprecationWarning")  # that LiteLLM uses it
def test_a_provider_with_a_protocol_of_its_own(telemetry: Recorder) -> None:
    """Of Gemini's sessions LiteLLM makes OpenAI's; what Gemini counted is told."""
    counted = {
        "promptTokenCount": 20,
        "responseTokenCount": 10,
        "totalTokenCount": 30,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
        "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
    }

    async def gemini(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(json.dumps({"setupComplete": {}}))
        await connection.recv()
        for content in (
            {"modelTurn": {"role": "model", "parts": [{"text": CANARY}]}},
            {"generationComplete": True},
        ):
            await connection.send(json.dumps({"serverContent": content}))
        await connection.send(json.dumps({"serverContent": {"turnComplete": True}, "usageMetadata": counted}))
        await connection.wait_closed()

    async def scenario() -> None:
        async with serve(gemini, "127.0.0.1", 0) as server:
            await session(ClientSocket(leaves_after=1), server, model="gemini/gemini-2.0-flash-live-001")

    asyncio.run(scenario())
    (span,) = telemetry.spans()
    assert (span.name, span.status.status_code) == ("realtime gemini-2.0-flash-live-001", StatusCode.UNSET)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.provider.name"] == "gcp.gemini"
    assert attributes["llm.response.turns_count"] == 1
    assert attributes["gen_ai.usage.input_tokens"] == 20
    assert attributes["gen_ai.usage.output_tokens"] == 10
    assert CANARY not in telemetry.everything()


def test_a_session_that_only_transcribes(telemetry: Recorder) -> None:
    """Its usage is that of the transcripts: there are no responses."""
    created = {"type": "session.created", "session": {"id": "sess_2", "type": "transcription", "model": "whisper"}}
    heard = {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "i1",
        "transcript": CANARY,
        "usage": {"type": "duration", "seconds": 2.5},
    }

    async def listening(connection: ServerConnection) -> None:
        await connection.send(json.dumps(created))
        await connection.send(json.dumps(heard))
        await connection.send(json.dumps(heard))
        await connection.close()

    run_session(ClientSocket, listening)
    attributes = telemetry.attributes()
    assert attributes["llm.usage.audio_seconds"] == 5.0
    assert attributes["llm.response.turns_count"] == 0
    assert "gen_ai.usage.input_tokens" not in attributes
    assert CANARY not in telemetry.everything()


def test_other_connections_of_the_apps_are_its_own(
    callbacks: list[Any], wire: WireProvider, telemetry: Recorder
) -> None:
    """A connection that fails within another operation, in a callback say, is no failure of that operation's."""
    wire.reply("/moderations", Reply(body={"id": "m", "model": "m", "results": []}))

    async def connect() -> None:
        with pytest.raises(OSError, match=r"."):
            async with websockets.connect("ws://127.0.0.1:9"):
                pass

    class Connecting(CustomLogger):
        connected = False

        def log_pre_api_call(self, *_args: object, **_kwargs: object) -> None:
            with ThreadPoolExecutor() as threads:
                threads.submit(copy_context().run, asyncio.run, connect()).result()
            self.connected = True

    async def scenario() -> None:
        await litellm.amoderation(
            "Hello", "omni-moderation-latest", api_base=f"{wire.url}/v1", api_key="sk-test", litellm_call_id=CALL_ID
        )

    logger = Connecting()
    callbacks.append(logger)
    asyncio.run(scenario())
    assert logger.connected
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.UNSET


# --- letting an app's own client in to a session ----------------------------------------------------------------


KEY = {"value": CANARY, "expires_at": 1}
# LiteLLM's function → its parameters, the end of the path it asks, the answer, and what the span says of them.
ADMISSIONS: dict[str, tuple[dict[str, Any], str, Reply, Attributes]] = {
    "create_realtime_client_secret": (
        {
            "session": {
                "type": "realtime",
                "model": "gpt-realtime",
                "instructions": f"Say {CANARY}.",
                "tools": [{"type": "function", "name": CANARY}],
            },
        },
        "/client_secrets",
        Reply(body={**KEY, "session": SESSION}),
        {
            "llm.request.model": "gpt-realtime",
            "llm.request.tools_count": 1,
            "llm.request.content_length": len(f"Say {CANARY}."),
            "gen_ai.request.model": "gpt-realtime",
            "gen_ai.response.id": "sess_1",
            "gen_ai.response.model": "gpt-realtime-2025-08-28",
            "llm.response.id": "sess_1",
            "llm.response.model": "gpt-realtime-2025-08-28",
        },
    ),
    "create_realtime_transcription_session": (
        {"transcription_session": {"input_audio_transcription": {"model": "whisper-1", "prompt": CANARY}}},
        "/transcription_sessions",
        Reply(body={"id": "sess_2", "client_secret": KEY, "input_audio_transcription": {"model": "whisper-1"}}),
        {
            "llm.request.model": "whisper-1",
            "gen_ai.request.model": "whisper-1",
            "gen_ai.response.id": "sess_2",
            "gen_ai.response.model": "whisper-1",
            "llm.response.id": "sess_2",
            "llm.response.model": "whisper-1",
        },
    ),
    "realtime_calls": (
        {"model": "openai/gpt-realtime", "openai_ephemeral_key": CANARY, "sdp_body": f"v=0 {CANARY}".encode()},
        "/realtime/calls",
        Reply(
            body=f"v=0 {CANARY}".encode(),
            status=201,
            headers={"location": "/v1/realtime/calls/rtc_1", "content-type": "application/sdp"},
        ),
        {
            "llm.request.model": "openai/gpt-realtime",
            "gen_ai.request.model": "gpt-realtime",
            "gen_ai.response.id": "rtc_1",
            "llm.response.id": "rtc_1",
        },
    ),
}


@pytest.mark.parametrize("function", ADMISSIONS)
def test_how_a_client_is_let_in_is_told_without_the_key(wire: WireProvider, telemetry: Recorder, function: str) -> None:
    """What an app asks for its own client has the session's or the call's id and model, and never the secret."""
    parameters, path_end, reply, told = ADMISSIONS[function]
    wire.reply(path_end, reply)
    result = asyncio.run(
        getattr(litellm, f"a{function}")(**parameters, api_key="sk-test", api_base=wire.url, litellm_call_id=CALL_ID)
    )
    assert CANARY in result.text
    (span,) = telemetry.spans()
    assert (span.name.partition(" ")[0], span.kind) == (function, SpanKind.CLIENT)
    assert telemetry.attributes() == {
        **target_attributes(function, "openai", wire, call_type=f"a{function}"),
        **told,
        "llm.response.http_status": reply.status,
        "llm.response.size": len(result.content),
    }
    assert CANARY not in telemetry.everything()


@pytest.mark.parametrize("function", ADMISSIONS)
def test_a_client_that_is_not_let_in(wire: WireProvider, telemetry: Recorder, function: str) -> None:
    """Where the provider refuses, the call's one span has failed and says why."""
    wire.reply("", Reply(status=401, body={"error": {"message": CANARY}}))
    with pytest.raises(Exception, match=CANARY):
        asyncio.run(getattr(litellm, f"a{function}")(**ADMISSIONS[function][0], api_key="sk-test", api_base=wire.url))
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["llm.error.category"] == "auth"
    assert CANARY not in telemetry.everything()
