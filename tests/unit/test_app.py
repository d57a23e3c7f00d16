"""Facts that the application passes with a call: user, session, conversation, tags and metadata."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from opentelemetry.context import Context

from agentops_otel_litellm.call import App as AppFacts
from agentops_otel_litellm.readers import metadata as metadata_reader
from agentops_otel_litellm.readers.metadata import read_app
from support.proxy_metadata import PROXY
from support.reader_cases import JSON, NO_DEADLINE, check_reader, objects_with


def test_a_conversation_of_the_responses_api() -> None:
    """The id of the conversation is read from a string or an object."""
    for conversation in ("conv_1", {"id": "conv_1"}):
        assert read_app({"conversation": conversation}, Context()) == AppFacts(conversation_id="conv_1")


def test_lone_surrogates_are_replaced() -> None:
    """Exporters cannot encode lone surrogates as UTF-8."""
    parameters = {"user": "\ud83d", "metadata": {"tags": ["a\udc4d", "👍"]}}
    assert read_app(parameters, Context()) == AppFacts(user_id="?", tags=("a?", "👍"))


@NO_DEADLINE
@given(
    parameters=objects_with("user", "conversation", "litellm_session_id", "metadata", "litellm_metadata"),
    metadata=objects_with(*PROXY, "session_id", "trace_session_id", "user_id", "tags", "trace_id", "plan"),
    context=objects_with("session.id", "user.id", "tag.tags", "metadata"),
    text=JSON,
)
def test_any_parameters_and_baggage(
    parameters: dict[str, Any], metadata: dict[str, Any], context: dict[str, Any], text: object
) -> None:
    """Any values lead to valid attributes."""
    metadata_reader._warned.add("plan")  # it may be a dictionary
    around = Context({**context, "user.id": text})
    for passed in (parameters, {**parameters, "metadata": metadata}):
        check_reader(lambda: {"app": read_app(passed, around, ("plan",), ("session.id",)) or AppFacts()}, passed)  # noqa: B023
