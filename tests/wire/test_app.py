"""What the app says that a call is for: whose it is, of which session, and what of its metadata is to be told."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import litellm
import openinference.instrumentation as openinference
import pytest
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel_litellm.readers import metadata as metadata_reader
from support.apps import MESSAGES, App
from support.captured import Capture
from support.logged_warnings import LoggedWarnings
from support.proxy_metadata import PROXY
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script

OURS = ("session.id", "user.id", "gen_ai.conversation.id", "litellm.metadata.")
TOLD_OF_PROXY: Attributes = {
    "user.id": "the-end-user",
    "litellm.metadata.user_api_key_alias": "the-key",
    "litellm.metadata.user_api_key_user_id": "the-owner",
    "litellm.metadata.team_id": "team-1",
    "litellm.metadata.team_alias": "the-team",
    "litellm.metadata.org_id": "org-1",
    "litellm.metadata.org_alias": "the-organization",
    "litellm.metadata.project_id": "project-1",
    "litellm.metadata.project_alias": "the-project",
}
# What the app passes → what is told of it.
ASKED: dict[str, tuple[dict[str, Any], Attributes]] = {
    "nothing": ({}, {}),
    "a user": ({"user": "ann"}, {"user.id": "ann"}),
    "a user and a session": (
        {"metadata": {"session_id": "s-1", "user_id": "ann", "note": "canary"}},
        {"session.id": "s-1", "user.id": "ann"},
    ),
    "as Langfuse has them": (
        {
            "user": "the provider's",
            "metadata": {"trace_user_id": "ann", "trace_session_id": "s-1", "session_id": "s-2"},
        },
        {"session.id": "s-1", "user.id": "ann"},
    ),
    "tags": ({"metadata": {"tags": ["a", "b", 1]}}, {"litellm.metadata.tags": ("a", "b")}),
    "numbers": ({"metadata": {"user_id": 7, "session_id": True}}, {"user.id": "7"}),
    "LiteLLM's session": ({"litellm_session_id": "s-1", "metadata": {"session_id": "s-2"}}, {"session.id": "s-1"}),
    "a trace that LiteLLM calls a session": ({"litellm_session_id": "t-1", "metadata": {"trace_id": "t-1"}}, {}),
    "a session that the proxy made up": (
        {
            "litellm_session_id": "s-1",
            "metadata": {"session_id": "s-1", "litellm_session_id_generated": True, "user_id": "ann"},
        },
        {"user.id": "ann"},
    ),
    "a conversation": ({"metadata": {"conversation_id": "c-1"}}, {"gen_ai.conversation.id": "c-1"}),
    "the proxy's": ({"metadata": PROXY}, TOLD_OF_PROXY),
    "the proxy's, where the other is the provider's": (
        {"metadata": {"user_api_key_alias": "made up"}, "litellm_metadata": PROXY},
        TOLD_OF_PROXY,
    ),
    "what is too long": ({"user": "u" * 1_000}, {"user.id": "u" * 256}),
}


def told(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if name.startswith(OURS)}


@pytest.mark.parametrize(("asked", "expected"), ASKED.values(), ids=ASKED.keys())
def test_what_the_app_passes_is_told_by_name(
    app: App, telemetry: Recorder, asked: dict[str, Any], expected: Attributes
) -> None:
    """Of metadata only what is meant to be told: keys, addresses and headers are there too; metrics have none of it."""
    app.ask("completion", **deepcopy(asked))  # LiteLLM merges the one metadata into the other
    assert told(telemetry.attributes()) == expected
    assert "canary" not in telemetry.everything()
    for point in telemetry.points():
        assert told(point.attributes) == {}


def test_metadata_is_told_by_the_names_of_the_users_choice(app: App, capture: Capture, logged: LoggedWarnings) -> None:
    """Plain values, from wherever metadata is; nothing else."""
    recorder = capture("", AGENTOPS_METADATA_KEYS="tenant, feature,nothing,deep")
    metadata = {"tenant": "acme", "plan": "canary", "feature": 7, "deep": {"a": "canary"}, "team_id": "canary"}
    app.ask("completion", metadata=metadata)
    assert told(recorder.attributes()) == {"litellm.metadata.tenant": "acme", "litellm.metadata.feature": "7"}
    assert "canary" not in recorder.everything()
    logged.take()  # about the dictionary, once for each name


METADATA: dict[str, tuple[object, object]] = {
    "a boolean": (True, "true"),
    "no": (False, "false"),
    "a float": (0.5, "0.5"),
    "an infinite float": (float("inf"), None),
    "a large integer": (2**62, str(2**62)),
    "a decimal number": (Decimal("1.20"), "1.20"),
    "a UUID": (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "a date": (date(2026, 1, 31), "2026-01-31"),
    "a date and time": (datetime(2026, 1, 31, 12, tzinfo=timezone.utc), "2026-01-31T12:00:00+00:00"),
    "an enum": (StatusCode.ERROR, "2"),
    "a list": (["a", 7, True], ("a", "7", "true")),
    "a tuple": (("a", "b"), ("a", "b")),
    "a set": ({"a"}, ("a",)),
    "an empty list": ([], None),
    "nothing": (None, None),
    "a list of dictionaries": ([{"a": "canary"}], None),
    "an object": (object(), None),
}


@pytest.mark.parametrize("case", METADATA)
def test_metadata_of_any_plain_type_is_recorded(app: App, capture: Capture, case: str) -> None:
    value, expected = METADATA[case]
    recorder = capture("", AGENTOPS_METADATA_KEYS=case)  # an attribute has one type
    app.ask("completion", metadata={case: value})
    assert told(recorder.attributes()) == ({} if expected is None else {f"litellm.metadata.{case}": expected})
    assert "canary" not in recorder.everything()


def test_metadata_that_cannot_be_recorded_is_reported_once(
    app: App, capture: Capture, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_reader, "_warned", set())
    recorder = capture("", AGENTOPS_METADATA_KEYS="a dictionary")
    for _ in range(2):
        app.ask("completion", metadata={"a dictionary": {"a": "canary"}})
    assert [told(attributes_of(span)) for span in recorder.spans()] == [{}, {}]
    (line,) = logged.take()
    assert "'a dictionary', which AGENTOPS_METADATA_KEYS names, is a dict" in line
    assert "canary" not in line


def test_baggage_is_told_by_name(app: App, capture: Capture) -> None:
    """Session and user as such, others as metadata; what the app passes wins."""
    recorder = capture("", AGENTOPS_BAGGAGE_KEYS="session.id,user.id,gen_ai.conversation.id,tenant")
    carried = {"session.id": "s-1", "user.id": "bob", "gen_ai.conversation.id": "c", "tenant": "acme", "x": "canary"}
    context = Context()
    for name, value in carried.items():
        context = baggage.set_baggage(name, value, context)
    token = attach(context)
    try:
        app.ask("completion", user="ann")
    finally:
        detach(token)
    assert told(recorder.attributes()) == {
        "session.id": "s-1",
        "user.id": "ann",
        "gen_ai.conversation.id": "c",
        "litellm.metadata.tenant": "acme",
    }
    assert "canary" not in recorder.everything()


def test_openinferences_context_is_told(app: App, capture: Capture) -> None:
    """Its `using_attributes` works as with its own instrumentations, and wins against baggage."""
    recorder = capture("", AGENTOPS_METADATA_KEYS="tenant")
    token = attach(baggage.set_baggage("session.id", "s-1", baggage.set_baggage("user.id", "bob")))
    try:
        with openinference.using_attributes(
            session_id="s-2", tags=["a", "b"], metadata={"tenant": "acme", "plan": "canary"}
        ):
            app.ask("completion")
    finally:
        detach(token)
    assert told(recorder.attributes()) == {
        "session.id": "s-2",
        "user.id": "bob",
        "litellm.metadata.tags": ("a", "b"),
        "litellm.metadata.tenant": "acme",
    }
    assert "canary" not in recorder.everything()


def test_a_stream_and_a_failure_say_whose_they_are(app: App, telemetry: Recorder) -> None:
    """However the call ends."""
    app.read("completion", user="ann")
    app.provider.script(Script(status=400))
    with pytest.raises(litellm.BadRequestError):
        app.ask("completion", user="ann")
    assert [told(attributes_of(span)) for span in telemetry.spans()] == [{"user.id": "ann"}] * 2


def test_a_routed_call_and_its_route_say_whose_they_are(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The Router hands on what it was given."""
    deployment = {"model": "openai/gpt-4o", "api_base": provider.base_url, "api_key": "sk-test"}
    router = litellm.Router([{"model_name": "fast", "litellm_params": deployment}])
    router.completion("fast", MESSAGES, metadata={"session_id": "s-1", "trace_user_id": "ann"})
    spans = {span.kind: told(attributes_of(span)) for span in telemetry.spans()}
    whose = {"session.id": "s-1", "user.id": "ann"}
    assert spans == {SpanKind.CLIENT: whose, SpanKind.INTERNAL: whose}
