"""The ledger: what providers counted, in their own words, against what spans and metrics say, number by number.

The counts are distinct primes, drawn anew for each case, so that none can be right by accident.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

import litellm
import pytest
from websockets.asyncio.server import ServerConnection

from support import releases, wire_formats
from support.api_caller import ApiCaller
from support.images import GENERATED_IMAGE, PICTURE
from support.ledger import without_usage
from support.providers import EMBEDDING_PROVIDERS, PROVIDERS, Provider, base_url_and_key
from support.realtime import CREATED, ClientSocket, run_session
from support.recorder import Attributes, Recorder, attributes_of
from support.retrieval_cases import DOCUMENTS, QUERY, RERANK_RESPONSE
from support.servers import wires
from support.servers.wire import Reply, WireProvider, events
from support.servers.wires import JSON, Completion, ProviderReplies
from support.wire_formats import response, response_events

METRIC = "gen_ai.client.token.usage"
PRIMES = [number for number in range(101, 2000) if all(number % each for each in range(2, 45))]
QUESTION = [{"role": "user", "content": "Say hello."}]

Counts = Mapping[str, float]

# What a provider can count → the attributes that tell it.
TOLD = {
    "input": ("gen_ai.usage.input_tokens", "llm.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "llm.usage.completion_tokens"),
    "total": ("llm.usage.total_tokens",),
    "cache_read": ("gen_ai.usage.cache_read.input_tokens", "llm.usage.cached_tokens"),
    "cache_write": ("gen_ai.usage.cache_write.input_tokens",),
    "reasoning": ("gen_ai.usage.reasoning.output_tokens", "llm.usage.reasoning_tokens"),
    "input_text": ("gen_ai.usage.text.input_tokens",),
    "input_image": ("gen_ai.usage.image.input_tokens",),
    "input_audio": ("gen_ai.usage.audio.input_tokens",),
    "output_text": ("gen_ai.usage.text.output_tokens",),
    "output_image": ("gen_ai.usage.image.output_tokens",),
    "output_audio": ("gen_ai.usage.audio.output_tokens",),
    "seconds": ("llm.usage.audio_seconds",),
}


def draw(case: str, count: int) -> list[int]:
    """Distinct primes, the same for a case each time."""
    return Random(case).sample(PRIMES, count)


def said(case: str, model: str) -> Completion:
    fresh, cached, written, visible, reasoning = draw(case, 5)
    return Completion(
        model=model,
        uncached_input=fresh,
        cache_read=cached,
        cache_write=written,
        visible_output=visible,
        reasoning=reasoning,
    )


def usage_of(attributes: Attributes) -> Attributes:
    """All that a span says of tokens."""
    return {
        name: value
        for name, value in attributes.items()
        if name.startswith(("gen_ai.usage.", "llm.usage.", "agentops.usage.")) and "cost" not in name
    }


def told(counts: Counts) -> Attributes:
    return {attribute: count for name, count in counts.items() for attribute in TOLD[name]}


def metered(telemetry: Recorder) -> dict[str, float]:
    """The sum of the token metric, by kind, over all series."""
    sums: dict[str, float] = {}
    for point in telemetry.points(METRIC):
        kind = str(point.attributes["gen_ai.token.type"])
        sums[kind] = sums.get(kind, 0) + point.sum
    return sums


def check(telemetry: Recorder, counts: Counts) -> None:
    """One span and the metric say what was counted, and nothing else."""
    (span,) = telemetry.spans()
    assert usage_of(attributes_of(span)) == told(counts)
    assert metered(telemetry) == {kind: counts[kind] for kind in ("input", "output") if kind in counts}


def attempts(telemetry: Recorder) -> int:
    (span,) = telemetry.spans()
    return len(span.events)


AT_V1 = base_url_and_key("/v1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call of LiteLLM's, what a provider answers, and what it counted."""

    function: str
    parameters: Mapping[str, object]
    path: str
    reply: Reply
    counts: Counts
    connection: Callable[[str], dict[str, object]] = AT_V1
    only_async: bool = False

    def call(self, api: ApiCaller, reply: Reply) -> None:
        """The whole call, answered with `reply`."""
        wire = api.wire
        wire.reply(self.path, reply)
        wire.reply("/token", Reply(body={"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}))
        api.call(self.function, **{**self.parameters, **self.connection(wire.url), "max_retries": 0})

    def requests(self, wire: WireProvider) -> int:
        """Those that the server saw, but for those that are not for an answer."""
        return sum(exchange.path.endswith(self.path) for exchange in wire.ledger)


# --- chats, of every provider -----------------------------------------------------------------------------

WIRES: dict[str, Callable[[Completion], ProviderReplies]] = {
    "openai": wires.openai,
    "one like OpenAI": wires.openai,
    "azure": lambda said: wires.azure(said, PROVIDERS["azure"].wire.plain[0]),
    "deepseek": wires.deepseek,
    "groq": wires.groq,
    "mistral": wires.mistral,
    "xai": wires.openai,
    "huggingface": wires.text_generation_inference,
    "anthropic": wires.anthropic,
    "gemini": wires.google,
    "vertex_ai": wires.google,
    "cohere": lambda said: wires.cohere(said, PROVIDERS["cohere"].wire.plain[0]),
    "bedrock": wires.bedrock,
    "ollama": wires.ollama_generate,
    "ollama_chat": wires.ollama_chat,
}


def of_wire(wire: ProviderReplies) -> dict[str, int]:
    """What the provider counted, with the sum."""
    return {**wire.tokens, "total": wire.completion.input + wire.completion.output}


def of_google(wire: ProviderReplies) -> dict[str, int]:
    """Google also says of what kind the input was."""
    return {**of_wire(wire), **({"input_text": wire.completion.input} if releases.GEMINI_COUNTS_CACHED_TEXT else {})}


def chat(name: str, row: Provider, *, stream: bool) -> Case:
    wire = WIRES[name](said(f"{name} {stream}", row.wire.completion.model))
    path, reply = wire.stream if stream else wire.plain
    counts = of_google(wire) if name in {"gemini", "vertex_ai"} else of_wire(wire)
    streaming = {"stream": True, **row.streaming} if stream else {}
    return Case(
        function="completion",
        parameters={"model": row.model, "messages": QUESTION, **streaming},
        path=path,
        reply=reply,
        counts={} if stream and name == "cohere" else counts,  # LiteLLM does not see the end of its streams
        connection=row.connection,
    )


def detailed(*, stream: bool) -> Case:
    """All that OpenAI can say of a chat; among it a zero, which is one."""
    text, audio, image, cached, heard, spoken, thought = draw(f"details {stream}", 7)
    counts: Counts = {
        "input": text + audio + image,
        "input_text": text,
        "input_audio": audio,
        "input_image": image,
        "cache_read": cached,
        "output": heard + spoken + thought,
        "output_text": heard,
        "output_audio": spoken,
        "output_image": 0,
        "reasoning": thought,
        "total": text + audio + image + heard + spoken + thought,
    }
    usage: JSON = {
        "prompt_tokens": counts["input"],
        "completion_tokens": counts["output"],
        "total_tokens": counts["total"],
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "text_tokens": text,
            "audio_tokens": audio,
            "image_tokens": image,
        },
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "text_tokens": heard,
            "audio_tokens": spoken,
            "image_tokens": 0,
        },
    }
    wire = wires.openai_compatible(said("any", "gpt-4o-audio"), usage=usage, error_reply=wires.openai_error(429))
    return Case(
        function="completion",
        parameters={"model": "openai/gpt-4o-audio-preview", "messages": QUESTION, **STREAMING[stream]},
        path="/chat/completions",
        reply=(wire.stream if stream else wire.plain)[1],
        counts=counts,
    )


STREAMING: dict[bool, dict[str, object]] = {
    False: {},
    True: {"stream": True, "stream_options": {"include_usage": True}},
}


def zeros(*, stream: bool) -> Case:
    """A provider that wrote nothing, cached nothing, and says so."""
    (read,) = draw(f"zeros {stream}", 1)
    usage: JSON = {
        "prompt_tokens": read,
        "completion_tokens": 0,
        "total_tokens": read,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    wire = wires.openai_compatible(said("any", "gpt-4o"), usage=usage, error_reply=wires.openai_error(429))
    return Case(
        function="completion",
        parameters={"model": "openai/gpt-4o", "messages": QUESTION, **STREAMING[stream]},
        path="/chat/completions",
        reply=(wire.stream if stream else wire.plain)[1],
        counts={"input": read, "output": 0, "total": read, "cache_read": 0, "reasoning": 0},
    )


# --- texts completed --------------------------------------------------------------------------------------


def text(*, stream: bool) -> Case:
    model = said(f"text {stream}", "gpt-3.5-turbo-instruct")
    usage = wires.openai_usage(model)
    shared: JSON = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": model.model}

    def choice(words: str, reason: str | None) -> list[JSON]:
        return [{"index": 0, "text": words, "logprobs": None, "finish_reason": reason}]

    chunks: list[object] = [{**shared, "choices": choice(piece, None)} for piece in model.pieces]
    chunks += [{**shared, "choices": choice("", "stop")}, {**shared, "choices": [], "usage": usage}, "[DONE]"]
    whole = {**shared, "choices": choice(model.text, "stop"), "usage": usage}
    counts: Counts = {"input": model.input, "output": model.output, "total": model.input + model.output}
    details: Counts = {"cache_read": model.cache_read, "reasoning": model.reasoning}
    return Case(
        function="text_completion",
        parameters={"model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "Say.", **STREAMING[stream]},
        path="/completions",
        reply=Reply(pieces=events(*chunks)) if stream else Reply(body=whole),
        counts={**counts, **details},
    )


# --- the other APIs of text, for themselves and translated ---------------------------------------------------


def responses(*, stream: bool) -> Case:
    model = said(f"responses {stream}", "gpt-4o-2024-08-06")
    usage: JSON = {
        "input_tokens": model.input,
        "input_tokens_details": {"cached_tokens": model.cache_read},
        "output_tokens": model.output,
        "output_tokens_details": {"reasoning_tokens": model.reasoning},
        "total_tokens": model.input + model.output,
    }
    return Case(
        function="responses",
        parameters={"model": "openai/gpt-4o", "input": "Say hello.", "stream": stream},
        path="/responses",
        reply=Reply(pieces=response_events(usage=usage)) if stream else Reply(body=response(usage=usage)),
        counts=of_wire(wires.openai(model)),
    )


NATIVE = {"messages": "anthropic", "generate_content": "gemini"}
"""Whose own API it is."""


def translated(function: str, name: str, *, stream: bool) -> Case:
    """A call of another API: the provider's own, or one of which LiteLLM makes a chat."""
    row = PROVIDERS[name]
    wire = WIRES[name](said(f"{function} {name} {stream}", row.wire.completion.model))
    path, reply = wire.stream if stream else wire.plain
    asked: Mapping[str, Mapping[str, object]] = {
        "responses": {"input": "Say hello."},
        "messages": {"messages": QUESTION, "max_tokens": 64},
        "generate_content": {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]},
    }
    streams_apart = function == "generate_content" and stream
    return Case(
        function=f"{function}_stream" if streams_apart else function,
        parameters={"model": row.model, **asked[function], **({} if streams_apart or not stream else {"stream": True})},
        path=path,
        reply=reply,
        counts=_handed_on(function, name, wire, stream=stream),
        connection=row.connection,
        # The others LiteLLM has not, or they fail.
        only_async=function == "messages" or (streams_apart and name != "gemini"),
    )


# What LiteLLM loses of the counts when it translates a plain response.
LOST = {
    "messages": ("reasoning", "input_text", "output_text"),
    "generate_content": ("cache_read", "cache_write", "reasoning"),
}


def _handed_on(function: str, name: str, wire: ProviderReplies, *, stream: bool) -> Counts:
    counts = of_google(wire) if name == "gemini" else of_wire(wire)
    if NATIVE.get(function) == name:
        if name == "gemini":  # as Google says it: the text put out is not among its kinds
            del counts["output_text"]
            counts["input_text"] = wire.completion.input
    elif not stream:
        return {kind: count for kind, count in counts.items() if kind not in LOST.get(function, ())}
    return counts


def completed(name: str, *, stream: bool) -> Case:
    """A text completed by a model that has but chats."""
    row = PROVIDERS[name]
    made = chat(name, row, stream=stream)
    asked: dict[str, object] = {"model": row.model, "prompt": "Say hello.", **(STREAMING[True] if stream else {})}
    return replace(made, function="text_completion", parameters=asked)


Made = Callable[[bool], Case]


def of_provider(name: str) -> Made:
    return lambda stream: chat(name, PROVIDERS[name], stream=stream)


def of_translation(function: str, name: str) -> Made:
    return lambda stream: translated(function, name, stream=stream)


TRANSLATED = {
    "responses": ("anthropic", "bedrock", "gemini", "groq", "mistral"),
    "messages": ("gemini", "groq", "mistral"),
    "generate_content": ("openai", "anthropic"),
}
BY_STREAM: dict[str, Made] = {
    **{f"chat of {name}": of_provider(name) for name in PROVIDERS},
    "chat with every detail": lambda stream: detailed(stream=stream),
    "chat with zeros": lambda stream: zeros(stream=stream),
    "text": lambda stream: text(stream=stream),
    "text of anthropic": lambda stream: completed("anthropic", stream=stream),
    "text of gemini": lambda stream: completed("gemini", stream=stream),
    "responses": lambda stream: responses(stream=stream),
    "messages": of_translation("messages", "anthropic"),
    "generate_content": of_translation("generate_content", "gemini"),
    **{
        f"{function} of {name}": of_translation(function, name)
        for function, names in TRANSLATED.items()
        for name in names
    },
}
CASES: dict[str, Case] = {
    f"{kind} {name}": made(stream)
    for kind, stream in (("plain", False), ("streamed", True))
    for name, made in BY_STREAM.items()
}

# --- images, sound, rankings ------------------------------------------------------------------------------


def image(function: str, path: str, **parameters: object) -> Case:
    words, seen, drawn = draw(function, 3)
    usage: JSON = {
        "input_tokens": words + seen,
        "output_tokens": drawn,
        "total_tokens": words + seen + drawn,
        "input_tokens_details": {"text_tokens": words, "image_tokens": seen},
    }
    return Case(
        function=function,
        parameters={"model": "openai/gpt-image-1", "prompt": "A garden.", **parameters},
        path=path,
        reply=Reply(body={"created": 1, "data": [GENERATED_IMAGE], "usage": usage}),
        counts={
            "input": words + seen,
            "output": drawn,
            "total": words + seen + drawn,
            "input_text": words,
            "input_image": seen,
        },
    )


def transcription(model: str, usage: JSON, counts: Counts) -> Case:
    return Case(
        function="transcription",
        parameters={"model": f"openai/{model}", "file": ("sound.wav", b"RIFF")},
        path="/audio/transcriptions",
        reply=Reply(body={"text": "Hello.", "usage": usage}),
        counts=counts,
    )


def sound() -> Case:
    heard, words, written = draw("transcription", 3)
    usage: JSON = {
        "type": "tokens",
        "input_tokens": heard + words,
        "input_token_details": {"audio_tokens": heard, "text_tokens": words},
        "output_tokens": written,
        "total_tokens": heard + words + written,
    }
    counts: Counts = {
        "input": heard + words,
        "output": written,
        "total": heard + words + written,
        "input_text": words,
        "input_audio": heard,
    }
    return transcription("gpt-4o-transcribe", usage, counts)


def rerank(model: str, counted: JSON, counts: Counts) -> Case:
    return Case(
        function="rerank",
        parameters={"model": model, "query": QUERY, "documents": DOCUMENTS},
        path="/rerank",
        reply=Reply(body={**RERANK_RESPONSE, **counted}),
        counts=counts,
        connection=base_url_and_key("/v1/rerank"),
    )


(SECONDS,), (RANKED_TOKENS,), (UNITS,) = draw("seconds", 1), draw("rerank", 1), draw("units", 1)
CASES |= {
    "image_generation": image("image_generation", "/images/generations"),
    "image_edit": image("image_edit", "/images/edits", image=PICTURE),
    "transcription by tokens": sound(),
    "transcription by time": transcription(
        "whisper-1", {"type": "duration", "seconds": SECONDS}, {"seconds": float(SECONDS)}
    ),
    "rerank by tokens": rerank(
        "jina_ai/jina-reranker-v2-base-multilingual",
        {"usage": {"total_tokens": RANKED_TOKENS, "prompt_tokens": RANKED_TOKENS}},
        {"input": RANKED_TOKENS, "total": RANKED_TOKENS},
    ),
    "rerank by searches": rerank("cohere/rerank-english-v3.0", {"meta": {"billed_units": {"search_units": UNITS}}}, {}),
    "rerank by nobody": replace(
        rerank("huggingface/our-model", {}, {}),
        reply=Reply(body=[{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]),
        connection=base_url_and_key(),
    ),
    "moderation": Case(
        function="moderation",
        parameters={"input": "Hello."},
        path="/moderations",
        reply=Reply(
            body={
                "id": "modr-1",
                "model": "omni-moderation-latest",
                "results": [{"flagged": False, "categories": {}, "category_scores": {}}],
            }
        ),
        counts={},
        only_async=True,  # of the other LiteLLM tells nobody that it turns to a provider
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_tokens_are_those_that_the_provider_counted(
    wire: WireProvider, telemetry: Recorder, api: ApiCaller, case: str
) -> None:
    """Span and metric have each count as the provider sent it, no other, and an attempt for each request."""
    row = CASES[case]
    if row.only_async:
        api = replace(api, asynchronous=True)
    row.call(api, row.reply)
    check(telemetry, row.counts)
    assert attempts(telemetry) == row.requests(wire) == 1


# --- without counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_what_nobody_counted_is_not_told(wire: WireProvider, telemetry: Recorder, api: ApiCaller, case: str) -> None:
    """Of a provider that does not count there are no tokens, no price of them, and no metric: LiteLLM makes some up."""
    row = CASES[case]
    if row.only_async:
        api = replace(api, asynchronous=True)
    with suppress(Exception):  # of some LiteLLM makes an error: it cannot read what has no counts
        row.call(api, without_usage(row.reply))
    assert row.requests(wire) == 1
    check(telemetry, {})
    if not row.function.startswith(("image", "transcription")):  # sold by the piece
        assert [name for name in telemetry.attributes() if "cost" in name] == []


MOCKED: dict[str, dict[str, object]] = {
    "completion": {"messages": QUESTION, "mock_response": "Hello."},
    "responses": {"input": "Say hello.", "mock_response": "Hello."},
    "embedding": {"input": ["one"], "mock_response": [0.5]},
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("function", MOCKED)
def test_what_litellm_answers_itself_nobody_counted(
    wire: WireProvider, telemetry: Recorder, api: ApiCaller, function: str, *, stream: bool
) -> None:
    """An answer that the app gives LiteLLM to hand out takes no tokens, and costs nothing that is known."""
    streaming = {} if function == "embedding" else {"stream": stream}
    api.call(function, model="openai/gpt-4o", **MOCKED[function], **streaming)
    assert wire.ledger == []
    check(telemetry, {})
    assert [name for name in telemetry.attributes() if "cost" in name] == []


@pytest.mark.parametrize("function", [*MOCKED, "failing completion"])
def test_a_mocked_call_is_no_request_to_a_provider(
    wire: WireProvider, telemetry: Recorder, api: ApiCaller, function: str
) -> None:
    """The metric `litellm.client.attempts` counts requests: not a mock, but the next call."""
    if function in MOCKED:
        api.call(function, model="openai/gpt-4o", **MOCKED[function])
    else:
        mock = {**MOCKED["completion"], "mock_response": "litellm.RateLimitError"}
        with pytest.raises(litellm.RateLimitError):
            api.call("completion", model="openai/gpt-4o", **mock)
    assert wire.ledger == []
    assert _attempts_counted(telemetry) == 0
    (span,) = telemetry.spans()
    assert not any("litellm.attempt.duration" in (event.attributes or {}) for event in span.events)
    wire.reply("/chat/completions", Reply(body=wire_formats.chat()))
    api.call("completion", model="openai/gpt-4o", messages=QUESTION)
    assert _attempts_counted(telemetry) == len(wire.ledger) == 1


def test_an_empty_mock_response(wire: WireProvider, telemetry: Recorder, api: ApiCaller) -> None:
    """Newer releases of LiteLLM return it, older ones ignore it. Usage is recorded only if a provider counted it."""
    wire.reply("/chat/completions", Reply(body=wire_formats.chat()))
    api.call("completion", model="openai/gpt-4o", messages=QUESTION, mock_response="")
    assert _attempts_counted(telemetry) == len(wire.ledger)
    assert ("gen_ai.usage.input_tokens" in telemetry.attributes()) == bool(wire.ledger)


def _attempts_counted(telemetry: Recorder) -> float:
    return sum(total.value for total in telemetry.measured()[1] if total.name == "litellm.client.attempts")


# --- streams that are cut ---------------------------------------------------------------------------------

READ = ("input", "cache_read", "cache_write", "input_text")
"""What a provider has counted when it begins to answer."""
CUT = {
    "streamed chat of openai": (2, ()),
    "streamed chat of anthropic": (5, READ),
    "streamed chat of gemini": (1, READ),
    "streamed messages": (5, READ),
    "streamed generate_content": (1, READ),
    "streamed responses": (6, ()),
}
"""After how many pieces, and what is known by then."""


@pytest.mark.parametrize("case", CUT)
def test_what_a_cut_stream_had_written_is_not_known(
    wire: WireProvider, telemetry: Recorder, api: ApiCaller, case: str
) -> None:
    """Providers that count as they go had counted the input; how much they wrote in the end nobody says."""
    row, (pieces, known) = CASES[case], CUT[case]
    if row.only_async:
        api = replace(api, asynchronous=True)
    with suppress(Exception):
        row.call(api, replace(row.reply, cut_after=pieces))
    check(telemetry, {kind: count for kind, count in row.counts.items() if kind in known})
    (span,) = telemetry.spans()
    assert attributes_of(span)["llm.response.stream_outcome"] == "failed"
    assert attempts(telemetry) == row.requests(wire)


# --- embeddings, of every provider ------------------------------------------------------------------------

EMBEDDINGS: dict[str, Callable[[], list[tuple[str, object]]]] = {
    "openai": lambda: [("/embeddings", wires.openai_embeddings("text-embedding-3-small-v1"))],
    "azure": lambda: [("/embeddings", wires.openai_embeddings("text-embedding-3-small"))],
    "mistral": lambda: [("/embeddings", wires.openai_embeddings("mistral-embed-2312"))],
    "cohere": lambda: [("/v2/embed", wires.cohere_embeddings())],
    "gemini": lambda: [(":batchEmbedContents", wires.gemini_embeddings())],
    "vertex_ai": lambda: [(":predict", wires.vertex_embeddings())],
    "bedrock": lambda: [
        ("/invoke", wires.titan_embedding(4)),
        ("/invoke", wires.titan_embedding(wires.EMBEDDING_TOKENS - 4)),
    ],
    "huggingface": lambda: [("/our-model", wires.hugging_face_embeddings())],
    "ollama": lambda: [("/api/embed", wires.ollama_embeddings("nomic-embed-text"))],
}


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_tokens_of_embeddings(
    wire: WireProvider, telemetry: Recorder, api: ApiCaller, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """They are the provider's, and only read."""
    row = EMBEDDING_PROVIDERS[name]
    (count,) = draw(f"embeddings {name}", 1)
    monkeypatch.setattr(wires, "EMBEDDING_TOKENS", count)
    for path, body in EMBEDDINGS[name]():
        wire.reply_once(path, Reply(body=body))
    wire.reply("/token", Reply(body={"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}))
    api.call("embedding", model=row.model, input=["one", "two"], max_retries=0, **row.connection(wire.url))
    counts = {"input": count, "total": count, **({"input_text": count} if name == "cohere" else {})}
    check(telemetry, counts if row.counts_tokens else {})


# --- realtime sessions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a provider counts of one response in a session."""

    heard: int
    read: int
    cached: int
    spoken: int
    written: int

    @property
    def counts(self) -> dict[str, int]:
        return {
            "input": self.heard + self.read,
            "input_audio": self.heard,
            "input_text": self.read,
            "cache_read": self.cached,
            "output": self.spoken + self.written,
            "output_audio": self.spoken,
            "output_text": self.written,
            "total": self.heard + self.read + self.spoken + self.written,
        }

    @property
    def message(self) -> str:
        usage = {
            "total_tokens": self.counts["total"],
            "input_tokens": self.counts["input"],
            "output_tokens": self.counts["output"],
            "input_token_details": {
                "text_tokens": self.read,
                "audio_tokens": self.heard,
                "cached_tokens": self.cached,
            },
            "output_token_details": {"text_tokens": self.written, "audio_tokens": self.spoken},
        }
        done = {"id": "resp", "status": "completed", "output": [], "usage": usage}
        return json.dumps({"type": "response.done", "event_id": "done", "response": done})


def test_tokens_of_a_session(telemetry: Recorder) -> None:
    """A session has the sums over its responses."""
    turns = [
        Turn(**dict(zip(("heard", "read", "cached", "spoken", "written"), draw(f"turn {number}", 5), strict=True)))
        for number in range(3)
    ]

    async def answering(connection: ServerConnection) -> None:
        await connection.send(json.dumps(CREATED))
        for turn in turns:
            await connection.recv()
            await connection.send(turn.message)
        await connection.wait_closed()

    run_session(lambda: ClientSocket(leaves_after=3), answering)
    check(telemetry, {name: sum(turn.counts[name] for turn in turns) for name in turns[0].counts})
    assert attempts(telemetry) == 1


# --- all in one -------------------------------------------------------------------------------------------


def test_the_metric_is_the_sum_over_the_spans(wire: WireProvider, telemetry: Recorder, api: ApiCaller) -> None:
    """Over many calls, of which some are refused, span for span and in the metric each token is there once."""
    random, expected = Random("mixed"), {"input": 0, "output": 0}
    names = [name for name in PROVIDERS if name in {"openai", "anthropic", "gemini", "mistral"}]
    calls = requests = 0
    for number in range(24):
        name, stream = random.choice(names), random.random() < 0.5
        case = chat(name, PROVIDERS[name], stream=stream)
        wire.reset()
        refused = random.random() < 0.25
        if refused:
            wire.reply_once(case.path, PROVIDERS[name].wire.error_reply)
        with suppress(Exception):
            case.call(api, case.reply)
        calls, requests = number + 1, requests + case.requests(wire)
        for kind in expected if not refused else ():
            expected[kind] += int(case.counts[kind])
    spans = telemetry.spans()
    assert (len(spans), sum(len(span.events) for span in spans)) == (calls, requests)
    sums = {
        kind: sum(int(str(attributes_of(span).get(TOLD[kind][0], 0))) for span in spans) for kind in ("input", "output")
    }
    assert sums == metered(telemetry) == expected
