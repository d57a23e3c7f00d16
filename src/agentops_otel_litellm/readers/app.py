"""What the app says that a call is for: in LiteLLM's parameters, and in the OpenTelemetry context around the call.

Of metadata only what is listed here, or what the user of this package lists, is told: keys, e-mail addresses and
headers are there as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context

from agentops_otel_litellm.attribute_values import clean_text
from agentops_otel_litellm.call import App
from agentops_otel_litellm.readers.values import identifier, integer, members, rows_for, taken

Parameters = Mapping[str, Any]

_LONGEST = 256
_MOST_TAGS = 64


def told(value: Any) -> str | None:
    """A name or an identifier, cut to a bearable length. Some apps number their users."""
    if isinstance(value, str):
        return _short(value) or None
    number = integer(value)
    return None if number is None else str(number)


def tags(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    return tuple(_short(tag) for tag in value[:_MOST_TAGS] if isinstance(tag, str)) or None


def _short(text: str) -> str:
    """Without halves of characters, which no exporter can write."""
    return clean_text(str.__str__(text)[:_LONGEST])


def _conversation(value: Any) -> str | None:
    """The Responses API's: an id, or an object that has it."""
    return identifier(value if isinstance(value, str) else members(value).get("id"))


_PROXY = rows_for(
    App,
    {
        "user_api_key_end_user_id": ("user_id", told),
        "user_api_key_alias": ("key_alias", told),
        "user_api_key_user_id": ("key_user_id", told),
        "user_api_key_team_id": ("team_id", told),
        "user_api_key_team_alias": ("team_alias", told),
        "user_api_key_org_id": ("organization_id", told),
        "user_api_key_org_alias": ("organization_alias", told),
        "user_api_key_project_id": ("project_id", told),
        "user_api_key_project_alias": ("project_alias", told),
    },
)
_PARAMETERS = rows_for(
    App,
    {
        "user": ("user_id", told),
        "conversation": ("conversation_id", _conversation),
    },
)
_GIVEN = frozenset(_PARAMETERS)
_METADATA = rows_for(
    App,
    {
        "conversation_id": ("conversation_id", told),
        "session_id": ("session_id", told),
        "tags": ("tags", tags),
        "user_id": ("user_id", told),
    },
)
# As those write them who also use Langfuse.
_TRACE = rows_for(
    App,
    {
        "trace_session_id": ("session_id", told),
        "trace_user_id": ("user_id", told),
    },
)
_BAGGAGE = {"session.id": "session_id", "user.id": "user_id", "gen_ai.conversation.id": "conversation_id"}
# OpenInference's `using_session` and the like: they are there whether its package is, or not.
_CONTEXT = rows_for(
    App,
    {
        "session.id": ("session_id", told),
        "user.id": ("user_id", told),
        "tag.tags": ("tags", tags),
    },
)
_PLACES = ("metadata", "litellm_metadata")
"""The proxy writes to the second where the first is the provider's: it has the last word."""
_MADE_UP = "litellm_session_id_generated"


def read_app(
    parameters: Parameters,
    context: Context,
    metadata_keys: Sequence[str] = (),
    baggage_keys: Sequence[str] = (),
) -> App | None:
    """What is said in baggage, in OpenInference's context, and in the parameters: the later ones win."""
    known: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    if context:
        _read_context(context, baggage_keys, known, metadata)
    places = [place for name in _PLACES if isinstance(place := parameters.get(name), dict) and place]
    for place in places:
        known |= taken(place, _PROXY)
    if not _GIVEN.isdisjoint(parameters):
        known |= taken(parameters, _PARAMETERS)
    for place, rows in product(places, (_METADATA, _TRACE)):
        known |= _without_made_up_session(taken(place, rows), place)
    if "litellm_session_id" in parameters:
        known |= _session(parameters["litellm_session_id"], places)
    for place in (*_openinference(context), *places) if metadata_keys else ():
        metadata |= _named(place, metadata_keys)
    return App(**known, metadata=metadata or None) if known or metadata else None


def _read_context(context: Context, keys: Sequence[str], known: dict[str, Any], metadata: dict[str, str]) -> None:
    """By field; what of baggage is no field by the name it has there."""
    carried = baggage.get_all(context)
    if carried:
        for name, value in _named(carried, keys).items():
            if name in _BAGGAGE:
                known[_BAGGAGE[name]] = value
            else:
                metadata[name] = value
    known |= taken(context, _CONTEXT)


def _named(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    return {name: known for name in names if (known := told(given.get(name))) is not None}


def _openinference(context: Context) -> Iterator[Mapping[str, Any]]:
    """Its metadata, which it keeps as JSON."""
    text, given = context.get("metadata"), None
    with suppress(ValueError):  # it is another's
        given = json.loads(text) if isinstance(text, str) else None
    if isinstance(given, dict):
        yield given


def _without_made_up_session(known: dict[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    """The proxy can be told to invent a session for a call that has none."""
    if place.get(_MADE_UP):
        known.pop("session_id", None)
    return known


def _session(given: Any, places: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """LiteLLM's own parameter, into which it also writes the id of the trace, and what it invents."""
    session = told(given)
    made_up = [told(place.get("trace_id")) for place in places]
    made_up += [told(place.get("session_id")) for place in places if place.get(_MADE_UP)]
    return {} if session is None or session in made_up else {"session_id": session}
