"""What LiteLLM does in Rust: one span, whichever way its dispatcher chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from types import ModuleType
from typing import Any

import litellm
import pytest
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.operations import operation_named
from support.apps import CALL_ID, MESSAGES, Caller
from support.expected import cost_attributes, target_attributes
from support.instrumented import Reinstrument
from support.recorder import Attributes, Recorder
from support.servers.wire import Reply, WireProvider, events

pytest.importorskip("litellm.rust_bridge.dispatch", reason="this LiteLLM has no Rust")

Parameters = dict[str, Any]

SECRET = "https://example.com/confidential.pdf"
PAGES = {
    "pages": [{"index": 0, "markdown": "One."}, {"index": 1, "markdown": "Two."}],
    "model": "mistral-ocr-latest",
    "usage_info": {"pages_processed": 2, "doc_size_bytes": 1234},
}


@pytest.fixture
def reading(wire: WireProvider) -> Parameters:
    """A document to read, and whom to ask for it."""
    return {
        "model": "mistral/mistral-ocr-latest",
        "document": {"type": "document_url", "document_url": SECRET},
        "api_key": "sk-test",
        "api_base": f"{wire.url}/v1",
        "litellm_call_id": CALL_ID,
    }


# What is asked for beyond the document → what the span says of it.
ASKED: dict[str, tuple[Parameters, Attributes]] = {
    "all": ({}, {}),
    "some pages": ({"pages": [0, 1]}, {"llm.request.pages_count": 2}),
}


@pytest.mark.parametrize("case", ASKED)
def test_reading_a_document_is_described_in_full(
    caller: Caller, wire: WireProvider, telemetry: Recorder, reading: Parameters, case: str
) -> None:
    """Reading a document has its kind, its pages and size, and its price by the page; its address is in none of it."""
    asked, told = ASKED[case]
    wire.reply("/ocr", Reply(body=PAGES))
    result: Any = caller.call(litellm, "ocr", **reading, **asked)
    assert type(result).__name__ == "OCRResponse"
    assert len(wire.ledger) == 1
    (span,) = telemetry.spans()
    assert (span.name, [event.name for event in span.events]) == ("ocr mistral-ocr-latest", ["litellm.attempt"])
    assert telemetry.attributes() == {
        **target_attributes("ocr", "mistral", wire, model="mistral-ocr-latest", call_type=caller.name("ocr")),
        "llm.request.document_kind": "document_url",
        **told,
        "gen_ai.response.model": "mistral-ocr-latest",
        "llm.response.model": "mistral-ocr-latest",
        "llm.response.results_count": 2,
        "llm.response.pages_count": 2,
        "llm.response.size": 1234,
        **cost_attributes(result._hidden_params["response_cost"]),
    }
    assert SECRET not in telemetry.everything()


def test_positional_arguments_are_read(
    caller: Caller, wire: WireProvider, telemetry: Recorder, reading: Parameters
) -> None:
    """Rust's functions take arguments by position, too."""
    wire.reply("/ocr", Reply(body=PAGES))
    model, document = reading.pop("model"), reading.pop("document")
    caller.call(litellm, "ocr", model, document, **reading)
    attributes = telemetry.attributes()
    assert (attributes["llm.request.model"], attributes["llm.request.document_kind"]) == (model, "document_url")


def test_pages_that_nobody_counted_have_no_price(wire: WireProvider, telemetry: Recorder, reading: Parameters) -> None:
    """Where the provider does not say how many pages it read, there is neither their number nor a price."""
    wire.reply("/ocr", Reply(body={**PAGES, "usage_info": None}))
    litellm.ocr(**reading)
    names = telemetry.attributes().keys()
    assert [name for name in names if "cost" in name or name == "llm.response.pages_count"] == []


# The provider's response, and the model → the status that a server has sent, and the category of the failure.
FAILURES: dict[str, tuple[Reply, str, int | None, str]] = {
    "refused": (Reply(status=401, body={"message": SECRET}), "mistral/mistral-ocr-latest", 401, "auth"),
    "failing": (Reply(status=503, body={"message": SECRET}), "mistral/mistral-ocr-latest", 503, "server_error"),
    "unsupported": (Reply(body=PAGES), "cohere/anything", None, "invalid_request"),  # LiteLLM sends no request
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_in_rust_is_told(
    caller: Caller, wire: WireProvider, telemetry: Recorder, reading: Parameters, case: str
) -> None:
    """A call that fails in Rust is one failed span, of LiteLLM's own exception, which reaches the app."""
    reply, model, status, category = FAILURES[case]
    wire.reply("/ocr", reply)
    with pytest.raises(litellm.exceptions.openai.APIError) as raised:
        caller.call(litellm, "ocr", **{**reading, "model": model})
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert attributes["error.type"] == type(raised.value).__name__
    assert (attributes.get("llm.error.status_code"), attributes["llm.error.category"]) == (status, category)
    assert SECRET not in telemetry.everything()


def test_what_was_imported_before_is_traced_in_rust(
    wire: WireProvider,
    telemetry: Recorder,
    reading: Parameters,
    instrumented_with: Callable[[Recorder], AbstractContextManager[Recorder]],
) -> None:
    """Instrumented late, Rust's functions are traced, and after that as they were."""
    wire.reply("/ocr", Reply(body=PAGES))
    with instrumented_with(Recorder()) as late:
        litellm.ocr(**reading)
        assert [span.name for span in late.spans()] == ["ocr mistral-ocr-latest"]
    litellm.ocr(**reading)
    assert [span.name for span in telemetry.spans()] == ["ocr mistral-ocr-latest"]


def test_suppression_is_honoured(wire: WireProvider, telemetry: Recorder, reading: Parameters) -> None:
    """Where instrumentation is suppressed, nothing of Rust's is seen either."""
    wire.reply("/ocr", Reply(body=PAGES))
    with suppress_instrumentation():
        litellm.ocr(**reading)
    assert (len(wire.ledger), telemetry.spans()) == (1, [])


# --- what is in Rust where the app wishes so --------------------------------------------------------------


MODEL = "claude-haiku-4-5-20251001"
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
PIECES = events(
    {
        "type": "message_start",
        "message": {
            **ANSWER,
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 11, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello!"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop"},
    names=True,
)
OPERATION = operation_named("anthropic_messages").name


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """LiteLLM's Messages, in Rust."""
    monkeypatch.setenv("LITELLM_RUST", "1")
    import litellm.messages

    return litellm.messages


@pytest.fixture
def asking(wire: WireProvider) -> Parameters:
    """A message, and whom to ask."""
    return {
        "model": f"anthropic/{MODEL}",
        "messages": MESSAGES[1:],
        "max_tokens": 9,
        "api_key": "sk-test",
        "api_base": wire.url,
        "litellm_call_id": CALL_ID,
    }


def message_sync(messages: ModuleType, parameters: Parameters) -> Any:  # noqa: ANN401 - whatever LiteLLM gives
    result = messages.anthropic_messages_handler(**parameters)
    return list(result) if parameters.get("stream") else result


def message_async(messages: ModuleType, parameters: Parameters) -> Any:  # noqa: ANN401 - whatever LiteLLM gives
    async def scenario() -> object:
        result = await messages.anthropic_messages(**parameters)
        return [chunk async for chunk in result] if parameters.get("stream") else result

    return asyncio.run(scenario())


Send = Callable[[ModuleType, Parameters], Any]


@pytest.fixture(params=[message_sync, message_async], ids=["plain", "awaited"])
def send(request: pytest.FixtureRequest) -> Send:
    """The message, in both styles."""
    chosen: Send = request.param
    return chosen


def told_of_asking(wire: WireProvider) -> Attributes:
    return target_attributes(OPERATION, "anthropic", wire, model=MODEL, call_type="anthropic_messages")


def test_a_message_in_rust_is_one_span(
    send: Send, messages: ModuleType, wire: WireProvider, telemetry: Recorder, asking: Parameters
) -> None:
    """A message that Rust sends has one span, and the provider's answer in it."""
    wire.reply("/messages", Reply(body=ANSWER))
    result = send(messages, asking)
    assert type(result) is dict
    assert result["_hidden_params"]["additional_headers"]["x-litellm-rust"] == "true"  # it was Rust
    (span,) = telemetry.spans()
    assert span.name == f"{OPERATION} {MODEL}"
    expected = {**told_of_asking(wire), "llm.response.id": "msg_1", "llm.response.model": MODEL}
    attributes = telemetry.attributes()
    assert {name: attributes.get(name) for name in expected} == expected


def test_a_stream_from_rust_is_seen_to_its_end(
    send: Send, messages: ModuleType, wire: WireProvider, telemetry: Recorder, asking: Parameters
) -> None:
    """A stream that Rust reads is one span until its last chunk, and the app gets all of them."""
    wire.reply("/messages", Reply(pieces=PIECES, delay=0.01))
    chunks = send(messages, {**asking, "stream": True})
    assert b"".join(chunks).count(b"event: ") == len(PIECES)
    (span,) = telemetry.spans()
    expected = {
        **told_of_asking(wire),
        "gen_ai.request.stream": True,
        "llm.response.is_streaming": True,
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
    }
    attributes = telemetry.attributes()
    assert {name: attributes.get(name) for name in expected} == expected
    assert span.status.status_code is StatusCode.UNSET


def rust_streams() -> ModuleType:
    """LiteLLM's module that has the classes of Rust's streams."""
    try:
        return import_module("litellm.rust_bridge.streams")
    except ImportError:  # newer releases have them elsewhere
        return import_module("litellm.rust_bridge.execution")


def test_a_synchronous_stream_of_rusts_is_what_it_was(
    messages: ModuleType, wire: WireProvider, telemetry: Recorder, asking: Parameters
) -> None:
    """A traced stream passes for Rust's own, and is over when it is closed."""
    wire.reply("/messages", Reply(pieces=PIECES, delay=0.01))
    stream = messages.anthropic_messages_handler(**asking, stream=True)
    assert isinstance(stream, rust_streams().SyncStream)
    next(stream)
    stream.close()
    assert telemetry.attributes()["llm.response.stream_outcome"] == "closed"


def test_an_asynchronous_stream_of_rusts_is_what_it_was(
    messages: ModuleType, wire: WireProvider, telemetry: Recorder, asking: Parameters
) -> None:
    """So does an asynchronous one."""
    streams = rust_streams()
    wire.reply("/messages", Reply(pieces=PIECES, delay=0.01))

    async def scenario() -> None:
        stream = await messages.anthropic_messages(**asking, stream=True)
        assert isinstance(stream, getattr(streams, "Stream", None) or streams.AsyncStream)
        await anext(stream)
        await stream.aclose()

    asyncio.run(scenario())
    assert telemetry.attributes()["llm.response.stream_outcome"] == "closed"


def test_a_refusal_in_rust_is_told(
    send: Send, messages: ModuleType, wire: WireProvider, telemetry: Recorder, asking: Parameters
) -> None:
    """Where the provider refuses what Rust sent, the one span has failed."""
    wire.reply("/messages", Reply(status=429, body={"type": "error", "error": {"type": "rate_limit_error"}}))
    with pytest.raises(litellm.RateLimitError):
        send(messages, asking)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["llm.error.category"] == "rate_limit"


@pytest.fixture
def declining(messages: ModuleType) -> Iterator[ModuleType]:
    """Rust as it is where it does not carry a call: which calls those are depends on the release."""
    from litellm.rust_bridge import _native
    from litellm.rust_bridge.messages.entrypoints import NATIVE_AMESSAGES

    async def decline(request: object) -> Any:  # noqa: ANN401, ARG001 - as Rust's
        raise _native.RustBridgeDeclined("not this one")

    NATIVE_AMESSAGES.override(decline)  # what LiteLLM has for tests
    yield messages
    NATIVE_AMESSAGES.reset()


def test_what_rust_declines_is_one_span(
    declining: ModuleType, wire: WireProvider, telemetry: Recorder, asking: Parameters
) -> None:
    """A call that Rust declines is that of the Python function, which LiteLLM calls instead."""
    wire.reply("/messages", Reply(body=ANSWER))
    result = message_async(declining, asking)
    assert result["id"] == "msg_1"
    (span,) = telemetry.spans()
    assert (span.parent, span.status.status_code) == (None, StatusCode.UNSET)
    assert telemetry.attributes()["litellm.call_id"] == CALL_ID


class Started(SpanProcessor):
    """Counts the spans that are started."""

    count = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - its own names
        self.count += 1


def test_what_rust_declines_leaves_no_span_open(
    declining: ModuleType, wire: WireProvider, instrumented_with: Reinstrument, asking: Parameters
) -> None:
    """The span that was started for Rust is the one that ends: samplers are asked once, and nothing stays open."""
    wire.reply("/messages", Reply(body=ANSWER))
    started = Started()
    with instrumented_with(Recorder(span_processors=[started])) as recorder:
        message_async(declining, asking)
        assert (started.count, len(recorder.spans())) == (1, 1)


def test_what_is_left_to_python_is_one_span(wire: WireProvider, telemetry: Recorder, asking: Parameters) -> None:
    """Where the app does not wish for Rust, the Python function is the call."""
    import litellm.messages

    wire.reply("/messages", Reply(body=ANSWER))
    message_async(litellm.messages, asking)
    assert len(telemetry.spans()) == 1


def test_the_dispatchers_are_what_they_were() -> None:
    """A dispatcher's asynchronous method is one, and both are known by their names."""
    import inspect

    from litellm.rust_bridge.dispatch import PublicDispatch

    assert inspect.iscoroutinefunction(PublicDispatch.arun)
    assert not inspect.iscoroutinefunction(PublicDispatch.run)
    assert (PublicDispatch.run.__name__, PublicDispatch.arun.__name__) == ("run", "arun")
