"""What the app says that a call is for: whose it is, of which session, and what of its metadata is to be told."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from opentelemetry.context import Context

from agentops_otel_litellm.call import App as Said
from agentops_otel_litellm.readers.parameters import read_app
from support.proxy_metadata import PROXY
from support.reader_cases import JSON, NO_DEADLINE, check_reader, objects_with


def test_a_conversation_of_the_responses_api() -> None:
    """The API's own, by its id."""
    for given_ in ("conv_1", {"id": "conv_1"}):
        assert read_app({"conversation": given_}, Context()) == Said(conversation_id="conv_1")


def test_halves_of_characters_are_replaced() -> None:
    """No exporter could write them."""
    asked = {"user": "\ud83d", "metadata": {"tags": ["a\udc4d", "👍"]}}
    assert read_app(asked, Context()) == Said(user_id="?", tags=("a?", "👍"))


@NO_DEADLINE
@given(
    parameters=objects_with("user", "conversation", "litellm_session_id", "metadata", "litellm_metadata"),
    metadata=objects_with(*PROXY, "session_id", "trace_session_id", "user_id", "tags", "trace_id", "plan"),
    context=objects_with("session.id", "user.id", "tag.tags", "metadata"),
    text=JSON,
)
def test_anything_from_an_app(
    parameters: dict[str, Any], metadata: dict[str, Any], context: dict[str, Any], text: object
) -> None:
    """Whatever is there, what is read is fit to be written."""
    around = Context({**context, "user.id": text})
    for asked in (parameters, {**parameters, "metadata": metadata}):
        check_reader(lambda: {"app": read_app(asked, around, ("plan",), ("session.id",)) or Said()}, asked)  # noqa: B023
