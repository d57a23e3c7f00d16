"""The `agentops` vocabulary, checked with the model of AgentOps' reader."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel_litellm import semconv
from agentops_otel_litellm.call import Call, Cost, Timing, Usage
from agentops_otel_litellm.operations import BILLED, OPERATIONS
from agentops_otel_litellm.records import Content, Message, Part
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.agentops import AGENTOPS, AGENTOPS_WITHOUT_CONTENT, LLM_CALLS
from agentops_otel_litellm.semconv.convention import Attributes, Vocabulary
from agentops_otel_litellm.settings import Settings
from support.agentops_calls import (
    DEFAULT_VOCABULARIES,
    TOKEN_COUNTS,
    agentops,  # noqa: F401 - a fixture
)
from support.example_call import CALL
from support.logged_warnings import LoggedWarnings
from support.servers.agentops_reader import MESSAGE_ATTRIBUTE, displayed_span


def test_tokens_of_an_interrupted_stream_are_not_counted_twice() -> None:
    """AgentOps adds up the parts of the usage if there is no total, so cached tokens need one."""
    for usage in (Usage(input=11, cache_read=4), Usage(output=7, reasoning=2), Usage(input=11)):
        read = displayed_span(AGENTOPS.attributes(replace(CALL, usage=usage)))
        assert read.tokens["total_tokens"] == (usage.input or 0) + (usage.output or 0)
    read = displayed_span(AGENTOPS.attributes(replace(CALL, usage=Usage(input=11, output=7, cache_read=4))))
    assert read.tokens == {**TOKEN_COUNTS, "reasoning_tokens": 0}


@given(limit=st.integers(0, 60), length=st.integers(0, 30), choices=st.integers(0, 12))
def test_messages_that_do_not_fit_are_left_out(limit: int, length: int, choices: int) -> None:
    """For any limit, each recorded message is displayed, and the limit is not exceeded."""
    parts = (Part(type="text", content="a"), Part(type="tool_call", id="1", name="look", arguments="{}"))
    content = Content(
        input=tuple(Message(role="user", parts=parts[: number % 3]) for number in range(length)),
        output=tuple(Message(role="assistant", parts=parts, finish_reason="stop") for _ in range(choices)),
    )
    call = Call(name="chat", timing=Timing(started_at=1), content=content)
    written = AGENTOPS.attributes(call, limit)
    assert len(written) <= max(limit, 1)
    read = displayed_span(written)
    numbers = {side: len({name.split(".")[2] for name in written if f".{side}." in name}) for side in SIDES}
    assert len(read.prompts) == numbers["prompt"]
    assert len([each for each in read.completions if each == "a"]) == numbers["completion"]


SIDES = ("prompt", "completion")


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([Part(type="refusal", content="No.")], "No."),
        ([Part(type="reasoning", content="Well."), Part(type="text", content="Yes.")], "Yes."),
        ([Part(type="reasoning", content="Well.")], ""),
        ([], ""),
        (
            [Part(type="text", content="a"), Part(type="text", content="b")],
            "a\n\nb",
        ),
        (
            [Part(type="blob", modality="image", mime_type="image/png", size=12)],
            "[image/png, 12 characters of base64]",
        ),
        ([Part(type="uri", modality="image", uri="https://example.com/cat")], "![image](https://example.com/cat)"),
        ([Part(type="uri", modality="document", uri="gs://b/a.pdf")], "[document](gs://b/a.pdf)"),
        ([Part(type="file", modality="document", file_id="file-1")], "[document file-1]"),
        ([Part(type="tool_call_response", id="1", response={"sun": True})], '{"sun":true}'),
    ],
)
def test_content_is_readable_text(parts: list[Part], content: str) -> None:
    """Images are Markdown, other media placeholders or links. Reasoning is left out."""
    message = (Message(role="assistant", parts=tuple(parts)),)
    call = Call(name="chat", timing=Timing(started_at=1), content=Content(input=message, output=message))
    written = AGENTOPS.attributes(call)
    assert {written[f"gen_ai.{side}.0.content"] for side in SIDES} == {content}


WRITTEN: Attributes = {
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "![image](https://example.com/cat)",
    "gen_ai.completion.0.content": "",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.finish_reason": "tool_calls",
    "gen_ai.completion.0.tool_calls.0.id": "call",
    "gen_ai.completion.0.tool_calls.0.type": "function",
    "gen_ai.completion.0.tool_calls.0.name": "look",
    "gen_ai.completion.0.tool_calls.0.arguments": '{"é":[1]}',
    "gen_ai.completion.1.content": "1. [Rome](https://example.com): Roma (score 0.5)",
    "gen_ai.completion.1.role": "assistant",
    "gen_ai.response.model": "gpt-4o-2024",
    "gen_ai.usage.prompt_cost": 0.3,
    "gen_ai.usage.completion_cost": 0.15,
    "gen_ai.usage.total_cost": 0.5,
    "gen_ai.usage.prompt_tokens": 20,
    "gen_ai.usage.completion_tokens": 21,
    "gen_ai.system": "azure.ai.openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.cache_read_input_tokens": 23,
    "gen_ai.usage.reasoning_tokens": 25,
    "gen_ai.usage.total_tokens": 22,
    "agentops.span.kind": "llm",
}


def test_every_row_sets_its_attribute() -> None:
    """For a call with a value in every field, exactly these attributes are set, and messages come first, in order."""
    written = AGENTOPS.attributes(CALL)
    assert written == WRITTEN
    messages = [name for name in WRITTEN if MESSAGE_ATTRIBUTE.fullmatch(name)]
    assert list(written)[: len(messages)] == messages
    assert {row for row in AGENTOPS if not any(f"{name}.".startswith(f"{row}.") for name in written)} == set()


def test_every_billed_operation_is_an_llm_span() -> None:
    """So is a request that LiteLLM's proxy passes through, which LiteLLM only logs."""
    assert {name for row in OPERATIONS if row.kind in BILLED for name in row.names} == LLM_CALLS
    assert "pass_through_endpoint" in LLM_CALLS
    assert LLM_CALLS.isdisjoint({"moderation", "route", "create_batch", "rag.query"})


AT_AGENTOPS = {"AGENTOPS_API_KEY": "6f1d2c3b-4a59-4687-9b0a-c1d2e3f40516"}


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, ["gen_ai", "llm"]),
        (AT_AGENTOPS, ["gen_ai", "llm", "agentops"]),
        ({"OTEL_TRACES_EXPORTER": "agentops"}, ["gen_ai", "llm", "agentops"]),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["gen_ai", "llm"]),
        ({**AT_AGENTOPS, "OTEL_TRACES_EXPORTER": "none"}, ["gen_ai", "llm"]),
        ({**AT_AGENTOPS, "AGENTOPS_SEMCONV": "gen_ai,llm"}, ["gen_ai", "llm"]),
        ({**AT_AGENTOPS, "AGENTOPS_SEMCONV": "openinference"}, ["openinference"]),
        ({"AGENTOPS_SEMCONV": "agentops"}, ["agentops"]),
    ],
)
def test_the_vocabulary_is_used_if_agentops_is_a_destination(environment: dict[str, str], names: list[str]) -> None:
    """A choice of the user has priority."""
    chosen = semconv.choose_vocabularies(Settings.from_environment(environment), environment)
    by_default = {**VOCABULARIES, "agentops": AGENTOPS_WITHOUT_CONTENT}
    assert chosen == [(VOCABULARIES if "AGENTOPS_SEMCONV" in environment else by_default)[name] for name in names]


def test_an_invalid_choice_is_ignored(logged: LoggedWarnings) -> None:
    """There is a warning, and the default has AgentOps' vocabulary."""
    environment = {**AT_AGENTOPS, "AGENTOPS_SEMCONV": "agentopps"}
    chosen = semconv.choose_vocabularies(Settings.from_environment(environment), environment)
    assert chosen == [*(VOCABULARIES[name] for name in ("gen_ai", "llm")), AGENTOPS_WITHOUT_CONTENT]
    assert len(logged.take()) == 1


def test_the_default_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "AGENTOPS_API_KEY", AT_AGENTOPS["AGENTOPS_API_KEY"])
    assert AGENTOPS_WITHOUT_CONTENT in semconv.choose_vocabularies(Settings())


def test_content_is_written_on_the_span_if_the_agentops_sdk_delivers_it() -> None:
    """Its exporter does not add content. By default, this package's exporter does."""
    chosen = semconv.choose_vocabularies(Settings(), AT_AGENTOPS, exporter_adds_content=False)
    assert chosen == [VOCABULARIES[name] for name in DEFAULT_VOCABULARIES]
    assert set(AGENTOPS) - set(AGENTOPS_WITHOUT_CONTENT) == {"gen_ai.prompt", "gen_ai.completion"}


def test_a_merged_vocabulary_records_success_where_one_does() -> None:
    assert Vocabulary.merged([VOCABULARIES[name] for name in DEFAULT_VOCABULARIES]).records_success
    assert not Vocabulary.merged([VOCABULARIES["gen_ai"], VOCABULARIES["llm"]]).records_success


def test_a_total_cost_without_parts_is_recorded() -> None:
    """AgentOps displays it, also without costs of input and output."""
    read = displayed_span(AGENTOPS.attributes(replace(CALL, usage=None, cost=Cost(total=1e-7, source="user"))))
    assert read.cost == 1e-7
