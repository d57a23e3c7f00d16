"""A provider of the app's own: whole answers, streams, embeddings and failures, and one that asks another provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast

import litellm
import pytest
from litellm import CustomLLM, GenericStreamingChunk
from litellm.llms.custom_llm import CustomLLMError
from opentelemetry.trace import SpanKind, StatusCode

from support import releases
from support.apps import CALL_ID, MESSAGES, App
from support.expected import CHAT_REQUEST, EMBEDDING_REQUEST, MODELS, STREAMED, without_timings
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider

PIECES = ("canary", "-answer")
COUNTED = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
ASKED: dict[str, object] = {"model": "parrot/grey", "messages": MESSAGES, "litellm_call_id": CALL_ID}
VECTORS = ([0.25, 0.5], [0.5, 0.25])


class Parrot(CustomLLM):
    """Says what it always says."""

    def __init__(self, usage: dict[str, int] | None = None, failure: Exception | None = None) -> None:
        super().__init__()
        self.usage, self.failure = usage, failure

    def completion(self, *_args: object, **kwargs: object) -> litellm.ModelResponse:
        response = kwargs["model_response"]
        assert isinstance(response, litellm.ModelResponse)
        if self.failure is not None:
            raise self.failure
        choice = litellm.Choices(message=litellm.Message(content="".join(PIECES)), finish_reason="length")
        response.choices, response.model = [choice], "grey-1"
        if self.usage is not None:
            response.usage = litellm.Usage(prompt_tokens=11, completion_tokens=7, total_tokens=18)  # type: ignore[attr-defined]  # LiteLLM sets it so
        return response

    async def acompletion(self, *args: object, **kwargs: object) -> litellm.ModelResponse:
        return self.completion(*args, **kwargs)

    def streaming(self, *_args: object, **_kwargs: object) -> Iterator[GenericStreamingChunk]:
        for piece in PIECES:
            yield self.chunk(piece)
            if self.failure is not None:
                raise self.failure
        yield self.chunk("", last=True)

    async def astreaming(self, *args: object, **kwargs: object) -> AsyncIterator[GenericStreamingChunk]:  # type: ignore[override]  # LiteLLM iterates what it calls
        for chunk in self.streaming(*args, **kwargs):
            yield chunk

    def chunk(self, text: str, *, last: bool = False) -> GenericStreamingChunk:
        return {
            "text": text,
            "tool_use": None,
            "is_finished": last,
            "finish_reason": "length" if last else "",
            "usage": self.usage if last else None,
            "index": 0,
        }

    def embedding(self, *_args: object, **kwargs: object) -> litellm.EmbeddingResponse:
        response = kwargs["model_response"]
        assert isinstance(response, litellm.EmbeddingResponse)
        data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(VECTORS)]
        response.data, response.model = data, "grey-1"
        response.usage = litellm.Usage(prompt_tokens=9, total_tokens=9)
        return response

    async def aembedding(self, *args: object, **kwargs: object) -> litellm.EmbeddingResponse:
        return self.embedding(*args, **kwargs)


Keep = Callable[[CustomLLM], None]


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Register a handler as the provider `parrot`."""

    def keep(handler: CustomLLM) -> None:
        monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "parrot", "custom_handler": handler}])

    return keep


def identity(app: App, operation: str, function: str) -> Attributes:
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "parrot",
        "gen_ai.request.model": "grey",
        "llm.request.model": "parrot/grey",
        "llm.vendor": "litellm",
        "llm.provider": "parrot",
        "litellm.provider": "parrot",
        "litellm.call_id": CALL_ID,
        "litellm.call_type": app.name(function),
    }


def answer(response_id: str, model: str) -> Attributes:
    return {
        "gen_ai.response.id": response_id,
        "gen_ai.response.model": model,
        "gen_ai.response.finish_reasons": ("length",),
        "llm.response.id": response_id,
        "llm.response.model": model,
        "llm.response.finish_reason": "length",
        "llm.response.choices_count": 1,
        "llm.response.content_length": len("".join(PIECES)),
        "llm.response.tool_calls_count": 0,
    }


TOKENS = {
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "llm.usage.prompt_tokens": 11,
    "llm.usage.completion_tokens": 7,
    "llm.usage.total_tokens": 18,
}
COUNTS = pytest.mark.parametrize("usage", [COUNTED, None], ids=["counts", "does not count"])


def read(app: App, **parameters: object) -> list[litellm.ModelResponseStream]:
    """A whole app: one streamed chat, read to its end."""

    async def scenario() -> list[litellm.ModelResponseStream]:
        stream = await app.invoke("completion", **ASKED, stream=True, **parameters)
        assert isinstance(stream, litellm.CustomStreamWrapper)
        return await app.rest(stream)

    return app.run(scenario())


@COUNTS
def test_a_chat(app: App, telemetry: Recorder, keep: Keep, usage: dict[str, int] | None) -> None:
    """It is told as any other; there is no server, no price, and no count where it does not count."""
    keep(Parrot(usage))
    result = cast("litellm.ModelResponse", app.run(app.invoke("completion", **ASKED)))
    assert result.choices[0].message.content == "canary-answer"
    assert telemetry.attributes() == {
        **identity(app, "chat", "completion"),
        **CHAT_REQUEST,
        **answer(result.id, "grey-1"),
        **(TOKENS if usage else {}),
    }
    assert telemetry.span().kind is SpanKind.CLIENT
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


@COUNTS
def test_a_stream(app: App, telemetry: Recorder, keep: Keep, usage: dict[str, int] | None) -> None:
    """So is its stream."""
    keep(Parrot(usage))
    chunks = read(app)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "canary-answer"
    attributes = telemetry.attributes()
    expected = {
        **identity(app, "chat", "completion"),
        **CHAT_REQUEST,
        **STREAMED,
        **answer(chunks[0].id, "grey"),
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
        **(TOKENS if usage else {}),
    }
    unknown = frozenset() if releases.STREAMS_NAME_THEIR_MODEL else MODELS
    assert without_timings(attributes) == {name: expected[name] for name in expected if name not in unknown}
    assert "llm.response.time_to_first_token" in attributes
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


def test_embeddings(app: App, telemetry: Recorder, keep: Keep) -> None:
    """So are its embeddings."""
    keep(Parrot())
    given = {"model": "parrot/grey", "input": ["one", "two"], "litellm_call_id": CALL_ID}
    app.run(app.invoke("embedding", **given))
    assert telemetry.attributes() == {
        **identity(app, "embeddings", "embedding"),
        **EMBEDDING_REQUEST,
        "gen_ai.response.model": "grey-1",
        "llm.response.model": "grey-1",
        "gen_ai.embeddings.dimension.count": 2,
        "gen_ai.usage.input_tokens": 9,
        "llm.usage.prompt_tokens": 9,
        "llm.usage.total_tokens": 9,
    }
    assert len(telemetry.spans()) == 1


FAILURES: dict[str, tuple[Exception, str | None, int | None]] = {
    "LiteLLM's way": (CustomLLMError(status_code=429, message="canary"), "rate_limit", 429),
    "any": (ValueError("canary"), None, None),
    "the network's": (ConnectionRefusedError("canary"), "connection", None),
}


@pytest.mark.parametrize(("failure", "category", "status"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure(  # noqa: PLR0913, PLR0917 - fixtures and cases
    app: App, telemetry: Recorder, keep: Keep, failure: Exception, category: str | None, status: int | None
) -> None:
    """A failure is of the kind that it is, though LiteLLM may make it one of the connection."""
    keep(Parrot(failure=failure))
    with pytest.raises(litellm.exceptions.openai.APIError):
        app.run(app.invoke("completion", **ASKED))
    span = telemetry.span()
    attributes = attributes_of(span)
    assert span.status.status_code is StatusCode.ERROR
    assert (attributes.get("llm.error.category"), attributes.get("llm.error.status_code")) == (category, status)
    assert attributes["llm.error.provider"] == "parrot"
    assert "canary" not in telemetry.everything()


def test_a_stream_that_fails(app: App, telemetry: Recorder, keep: Keep) -> None:
    """What had come is told with the failure."""
    keep(Parrot(failure=CustomLLMError(status_code=503, message="canary")))
    with pytest.raises(litellm.exceptions.openai.APIError):
        read(app)
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["llm.error.category"] == "server_error"
    assert attributes["llm.response.content_length"] == len(PIECES[0])
    assert "canary" not in telemetry.everything()


class Asking(Parrot):
    """Streams what another provider streams."""

    def __init__(self, connection: dict[str, object]) -> None:
        super().__init__()
        self.asked: dict[str, object] = {"model": "openai/gpt-4o", "messages": MESSAGES, **connection, "stream": True}

    def streaming(self, *_args: object, **_kwargs: object) -> Iterator[GenericStreamingChunk]:
        for chunk in litellm.completion(**self.asked):
            yield self.chunk(chunk.choices[0].delta.content or "")
        yield self.chunk("", last=True)

    async def astreaming(self, *_args: object, **_kwargs: object) -> AsyncIterator[GenericStreamingChunk]:  # type: ignore[override]  # LiteLLM iterates what it calls
        async for chunk in await litellm.acompletion(**self.asked):
            yield self.chunk(chunk.choices[0].delta.content or "")
        yield self.chunk("", last=True)


def test_a_stream_of_a_stream(app: App, provider: OpenAIProvider, telemetry: Recorder, keep: Keep) -> None:
    """What it asks of another provider is a call of its own, beneath the one that it serves; both end."""
    keep(Asking(app.connection))
    chunks = read(app)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello, world!"
    assert len(provider.ledger) == 1
    inner, outer = telemetry.spans()
    assert (inner.name, outer.name) == ("chat gpt-4o", "chat grey")
    assert outer.context is not None
    assert inner.parent is not None
    assert (inner.parent.span_id, outer.parent) == (outer.context.span_id, None)
    for span in (inner, outer):
        assert attributes_of(span)["llm.response.stream_outcome"] == "completed"
    assert "server.address" not in attributes_of(outer)
