"""AGENTOPS_ESTIMATE_USAGE: what LiteLLM estimates where nobody counted, under a name of its own and nowhere else."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import litellm
import pytest
from litellm.litellm_core_utils import streaming_chunk_builder_utils
from opentelemetry.instrumentation.utils import suppress_instrumentation

from agentops_otel_litellm.background import BACKGROUND
from support import releases
from support.api_caller import ApiCaller
from support.apps import MESSAGES, App
from support.caches import (
    cache,  # noqa: F401 - a fixture
    read_twice,
)
from support.instrumented import Reinstrument
from support.ledger import without_usage
from support.providers import PROVIDERS, run_chat
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider
from support.wire_formats import response_events

INPUT, OUTPUT = "agentops.usage.estimated.input_tokens", "agentops.usage.estimated.output_tokens"
ASKED: dict[str, Any] = {"stream_options": {"include_usage": True}}
UNCOUNTED = Script(usage=None)


@pytest.fixture
def estimating(instrumented_with: Reinstrument) -> Iterator[Recorder]:
    """What is recorded where the variable says so."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AGENTOPS_ESTIMATE_USAGE", "true")
        with instrumented_with(Recorder()) as recorder:
            environment.undo()
            yield recorder


def of_tokens(recorder: Recorder) -> Attributes:
    """All that is said of tokens and of money: the metrics say nothing."""
    assert {point.name for point in recorder.points()} & {"gen_ai.client.token.usage"} == set()
    return {
        name: value
        for name, value in recorder.attributes().items()
        if "usage" in name or "cost" in name or "tokens" in name.rpartition(".")[2].split("_")
    }


def litellms(app: App, operation: str) -> Attributes:
    """The estimate that LiteLLM shows who asked a provider in vain for a count."""
    usage = cast("Any", app.read(operation, **ASKED)[-1]).usage
    assert usage.prompt_tokens > 0
    return {INPUT: usage.prompt_tokens, OUTPUT: usage.completion_tokens}


def test_the_estimate_is_litellms(app: App, provider: OpenAIProvider, estimating: Recorder) -> None:
    """Of a stream that nobody counted the span has what LiteLLM estimates: no count, no price, and no metric."""
    provider.script(UNCOUNTED)
    expected = litellms(app, "completion")
    assert of_tokens(estimating) == expected
    estimating.forget()
    app.read()  # the application has not requested usage, so LiteLLM makes no estimate
    assert of_tokens(estimating) == expected


def test_the_estimate_of_a_text(app: App, provider: OpenAIProvider, estimating: Recorder) -> None:
    """LiteLLM makes one of completed texts also."""
    provider.script(UNCOUNTED)
    app.read("text_completion", **ASKED)
    known = of_tokens(estimating)
    assert known.keys() == {INPUT, OUTPUT}
    assert all(isinstance(count, int) and count > 0 for count in known.values())


def test_the_estimate_of_a_response(api: ApiCaller, wire: WireProvider, estimating: Recorder) -> None:
    """So it does of the Responses API, where it hands its estimate to the app as the usage."""
    wire.reply("/responses", Reply(pieces=response_events(usage=None)))
    usage = api.call("responses", model="openai/gpt-4o", input="Say hello.", stream=True)[-1].response.usage
    if usage is None:
        pytest.skip("this LiteLLM estimates none")
    assert of_tokens(estimating) == {INPUT: usage.input_tokens, OUTPUT: usage.output_tokens}


def test_the_estimate_of_a_plain_chat(app: App, wire: WireProvider, estimating: Recorder) -> None:
    """Of some providers' plain chats LiteLLM makes one, which looks like a count."""
    path, reply = PROVIDERS["ollama_chat"].wire.plain
    wire.reply(path, without_usage(reply))
    usage = cast("Any", run_chat(app, wire, PROVIDERS["ollama_chat"])).usage
    assert of_tokens(estimating) == {INPUT: usage.prompt_tokens, OUTPUT: usage.completion_tokens}


def test_it_is_off_by_default(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Nobody who did not ask is told."""
    provider.script(UNCOUNTED)
    app.read("completion", **ASKED)
    assert of_tokens(telemetry) == {}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_what_is_counted_is_not_estimated(
    app: App, provider: OpenAIProvider, estimating: Recorder, *, stream: bool
) -> None:
    """Where there is a count there is no estimate."""
    if stream:
        app.read("completion", **ASKED)
    else:
        app.ask()
    assert len(provider.ledger) == 1
    attributes = estimating.attributes()
    assert attributes["gen_ai.usage.input_tokens"] == 11
    assert not {INPUT, OUTPUT} & attributes.keys()


def test_a_plain_chat_that_was_not_counted(app: App, provider: OpenAIProvider, estimating: Recorder) -> None:
    """LiteLLM shows the application zeros. They are no estimate, so the tokens are those of a stream with this text."""
    provider.script(UNCOUNTED)
    expected = litellms(app, "completion")
    estimating.forget()
    result = app.ask()
    assert result.usage.prompt_tokens == 0  # type: ignore[attr-defined]  # it has one
    assert of_tokens(estimating) == expected


Chunks = list[litellm.ModelResponseStream]
"""The further chunks that an application receives before its stream ends."""


async def close(app: App, stream: Any) -> Chunks:  # noqa: ANN401 - LiteLLM's
    closing = getattr(stream, "aclose", None) if app.style == "async" else getattr(stream, "close", None)
    if closing is None:
        pytest.skip("this stream cannot be closed")
    result = closing()
    if app.style == "async":
        await result
    return []


async def drop(_app: App, _stream: Any) -> Chunks:  # noqa: ANN401 - LiteLLM's
    """The stream is freed when its last reference is."""
    return []


async def read_on(app: App, stream: Any) -> Chunks:  # noqa: ANN401 - LiteLLM's
    if app.style == "async" and not releases.since("1.80"):
        pytest.skip("LiteLLM before 1.80 raises no error for an asynchronous stream that was cut")
    received: Chunks = []
    with pytest.raises(litellm.exceptions.openai.APIError):  # noqa: PT012 - the error is raised by one of several reads
        while (chunk := await app.next(stream)) is not None:
            received.append(chunk)
    return received


INTERRUPTED: dict[str, tuple[Callable[[App, Any], Awaitable[Chunks]], Script]] = {
    "closed": (close, Script(usage=None)),
    "abandoned": (drop, Script(usage=None)),
    "failed": (read_on, Script(usage=None, cut_after=3)),
}


@pytest.mark.parametrize("outcome", INTERRUPTED)
def test_a_stream_that_was_not_read_to_its_end(
    app: App, provider: OpenAIProvider, estimating: Recorder, outcome: str
) -> None:
    """The part that was received is counted. Nobody else counts it: the provider's usage is at the end of a stream."""
    interrupt, script = INTERRUPTED[outcome]
    provider.script(script)

    async def scenario() -> str:
        stream = await app.stream()
        received = [await app.next(stream) for _ in range(2)]
        received += await interrupt(app, stream)
        return "".join(chunk.choices[0].delta.content or "" for chunk in received if chunk is not None)

    text = app.run(scenario())
    gc.collect()
    BACKGROUND.settle(5)
    assert estimating.attributes()["llm.response.stream_outcome"] == outcome
    assert of_tokens(estimating) == {
        INPUT: litellm.token_counter(model="gpt-4o", messages=MESSAGES),
        OUTPUT: litellm.token_counter(model="gpt-4o", text=text, count_response_tokens=True),
    }


@pytest.mark.parametrize("model", ["openai/llama-3-8b", "openai/command-r-plus"])
def test_no_tokenizer_is_downloaded(
    app: App, provider: OpenAIProvider, estimating: Recorder, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM would download the tokenizers of these models."""
    monkeypatch.setattr(litellm.utils, "_return_huggingface_tokenizer", no_download)
    provider.script(UNCOUNTED)
    app.read(model=model)
    assert of_tokens(estimating).keys() == {INPUT, OUTPUT}


def no_download(model: str, *_args: object, **_options: object) -> None:
    assert not model, "a tokenizer would be downloaded"


@pytest.mark.usefixtures("cache")
def test_a_cached_answer_is_not_estimated(app: App, provider: OpenAIProvider, estimating: Recorder) -> None:
    """What LiteLLM had in its cache took no tokens; it counts them all the same."""
    provider.script(UNCOUNTED)
    read_twice(app, "completion", **ASKED)
    assert len(provider.ledger) == 1
    _, hit = map(attributes_of, estimating.spans())
    assert hit["llm.cache.hit"] is True
    assert not {INPUT, OUTPUT} & hit.keys()


def test_without_the_setting_nothing_is_counted(
    app: App, provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM's tokenizers run as often as without tracing: not for a plain chat, and at the end of a stream."""
    counted: list[object] = []
    count = streaming_chunk_builder_utils.token_counter

    def counting(*args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - LiteLLM's
        counted.append(kwargs)
        return count(*args, **kwargs)

    monkeypatch.setattr(streaming_chunk_builder_utils, "token_counter", counting)
    provider.script(UNCOUNTED)
    with_us = [_counted_by(app, counted, **parameters) for parameters in ({}, ASKED)]
    assert len(telemetry.spans()) == 4
    with suppress_instrumentation():
        assert [_counted_by(app, counted, **parameters) for parameters in ({}, ASKED)] == with_us
    assert len(telemetry.spans()) == 4


def _counted_by(app: App, counted: list[object], **parameters: Any) -> int:  # noqa: ANN401 - LiteLLM's
    """How often LiteLLM counts for a plain chat and a stream."""
    counted.clear()
    app.ask()
    assert counted == []
    app.read(**parameters)
    return len(counted)
