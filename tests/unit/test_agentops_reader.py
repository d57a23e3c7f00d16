"""How AgentOps reads spans, when something is wrong with them: a reader that finds nothing says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from support import agentops_conformance
from support.conformance import AgentOpsSpan, Emitted, Span, check_agentops_span, check_span
from support.example_call import CALL
from support.recorder import Recorder
from support.servers.agentops_reader import displayed_span, displayed_trace, findings, findings_outside_calls, tree
from support.servers.otlp_receiver import ReceivedSpan

CHAT: dict[str, object] = {
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Say hello.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "",
    "gen_ai.completion.0.content": "Hello.",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024",
    "gen_ai.provider.name": "openai",
    "gen_ai.usage.prompt_tokens": 11,
    "gen_ai.usage.completion_tokens": 7,
    "gen_ai.usage.cache_read_input_tokens": 4,
    "gen_ai.usage.total_tokens": 18,
    "gen_ai.usage.prompt_cost": 0.1,
    "gen_ai.usage.completion_cost": 0.2,
    "gen_ai.usage.total_cost": 0.3,
    "agentops.span.kind": "llm",
}
LOST = object()


def changed(**others: object) -> dict[str, object]:
    """The chat with other attributes at its end (`__` for dots), or without those that are LOST."""
    given = {name.replace("__", "."): value for name, value in others.items()}
    kept = {name: value for name, value in CHAT.items() if name not in given}
    return {**kept, **{name: value for name, value in given.items() if value is not LOST}}


def first(name: str) -> dict[str, object]:
    """The chat with that attribute before all others."""
    return {name: CHAT[name], **CHAT}


def test_what_is_right_has_no_finding() -> None:
    """A chat as it should be, and what is no call of a model."""
    assert [*findings(CHAT, status="OK", message="")] == []
    assert [*findings({"agentops.span.kind": "operation"}, status="ERROR", message="No.")] == []
    read = displayed_span(CHAT)
    assert (read.type, read.cost, read.tokens["total_tokens"]) == ("request", 0.3, 18)
    assert (read.prompts, read.completions) == ([("user", "Say hello."), ("user", "")], ["Hello."])


@pytest.mark.parametrize(
    ("attributes", "finding"),
    [
        (changed(gen_ai__usage__prompt_tokens=11.0), "gen_ai.usage.prompt_tokens of 11.0, which is shown as none"),
        (changed(gen_ai__usage__total_tokens=True), "gen_ai.usage.total_tokens of True"),
        (changed(gen_ai__usage__completion_tokens=-1), "gen_ai.usage.completion_tokens of -1"),
        (changed(gen_ai__usage__total_tokens=LOST), "cache_read_input_tokens without a total"),
        (
            changed(gen_ai__usage__total_tokens=LOST, gen_ai__usage__cache_read_input_tokens=LOST),
            "has no gen_ai.usage.total_tokens",
        ),
        (changed(gen_ai__usage__total_cost="0.3"), "has gen_ai.usage.total_cost of '0.3'"),
        (changed(gen_ai__usage__total_cost=-0.3), "has gen_ai.usage.total_cost of -0.3"),
        (changed(gen_ai__usage__total_cost=LOST), "has no gen_ai.usage.total_cost"),
        (changed(gen_ai__system=LOST), "has no gen_ai.system"),
        ({"gen_ai.prompt": "Say hello.", **CHAT}, "has gen_ai.prompt, in the place of what is numbered"),
        ({"gen_ai.prompt": "Say hello.", **CHAT}, "has prompts that are not shown"),
        (first("gen_ai.prompt.1.role"), "has prompts that are not numbered from 0 on"),
        (first("gen_ai.prompt.1.role"), "has prompts that are not shown"),
        (
            changed(gen_ai__prompt__1__role=LOST, gen_ai__prompt__1__content=LOST, gen_ai__prompt__2__content="a"),
            "has prompts that are not numbered from 0 on",
        ),
        (changed(gen_ai__prompt__1__content=LOST), "has a prompt 1 without what is to be shown"),
        (changed(gen_ai__prompt__1__content=LOST), "has prompts that are not shown"),
        (first("gen_ai.completion.0.role"), "has a completion 0 of which role is shown"),
        (first("gen_ai.completion.0.finish_reason"), "has a completion 0 of which finish_reason is shown"),
        (changed(gen_ai__completion__0__content=LOST), "has a completion 0 without what is to be shown"),
        ({"llm.tools.0.tool.json_schema": "{}", **CHAT}, "is shown as a tool"),
        (changed(agentops__span__kind="operation"), "has gen_ai.usage.total_cost, and is no model's call"),
        (changed(agentops__span__kind=LOST), "has gen_ai.prompt.0.content, and is no model's call"),
    ],
)
def test_what_is_wrong_is_found(attributes: Mapping[str, object], finding: str) -> None:
    """Types, totals, numbers, the order of names."""
    found = [*findings(attributes, status="OK", message="")]
    assert any(finding in each for each in found), found
    assert not any("Hello" in each or "hello" in each for each in found)


@pytest.mark.parametrize(
    ("status", "message", "finding"),
    [("UNSET", "", "is shown as indeterminate"), ("ERROR", "", "does not say why"), ("ERROR", "No.", None)],
)
def test_a_status_that_says_nothing_is_found(status: str, message: str, finding: str | None) -> None:
    found = [*findings(CHAT, status=status, message=message)]
    assert [finding in each for each in found if finding] == [True] * len(found) == [True] * bool(finding)


def test_a_tree_loses_what_does_not_fit() -> None:
    """What AgentOps makes of names: lists from 0 on, and nothing beneath what has a value."""
    assert tree({"a.0.b": "1", "a.1.b": "2", "c.1.d": "3", "c.10.d": "4", "e": "5", "e.f": "6", "g.0": "7"}) == {
        "a": [{"b": "1"}, {"b": "2"}],
        "c": {"10": {"d": "4"}},
        "e": "5",
        "g": ["7"],
    }
    assert tree({"a.0.b.0.c": "1", "a.0.b.1.c": "2", "a.x": "3"}) == {"a": [{"b": [{"c": "1"}, {"c": "2"}]}]}


def span(name: str, start: int, **attributes: object) -> ReceivedSpan:
    return ReceivedSpan(
        name=name,
        kind="CLIENT",
        trace_id="",
        span_id="",
        parent_span_id="",
        start_ns=start,
        end_ns=start,
        attributes={each.replace("__", "."): value for each, value in attributes.items()},
        status="OK" if start > 1 else "UNSET",
        status_message="",
        events=[],
        scope="",
        resource={},
    )


def test_a_trace_is_of_its_first_and_last_spans() -> None:
    """Its name and tags are the first's, its status the last's, its tokens and costs everybody's."""
    counted = {"gen_ai__usage__total_tokens": 3, "gen_ai__usage__total_cost": 0.5, "agentops__span__kind": "llm"}
    read = displayed_trace([span("b", 2, **counted), span("a", 1, agentops__tags=["x"]), span("c", 3, **counted)])
    assert (read.name, read.tags, read.status) == ("a", ["x"], "OK")
    assert (read.tokens, read.cost, read.calls) == (6, 1.0, 2)


def test_spans_of_the_vocabulary_are_read_so() -> None:
    """Beside what the conventions have to say, which leave the status to the app, and had other names."""
    right = Span(name="chat gpt-4o", kind="CLIENT", status="OK", attributes={**CHAT, "gen_ai.operation.name": "chat"})
    assert [*check_span(right)] == []
    assert [*check_span(replace(right, status="UNSET"))] == ["has no status, and is shown as indeterminate"]
    wrong = replace(right, attributes={**right.attributes, "gen_ai.usage.total_cost": 1})
    assert "has gen_ai.usage.total_cost of the type int" in [*check_span(wrong)]


def test_what_is_no_call_of_a_model_has_no_names_of_them() -> None:
    told = AgentOpsSpan(
        name="route",
        failure=None,
        trace_id=1,
        span_id=1,
        response_id=None,
        attributes={"agentops.span.kind": "operation", "gen_ai.request.model": "gpt-4o"},
    )
    found = ["has gen_ai.request.model, and is no model's call"]
    assert [*check_agentops_span(told)] == [*findings_outside_calls(told.attributes)] == found
    assert [*findings_outside_calls(CHAT)] == []


def test_a_response_that_two_calls_tell_of_is_found() -> None:
    """Within a trace, where AgentOps adds them up."""
    emitted = Emitted()
    told = AgentOpsSpan(name="chat", failure=None, trace_id=1, span_id=1, response_id="1", attributes=CHAT)
    emitted.add([told, replace(told, trace_id=2), replace(told, response_id="2"), replace(told, response_id=None)])
    assert emitted.take() == []
    emitted.add([replace(told, span_id=2)])
    assert emitted.take() == ["AgentOpsSpan 'chat' tells tokens that another call tells"]


def test_a_call_is_told_as_it_is() -> None:
    """What AgentOps would be told of a call is what the vocabulary says of it, on no span at all."""
    with Recorder().tracer_provider.get_tracer("a test").start_as_current_span("any") as any_span:
        told = agentops_conformance.agentops_span(any_span, CALL)
    assert (told.name, told.response_id) == ("chat", "response")
    assert told.failure == "RateLimitError: the rate limit was reached (HTTP 429, azure)"
    assert told.attributes["agentops.span.kind"] == "llm"
