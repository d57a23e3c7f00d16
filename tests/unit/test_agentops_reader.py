"""The model of AgentOps' reader in `support.servers.agentops_reader` finds mistakes in spans."""

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
REMOVED = object()


def changed(**others: object) -> dict[str, object]:
    """The chat with the given attributes at its end (`__` for dots), and without those that are `REMOVED`."""
    changes = {name.replace("__", "."): value for name, value in others.items()}
    kept = {name: value for name, value in CHAT.items() if name not in changes}
    return {**kept, **{name: value for name, value in changes.items() if value is not REMOVED}}


def first(name: str) -> dict[str, object]:
    """The chat with that attribute before all others."""
    return {name: CHAT[name], **CHAT}


def test_a_correct_span_has_no_findings() -> None:
    """Neither a correct chat nor a span of another kind."""
    assert [*findings(CHAT, status="OK", message="")] == []
    assert [*findings({"agentops.span.kind": "operation"}, status="ERROR", message="No.")] == []
    read = displayed_span(CHAT)
    assert (read.type, read.cost, read.tokens["total_tokens"]) == ("request", 0.3, 18)
    assert (read.prompts, read.completions) == ([("user", "Say hello."), ("user", "")], ["Hello."])


@pytest.mark.parametrize(
    ("attributes", "finding"),
    [
        (changed(gen_ai__usage__prompt_tokens=11.0), "gen_ai.usage.prompt_tokens of 11.0, which is displayed as none"),
        (changed(gen_ai__usage__total_tokens=True), "gen_ai.usage.total_tokens of True"),
        (changed(gen_ai__usage__completion_tokens=-1), "gen_ai.usage.completion_tokens of -1"),
        (changed(gen_ai__usage__total_tokens=REMOVED), "cache_read_input_tokens without a total"),
        (
            changed(gen_ai__usage__total_tokens=REMOVED, gen_ai__usage__cache_read_input_tokens=REMOVED),
            "has no gen_ai.usage.total_tokens",
        ),
        (changed(gen_ai__usage__total_cost="0.3"), "has gen_ai.usage.total_cost of '0.3'"),
        (changed(gen_ai__usage__total_cost=-0.3), "has gen_ai.usage.total_cost of -0.3"),
        (changed(gen_ai__usage__total_cost=REMOVED), "has no gen_ai.usage.total_cost"),
        (changed(gen_ai__system=REMOVED), "has no gen_ai.system"),
        ({"gen_ai.prompt": "Say hello.", **CHAT}, "has gen_ai.prompt, in place of numbered names"),
        ({"gen_ai.prompt": "Say hello.", **CHAT}, "has prompts that are not displayed"),
        (first("gen_ai.prompt.1.role"), "has prompts that are not numbered from 0 on"),
        (
            changed(
                gen_ai__prompt__1__role=REMOVED, gen_ai__prompt__1__content=REMOVED, gen_ai__prompt__2__content="a"
            ),
            "has prompts that are not numbered from 0 on",
        ),
        (changed(gen_ai__prompt__1__content=REMOVED), "has a prompt 1 without role or content"),
        (changed(gen_ai__prompt__1__content=REMOVED), "has prompts that are not displayed"),
        (first("gen_ai.completion.0.role"), "has a completion 0 of which role is displayed"),
        (first("gen_ai.completion.0.finish_reason"), "has a completion 0 of which finish_reason is displayed"),
        (changed(gen_ai__completion__0__content=REMOVED), "has a completion 0 without role or content"),
        ({"app.tool.name": "look", **CHAT}, "is displayed as a tool"),
        (changed(agentops__span__kind="operation"), "has gen_ai.usage.total_cost, but is no model call"),
        (changed(agentops__span__kind=REMOVED), "has gen_ai.prompt.0.content, but is no model call"),
    ],
)
def test_wrong_attributes_are_found(attributes: Mapping[str, object], finding: str) -> None:
    """Wrong types, missing totals, wrong numbering, wrong order of names."""
    found = [*findings(attributes, status="OK", message="")]
    assert any(finding in each for each in found), found
    assert not any("Hello" in each or "hello" in each for each in found)


@pytest.mark.parametrize(
    ("status", "message", "finding"),
    [("UNSET", "", "is displayed as indeterminate"), ("ERROR", "", "has no message"), ("ERROR", "No.", None)],
)
def test_a_status_without_an_explanation_is_found(status: str, message: str, finding: str | None) -> None:
    found = [*findings(CHAT, status=status, message=message)]
    assert [finding in each for each in found if finding] == [True] * len(found) == [True] * bool(finding)


def test_the_attribute_tree_drops_names_that_do_not_fit() -> None:
    """AgentOps makes lists of names that count from 0, and no branch below a name with a value."""
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


def test_a_trace_takes_its_name_from_the_first_span_and_its_status_from_the_last() -> None:
    """Its tags are those of the first span too; its tokens and costs are sums over all spans."""
    usage = {"gen_ai__usage__total_tokens": 3, "gen_ai__usage__total_cost": 0.5, "agentops__span__kind": "llm"}
    read = displayed_trace([span("b", 2, **usage), span("a", 1, agentops__tags=["x"]), span("c", 3, **usage)])
    assert (read.name, read.tags, read.status) == ("a", ["x"], "OK")
    assert (read.tokens, read.cost, read.calls) == (6, 1.0, 2)


COPIED = {
    **{name: value for name, value in CHAT.items() if name not in {"gen_ai.response.model", "gen_ai.usage.total_cost"}},
    "gen_ai.usage.total_cost": 0.1 + 0.2,
}
COPY = AgentOpsSpan(
    name="chat.llm",
    status="OK",
    status_message="",
    trace_id="1",
    span_id="1",
    start_ns=1,
    response_id="1",
    attributes=COPIED,
)


def test_spans_with_the_agentops_vocabulary_are_checked_by_its_rules() -> None:
    """They have a status and old names of attributes, which OpenTelemetry's conventions do not allow."""
    right = Span(name="chat gpt-4o", kind="CLIENT", status="OK", attributes={**CHAT, "gen_ai.operation.name": "chat"})
    assert [*check_span(right)] == []
    assert [*check_span(replace(right, status="UNSET"))] == ["has no status, and is displayed as indeterminate"]
    wrong = replace(right, attributes={**right.attributes, "gen_ai.usage.total_cost": 1})
    assert "has gen_ai.usage.total_cost of the type int" in [*check_span(wrong)]


def test_spans_without_a_model_call_have_no_gen_ai_attributes() -> None:
    attributes = {"agentops.span.kind": "operation", "gen_ai.request.model": "gpt-4o"}
    found = ["has gen_ai.request.model, but is no model call"]
    assert [*findings_outside_calls(attributes)] == found
    assert found[0] in check_agentops_span(replace(COPY, name="route.operation", attributes=attributes))
    assert [*findings_outside_calls(CHAT)] == []


def test_tokens_that_two_spans_record_are_found() -> None:
    """AgentOps would count them twice, since it adds up the tokens of the spans of a trace."""
    emitted = Emitted()
    emitted.add(
        [
            COPY,
            replace(COPY, trace_id="2"),
            replace(COPY, response_id="2"),
            replace(COPY, response_id=None),
        ]
    )
    assert emitted.take() == []
    emitted.add([replace(COPY, span_id="2")])
    assert emitted.take() == ["AgentOpsSpan 'chat.llm' has tokens that another span of the trace has"]


def test_a_call_is_checked_with_its_agentops_attributes() -> None:
    """The attributes of the vocabulary are checked even if the span does not have them."""
    with Recorder().tracer_provider.get_tracer("a test").start_as_current_span("any") as any_span:
        recorded = agentops_conformance.agentops_span(any_span, CALL)
    assert (recorded.name, recorded.response_id) == ("chat.llm", "response")
    assert recorded.status_message == "RateLimitError: the rate limit was reached (HTTP 429, azure)"
    assert recorded.attributes["agentops.span.kind"] == "llm"
