"""The Responses API over a socket, as the proxy has LiteLLM play it between an app's socket and a provider's."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from http import HTTPStatus
from ipaddress import IPv4Address
from typing import Any

import litellm
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from opentelemetry.trace import SpanKind, StatusCode
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from support.apps import CALL_ID
from support.expected import cost_attributes
from support.media import CANARY
from support.realtime import Provider, identity
from support.recorder import Attributes, Recorder
from support.servers.wire import WireProvider
from support.wire_formats import CACHE_READ, INPUT, OUTPUT, REASONING, TEXT, response, stream_everywhere

streaming = pytest.importorskip("litellm.responses.streaming_iterator")
pytestmark = pytest.mark.skipif(
    not hasattr(streaming, "ResponsesWebSocketStreaming"), reason="this LiteLLM has no such socket"
)

MODEL = "openai/gpt-4o"
ASKED = json.dumps({"type": "response.create", "input": f"Say {CANARY}."})


class ClientSocket:
    """The part of the proxy's socket that LiteLLM uses: an app that asks so many times, and waits for each answer."""

    def __init__(self, asks: int) -> None:
        self.scope: dict[str, object] = {"headers": []}
        self.received: list[dict[str, Any]] = []
        self.closed_with: int | None = None
        self._asks = asks
        self._answered = asyncio.Event()
        self._answered.set()

    async def send_text(self, data: str) -> None:
        self.received.append(json.loads(data))
        if self.received[-1]["type"] in {"response.completed", "response.failed"}:
            self._answered.set()

    async def receive_text(self) -> str:
        await asyncio.wait_for(self._answered.wait(), 5)
        self._answered.clear()
        self._asks -= 1
        if self._asks < 0:
            raise ConnectionError("the client hung up")
        return ASKED

    async def accept(self) -> None:
        pass

    async def close(self, code: int = 1000, reason: str | None = None) -> None:  # noqa: ARG002 - as LiteLLM calls it
        self.closed_with = code


Play = Callable[..., tuple[ClientSocket, int]]


async def answering(connection: ServerConnection) -> None:
    """A provider that answers each time it is asked."""
    async for _ in connection:
        await connection.send(json.dumps({"type": "response.created", "response": response(output=[], usage=None)}))
        await connection.send(json.dumps({"type": "response.output_text.delta", "delta": CANARY}))
        await connection.send(json.dumps({"type": "response.completed", "response": response()}))


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """What the provider proves itself with: LiteLLM has no such sessions in the clear."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM asks for no proof, as with `ssl_verify=False`."""
    monkeypatch.setattr("litellm.llms.custom_httpx.http_handler._shared_realtime_ssl_context", False)


@pytest.fixture
def play(certified: ssl.SSLContext) -> Play:
    """Plays sessions."""
    return partial(_play, ssl=certified)


def _play(asks: int, provider: Provider, **options: Any) -> tuple[ClientSocket, int]:  # noqa: ANN401 - the server's
    """A whole session; the port of the provider."""

    async def scenario() -> tuple[ClientSocket, int]:
        socket = ClientSocket(asks)
        async with serve(provider, "127.0.0.1", 0, **options) as server:
            port: int = server.sockets[0].getsockname()[1]
            await litellm._aresponses_websocket(
                model=MODEL,
                websocket=socket,
                api_base=f"https://127.0.0.1:{port}/v1",
                api_key="sk-test",
                litellm_call_id=CALL_ID,
            )
            return socket, port

    return asyncio.run(scenario())


def used(turns: int) -> Attributes:
    """What so many equal answers used."""
    return {
        "gen_ai.usage.input_tokens": INPUT * turns,
        "gen_ai.usage.output_tokens": OUTPUT * turns,
        "gen_ai.usage.cache_read.input_tokens": CACHE_READ * turns,
        "gen_ai.usage.reasoning.output_tokens": REASONING * turns,
        "llm.usage.prompt_tokens": INPUT * turns,
        "llm.usage.completion_tokens": OUTPUT * turns,
        "llm.usage.total_tokens": (INPUT + OUTPUT) * turns,
        "llm.usage.cached_tokens": CACHE_READ * turns,
        "llm.usage.reasoning_tokens": REASONING * turns,
    }


def cost(turns: int) -> float:
    """By LiteLLM's prices."""
    names = ("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token")
    fresh, cached, written = (litellm.model_cost["gpt-4o"][name] for name in names)
    one: float = (INPUT - CACHE_READ) * fresh + CACHE_READ * cached + OUTPUT * written
    return one * turns


def test_a_session_of_responses_is_one_span(play: Play, telemetry: Recorder) -> None:
    """A session has the sum of what its responses used and cost, and who hung up; the turns are no attempts."""
    socket, port = play(2, answering)
    assert len(socket.received) == 6
    (span,) = telemetry.spans()
    assert (span.name, span.kind) == ("responses_websocket gpt-4o", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert [event.name for event in span.events] == ["litellm.attempt"]
    attributes = telemetry.attributes()
    paid = attributes["agentops.cost.total"]
    assert isinstance(paid, float)
    assert paid == pytest.approx(cost(2), rel=1e-12)
    assert attributes == {
        **identity(port, "responses_websocket", "_aresponses_websocket", "gpt-4o"),
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "llm.response.model": "gpt-4o-2024-08-06",
        "llm.response.turns_count": 2,
        "llm.response.closed_by": "client",
        **used(2),
        **cost_attributes(
            paid, "gpt-4o", input=2 * INPUT, cache_read=2 * CACHE_READ, output=2 * OUTPUT, reasoning=2 * REASONING
        ),
    }
    assert CANARY not in telemetry.everything()


def test_a_session_of_responses_that_the_provider_breaks_off(play: Play, telemetry: Recorder) -> None:
    """A provider that closes the session with an error makes it a failure, which keeps what was used until then."""

    async def failing(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(json.dumps({"type": "response.completed", "response": response()}))
        await connection.close(1011, f"Out of {CANARY}")

    play(3, failing)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert attributes["llm.response.closed_by"] == "provider"
    assert attributes["llm.response.close_code"] == 1011
    assert attributes["llm.error.category"] == "stream_interrupted"
    assert {name: attributes[name] for name in used(1)} == used(1)
    assert CANARY not in telemetry.everything()


def test_a_response_that_fails_in_a_session(play: Play, telemetry: Recorder) -> None:
    """What the provider fails with LiteLLM gives back, and does not raise."""

    async def failing(connection: ServerConnection) -> None:
        async for _ in connection:
            error = {"code": "rate_limit_exceeded", "message": CANARY}
            failed = response(status="failed", output=[], usage=None, error=error)
            await connection.send(json.dumps({"type": "response.failed", "response": failed}))

    play(1, failing)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert attributes["error.type"] == "RateLimitError"
    assert attributes["llm.error.category"] == "rate_limit"
    assert CANARY not in telemetry.everything()


def test_a_session_of_responses_that_is_refused(play: Play, telemetry: Recorder) -> None:
    """LiteLLM tells only the app's socket that the provider refused."""

    def refuse(connection: ServerConnection, _request: Request) -> Response:
        return connection.respond(HTTPStatus.UNAUTHORIZED, f"No, {CANARY}\n")

    socket, _ = play(1, answering, process_request=refuse)
    assert socket.closed_with not in {None, 1000}
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["llm.error.category"] == "auth"
    assert CANARY not in telemetry.everything()


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
def test_responses_that_litellm_asks_for_itself_are_counted_once(wire: WireProvider, telemetry: Recorder) -> None:
    """Where the provider has no such socket, each response is a call beneath the session, and what it used is its."""
    stream_everywhere(wire)

    async def scenario() -> ClientSocket:
        socket = ClientSocket(1)
        await litellm._aresponses_websocket(
            model="groq/a-model", websocket=socket, api_base=wire.url, api_key="sk-test", litellm_call_id=CALL_ID
        )
        return socket

    socket = asyncio.run(scenario())
    assert [each["delta"] for each in socket.received if each["type"] == "response.output_text.delta"]
    chat, session = telemetry.spans()
    assert (chat.name, session.name) == ("chat a-model", "responses_websocket a-model")
    assert session.context is not None
    assert chat.parent is not None
    assert chat.parent.span_id == session.context.span_id
    assert (chat.attributes or {})["gen_ai.usage.input_tokens"] == INPUT
    assert [name for name in session.attributes or {} if "usage" in name or "cost" in name] == []
    assert len(wire.ledger) == 1
    assert TEXT not in telemetry.everything()
