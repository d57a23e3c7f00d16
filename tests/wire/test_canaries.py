"""Whatever is asked and answered: by default no canary leaves, and where content is wanted no secret does."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context

from agentops_otel_litellm.call import Call, Target, Timing
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.records import Content, Document, Json, Message, Part, Tool
from support.api_caller import MODULES, ApiCaller, rest
from support.apps import App
from support.captured import Capture, captured_messages, capturing_telemetry, schema_errors
from support.content_apis import APIS
from support.content_cases import CASES
from support.recorder import Recorder
from support.secrets_in_text import ENCODED, KINDS, SECRETS_PER_KIND, SURROUNDINGS, secret_part
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider, events

UNHURRIED = settings(
    max_examples=40,
    phases=[Phase.generate],  # an example takes long to shrink: each is a call
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
CANARY = "canary"
SAID = st.text(max_size=8).map(lambda text: f"{text}{CANARY}{text}")
WORDS = st.text("abcxyz_", max_size=8).map(lambda text: f"{CANARY}_{text}")
"""What may be a name."""

Texts = st.SearchStrategy[str]


def structures(texts: Texts) -> st.SearchStrategy[Any]:
    """JSON that says something in every place."""
    scalars = texts | st.integers() | st.none()
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
    )


def parts(texts: Texts) -> st.SearchStrategy[dict[str, Any]]:
    """Pieces of a message."""
    return st.one_of(
        texts.map(lambda text: {"type": "text", "text": text}),
        texts.map(lambda text: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}}),
        texts.map(lambda text: {"type": "image_url", "image_url": {"url": f"https://example.com/{text}?key={text}"}}),
        texts.map(lambda text: {"type": "input_audio", "input_audio": {"data": text, "format": "wav"}}),
        texts.map(lambda text: {"type": "file", "file": {"filename": text, "file_data": f"data:text/plain,{text}"}}),
        texts.map(lambda text: {"type": "file", "file": {"file_id": text}}),
    )


def calls(texts: Texts) -> st.SearchStrategy[dict[str, Any]]:
    """A tool called: with JSON, with none, with half of one."""
    arguments = structures(texts).map(json.dumps)
    return st.builds(
        lambda name, text: {"id": name, "type": "function", "function": {"name": name, "arguments": text}},
        WORDS,
        arguments | arguments.map(lambda text: text[:-1]) | texts,
    )


def messages(texts: Texts) -> st.SearchStrategy[list[dict[str, Any]]]:
    content = texts | st.lists(parts(texts), min_size=1, max_size=3)
    said: dict[str, st.SearchStrategy[Any]] = {"role": st.sampled_from(["system", "developer", "user"])}
    answered: dict[str, st.SearchStrategy[Any]] = {"role": st.just("assistant"), "content": st.none() | texts}
    result: dict[str, st.SearchStrategy[Any]] = {"role": st.just("tool"), "tool_call_id": WORDS}
    return st.lists(
        st.one_of(
            st.fixed_dictionaries({**said, "content": content}, optional={"name": WORDS}),
            st.fixed_dictionaries(
                {**answered, "tool_calls": st.lists(calls(texts), min_size=1, max_size=2)},
                optional={"reasoning_content": texts},
            ),
            st.fixed_dictionaries({**result, "content": texts | structures(texts).map(json.dumps)}),
        ),
        min_size=1,
        max_size=4,
    )


def tools(texts: Texts) -> st.SearchStrategy[list[dict[str, Any]]]:
    function = st.fixed_dictionaries(
        {"name": WORDS, "parameters": st.fixed_dictionaries({"type": st.just("object"), "title": texts})},
        optional={"description": texts},
    )
    return st.lists(function.map(lambda each: {"type": "function", "function": each}), min_size=1, max_size=2)


def parameters(texts: Texts) -> st.SearchStrategy[dict[str, Any]]:
    """A chat's."""
    return st.fixed_dictionaries({"messages": messages(texts)}, optional={"tools": tools(texts)})


def scripts(texts: Texts) -> st.SearchStrategy[Script]:
    """An answer, or an error that repeats all that was sent."""
    pieces = st.lists(texts.map(lambda text: f"{text} "), max_size=3).map(tuple)
    called = st.tuples(WORDS, WORDS, pieces)
    answer = st.builds(Script, content=pieces, tool_calls=st.lists(called, max_size=2).map(tuple))
    failure = st.builds(
        Script,
        status=st.sampled_from([400, 401, 404, 429, 500]),
        error_message=texts.map(lambda text: re.sub("[{}]", "", text) + " {prompt} {authorization}"),
        headers=st.just({"x-secret": CANARY}),
    )
    return answer | failure


SURROUNDING = {
    "api_key": f"sk-{CANARY}",
    "organization": CANARY,
    "extra_headers": {"x-secret": CANARY},
    "num_retries": 0,
}


def call(app: App, provider: OpenAIProvider, script: Script, *, streamed: bool, **asked: Any) -> None:  # noqa: ANN401 - JSON
    """Once, whatever comes of it: a request that LiteLLM refuses is one as well."""
    provider.reset()
    provider.script(script)
    with suppress(Exception):
        (app.read if streamed else app.ask)("completion", **asked)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What our logger says, of any level."""
    caplog.set_level("DEBUG", "agentops_otel_litellm")
    ours = "agentops_otel_litellm"
    return lambda: "\n".join(each.getMessage() for each in caplog.records if each.name.startswith(ours))


@pytest.mark.parametrize("app", ["sync"], indirect=True)
@UNHURRIED
@given(
    asked=parameters(SAID),
    metadata=st.dictionaries(WORDS, structures(SAID)),
    script=scripts(SAID),
    streamed=st.booleans(),
)
def test_by_default_no_canary_leaves(  # noqa: PLR0913, PLR0917 - fixtures and cases
    app: App,
    provider: OpenAIProvider,
    telemetry: Recorder,
    lines: Callable[[], str],
    asked: dict[str, Any],
    metadata: dict[str, Any],
    script: Script,
    *,
    streamed: bool,
) -> None:
    """Messages, parts, tools, their calls and results, media, files, errors, metadata, keys and headers."""
    telemetry.forget()
    call(app, provider, script, streamed=streamed, metadata=metadata, **SURROUNDING, **asked)
    assert len(telemetry.spans()) == 1
    assert CANARY not in telemetry.everything()
    assert CANARY not in lines()


TEXTS = frozenset(
    {"text", "content", "thinking", "signature", "system", "prompt", "suffix", "input", "instructions", "query"}
    | {"documents", "description", "output", "arguments", "partial_json", "delta", "city", "sky", "message"}
    | {"revised_prompt", "b64_json", "data", "markdown", "title"}
)
URLS = frozenset({"url", "image_url", "document_url", "file_uri"})
NAMES = frozenset({"name", "call_id", "tool_use_id", "file_id"})
"""Where requests and responses have what is said, by the names of their members."""


def planted(given: Any, said: str, word: str, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """The same with a canary in all that is said there."""
    if isinstance(given, dict):
        return {name: planted(each, said, word, name) for name, each in given.items()}
    if isinstance(given, list):
        return [planted(each, said, word, name) for each in given]
    if isinstance(given, bytes):
        return given + CANARY.encode()
    if isinstance(given, str):
        if name in URLS or "://" in given:
            return f"{given}?{word}"
        return said if name in TEXTS else word if name in NAMES else given
    return given


def planted_event(event: bytes, said: str, word: str) -> bytes:
    """A server-sent event, likewise."""
    head, data, body = event.decode().partition("data: ")
    return f"{head}{data}{json.dumps(planted(json.loads(body), said, word))}\n\n".encode()


COMPLETED = {"choices": [{"text": "Hello.", "index": 0, "finish_reason": "stop"}], "usage": None}
COMPLETION: dict[str, Any] = {"id": "c", "object": "text_completion", "created": 1, "model": "m", **COMPLETED}
# Function → the function that streams, parameters, the end of the path it asks, what it gets there, and in a stream.
API_FORMATS: dict[str, tuple[str, dict[str, Any], str, Any, Sequence[bytes]]] = {
    **{
        each.function: (each.streaming, each.parameters, each.path, each.response, each.stream)
        for each in APIS.values()
    },
    "text_completion": (
        "",
        {"model": "text-completion-openai/m", "prompt": ["a", "b"], "suffix": "c"},
        "/completions",
        COMPLETION,
        [*events(COMPLETION, COMPLETION)],
    ),
    **{
        function: ("", parameters, path, reply.body, ())
        for function, parameters, path, reply, _ in CASES.values()
        if "." not in function
    },
}
OPENAIS_CLIENT = {"embedding", "moderation", "speech", "transcription", "image_generation", "image_edit"}
ENDINGS = ["answered", "read", "cut", "closed", "cancelled", "refused"]


def reply_of(answer: Any, stream: Sequence[bytes], ending: str, canaries: tuple[str, str]) -> Reply:  # noqa: ANN401
    """What the provider does: errors repeat what it was sent."""
    if ending == "refused":
        message = f"{canaries[0]} sk-{CANARY}"
        error = {"message": message, "type": canaries[1], "param": canaries[1], "code": canaries[1]}
        return Reply(status=400, body={"error": error}, headers={"x-secret": CANARY})
    if not stream or ending == "answered":
        body = planted(answer, *canaries)
        return Reply(body=body, headers={"x-secret": CANARY})
    pieces = [planted_event(each, *canaries) for each in stream]
    return Reply(pieces=pieces, cut_after=2 if ending == "cut" else None, delay=0.02 if ending == "cancelled" else 0)


async def play(api: ApiCaller, function: str, ending: str, asked: dict[str, Any]) -> None:
    """A call to the end that it comes to; in the synchronous style streams are read, or closed, alike."""
    result = api.start(function, **asked)
    result = await result if api.asynchronous else result
    if hasattr(type(result), "__next__") and not api.asynchronous:
        _ = next(result) if ending in {"closed", "cancelled"} else list(result)
    elif hasattr(type(result), "__anext__"):
        reading = asyncio.ensure_future(anext(result) if ending == "closed" else rest(result))
        if ending == "cancelled":
            while not (api.wire.was_called or reading.done()):  # noqa: ASYNC110 - of the server's thread
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.02)
            reading.cancel()
        await reading


@pytest.mark.parametrize("function", API_FORMATS)
def test_no_canary_leaves_through_another_api(
    api: ApiCaller, wire: WireProvider, capture: Capture, lines: Callable[[], str], function: str
) -> None:
    """Whatever is asked and answered in each of them: read, cut, closed, cancelled or refused. (All vocabularies.)"""
    if function == "messages" and not api.asynchronous:
        pytest.skip("LiteLLM calls Anthropic asynchronously only")
    module, name = MODULES.get(function, ("litellm", function))
    if not hasattr(import_module(module), api.name(name)):
        pytest.skip(f"this LiteLLM has no {api.name(name)}")
    recorder = capture("NO_CONTENT")
    streaming, given_, path, answer, stream = API_FORMATS[function]
    endings = ENDINGS if stream else ["answered", "refused"]
    reached: Counter[str] = Counter()

    def once(canaries: tuple[str, str], metadata: dict[str, Any], ending: str) -> None:
        recorder.forget()
        wire.reset()
        wire.reply(path, reply_of(answer, stream, ending, canaries))
        streams = bool(stream) and ending != "answered"
        asked = {
            **planted(given_, *canaries),
            **({"stream": True} if streams and not streaming else {}),
            **({"max_retries": 0} if function in OPENAIS_CLIENT else {}),
            "api_base": f"{wire.url}/v1" + "/rerank" * (function == "rerank"),
            "api_key": f"sk-{CANARY}",
            "extra_headers": {"x-secret": CANARY},
            "litellm_metadata": metadata,
        }
        with suppress(Exception, asyncio.CancelledError):
            asyncio.run(play(api, (streaming if streams else "") or function, ending, asked))
        reached[ending] += any(CANARY in str(each.headers) and CANARY.encode() in each.data for each in wire.ledger)
        assert recorder.spans()
        assert CANARY not in recorder.everything()
        assert CANARY not in lines()

    @settings(UNHURRIED, max_examples=5)
    @given(canaries=st.tuples(SAID, WORDS), metadata=st.dictionaries(WORDS, structures(SAID)))
    def scenario(canaries: tuple[str, str], metadata: dict[str, Any]) -> None:
        for ending in endings:
            once(canaries, metadata, ending)

    scenario()
    assert dict(reached) == dict.fromkeys(endings, 5)


@st.composite
def secrets(draw: st.DrawFn) -> str:
    """A text with a secret, whose revealing part is put down."""
    random = Random(draw(st.integers(0, 10**6)))
    secret = KINDS[draw(st.sampled_from(sorted(KINDS)))](random)
    PLANTED.add(secret_part(secret))
    text = draw(st.sampled_from(SURROUNDINGS)).format(re.sub("[⟨⟩]", "", secret))
    return draw(st.sampled_from(ENCODED))(text)


PLANTED: set[str] = set()


def found_in(text: str) -> list[str]:
    return [secret for secret in PLANTED if secret in text]


@pytest.mark.parametrize("app", ["sync"], indirect=True)
def test_where_content_is_wanted_no_secret_leaves(
    app: App, provider: OpenAIProvider, capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On spans, in events and uploaded, wherever it was said; and all that is told is as the conventions have it."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK", "upload")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH", tmp_path.as_uri())
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_UPLOAD_MAX_QUEUE_SIZE", "1000")
    recorder = capture("SPAN_AND_EVENT", OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK="upload")
    uploads = 0

    @UNHURRIED
    @given(asked=parameters(secrets()), script=scripts(secrets()), streamed=st.booleans())
    def scenario(asked: dict[str, Any], script: Script, *, streamed: bool) -> None:
        nonlocal uploads
        recorder.forget()
        call(app, provider, script, streamed=streamed, **asked)
        attributes = dict(recorder.span().attributes or {})
        assert "gen_ai.input.messages" in attributes
        uploads += "gen_ai.input.messages_ref" in attributes
        assert found_in(recorder.everything()) == []
        assert [fault for known in captured_messages(recorder) for fault in schema_errors(known)] == []

    scenario()
    assert TRACING.telemetry is not None
    assert TRACING.telemetry._hook is not None
    vars(TRACING.telemetry._hook._hook)["_wrapped"].shutdown()
    files = list(tmp_path.iterdir())
    assert len(files) > uploads > 0
    assert len(PLANTED) > 20
    for file in files:
        assert found_in(file.read_text("utf-8")) == []


def saying(text: str) -> Content:
    """It in every place that may have it, of a call that has them all."""
    deep: Json = {text: [1, {"to": text}], "said": text}
    calls = Part(type="tool_call", id=text, name=text, arguments=deep)
    return Content(
        instructions=(Part(type="text", content=text),),
        input=(
            Message(role="user", name=text, parts=(Part(type="text", content=text), Part(type="uri", uri=text))),
            Message(role="assistant", parts=(Part(type="reasoning", content=text), calls)),
            Message(role="tool", parts=(Part(type="tool_call_response", id=text, response=deep),)),
            Message(role="tool", parts=(Part(type="tool_call_response", id=text, response=text),)),
        ),
        output=(Message(role="assistant", parts=(Part(type="text", content=text), calls), finish_reason="stop"),),
        tools=(Tool(type="function", name=text, description=text, parameters=deep),),
        texts=(text, text),
        query=(text,),
        documents=(Document(content=deep), Document(content=text)),
        results=(Document(id=text, index=1, score=0.5, title=text, uri=text, content=text),),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_of_a_kind_is_told_anywhere(
    kind: str, telemetry: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of them, in each vocabulary that there is, on spans and in events, and in what is uploaded."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK", "upload")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH", tmp_path.as_uri())
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_UPLOAD_MAX_QUEUE_SIZE", "1000")
    own = capturing_telemetry(telemetry, "SPAN_AND_EVENT", OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK="upload")
    random = Random(kind)
    planted = [KINDS[kind](random) for _ in range(SECRETS_PER_KIND)]
    call = Call(name="chat", operation="chat", target=Target(provider="openai", model="m"), timing=Timing(started_at=1))
    for begin in range(0, SECRETS_PER_KIND, 20):
        some = "\n".join(re.sub("[⟨⟩]", "", each) for each in planted[begin : begin + 20])
        own.finish(own.start(call, Context()), replace(call, content=saying(f"Here it is: {some}\n")))
    assert own._hook is not None
    vars(own._hook._hook)["_wrapped"].shutdown()
    files = [file.read_text("utf-8") for file in tmp_path.iterdir()]
    assert len(files) > 2 * SECRETS_PER_KIND // 20
    everything = "\n".join([telemetry.everything(), *files])
    assert everything.count("Here it is") > 20 * SECRETS_PER_KIND // 20
    assert [each for each in planted if secret_part(each) in everything] == []
