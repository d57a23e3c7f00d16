"""Whatever is asked and answered: by default no canary leaves, and where content is wanted no secret does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agentops_otel_litellm.seams.tracing import TRACING
from apps import App
from captured import Capture, faults, told
from recorder import Recorder
from servers.openai_provider import OpenAIProvider, Script
from test_redaction import ENCODED, KINDS, SURROUNDINGS, revealing

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


@st.composite
def secrets(draw: st.DrawFn) -> str:
    """A text with a secret, whose revealing part is put down."""
    random = Random(draw(st.integers(0, 10**6)))
    secret = KINDS[draw(st.sampled_from(sorted(KINDS)))](random)
    PLANTED.add(revealing(secret))
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
        assert [fault for known in told(recorder) for fault in faults(known)] == []

    scenario()
    assert TRACING.telemetry is not None
    assert TRACING.telemetry._hook is not None
    vars(TRACING.telemetry._hook._hook)["_wrapped"].shutdown()
    files = list(tmp_path.iterdir())
    assert len(files) > uploads > 0
    assert len(PLANTED) > 20
    for file in files:
        assert found_in(file.read_text("utf-8")) == []
