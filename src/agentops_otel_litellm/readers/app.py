"""The user, session, tags and metadata of a call, from LiteLLM's parameters and from the OpenTelemetry context.

Metadata also contains keys, e-mail addresses and headers, so only the entries that are listed here, or that the
application lists in a setting, are recorded.
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
from agentops_otel_litellm.readers.values import fields_of, identifier, integer, read_fields, rows_for

Parameters = Mapping[str, Any]

_MAX_LENGTH = 256
_MAX_TAGS = 64


def label(value: Any) -> str | None:
    """A name or an identifier, cut to the maximum length. Applications may use numbers as ids of their users."""
    if isinstance(value, str):
        return _short(value) or None
    number = integer(value)
    return None if number is None else str(number)


def tags(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    return tuple(_short(tag) for tag in value[:_MAX_TAGS] if isinstance(tag, str)) or None


def _short(text: str) -> str:
    """Cut a text, and remove lone surrogates, which no exporter can encode."""
    return clean_text(str.__str__(text)[:_MAX_LENGTH])


def _conversation(value: Any) -> str | None:
    """The id in the Responses API's parameter `conversation`, which is either the id or an object with a field `id`."""
    return identifier(value if isinstance(value, str) else fields_of(value).get("id"))


_PROXY = rows_for(
    App,
    {
        "user_api_key_end_user_id": ("user_id", label),
        "user_api_key_alias": ("key_alias", label),
        "user_api_key_user_id": ("key_user_id", label),
        "user_api_key_team_id": ("team_id", label),
        "user_api_key_team_alias": ("team_alias", label),
        "user_api_key_org_id": ("organization_id", label),
        "user_api_key_org_alias": ("organization_alias", label),
        "user_api_key_project_id": ("project_id", label),
        "user_api_key_project_alias": ("project_alias", label),
    },
)
_PARAMETERS = rows_for(
    App,
    {
        "user": ("user_id", label),
        "conversation": ("conversation_id", _conversation),
    },
)
_PARAMETER_NAMES = frozenset(_PARAMETERS)
_METADATA = rows_for(
    App,
    {
        "conversation_id": ("conversation_id", label),
        "session_id": ("session_id", label),
        "tags": ("tags", tags),
        "user_id": ("user_id", label),
    },
)
# Names that LiteLLM's Langfuse callback reads.
_TRACE = rows_for(
    App,
    {
        "trace_session_id": ("session_id", label),
        "trace_user_id": ("user_id", label),
    },
)
_BAGGAGE = {"session.id": "session_id", "user.id": "user_id", "gen_ai.conversation.id": "conversation_id"}
# Context keys that OpenInference's `using_session` and similar functions set.
_CONTEXT = rows_for(
    App,
    {
        "session.id": ("session_id", label),
        "user.id": ("user_id", label),
        "tag.tags": ("tags", tags),
    },
)
_METADATA_PARAMETERS = ("metadata", "litellm_metadata")
"""Parameters that contain LiteLLM's metadata. If the provider's API has a parameter `metadata`, the proxy writes its
metadata to `litellm_metadata`, so the second takes precedence.
"""
_IS_GENERATED_SESSION = "litellm_session_id_generated"


def read_app(
    parameters: Parameters,
    context: Context,
    metadata_keys: Sequence[str] = (),
    baggage_keys: Sequence[str] = (),
) -> App | None:
    """Read the user, session, tags and metadata from baggage, from OpenInference's context and from the parameters.

    If several of these sources have a value, the last one in this order is used.
    """
    known: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    if context:
        _read_context(context, baggage_keys, known, metadata)
    metadata_dicts = [
        entries for name in _METADATA_PARAMETERS if isinstance(entries := parameters.get(name), dict) and entries
    ]
    for entries in metadata_dicts:
        known |= read_fields(entries, _PROXY)
    if not _PARAMETER_NAMES.isdisjoint(parameters):
        known |= read_fields(parameters, _PARAMETERS)
    for entries, rows in product(metadata_dicts, (_METADATA, _TRACE)):
        known |= _without_generated_session(read_fields(entries, rows), entries)
    if "litellm_session_id" in parameters:
        known |= _session(parameters["litellm_session_id"], metadata_dicts)
    for entries in (*_openinference(context), *metadata_dicts) if metadata_keys else ():
        metadata |= _select_labels(entries, metadata_keys)
    return App(**known, metadata=metadata or None) if known or metadata else None


def _read_context(context: Context, keys: Sequence[str], known: dict[str, Any], metadata: dict[str, str]) -> None:
    """Read OpenInference's context, and the baggage entries `keys`. Session, user and conversation are added to
    `known`, the others to `metadata`.
    """
    entries = baggage.get_all(context)
    if entries:
        for name, value in _select_labels(entries, keys).items():
            if name in _BAGGAGE:
                known[_BAGGAGE[name]] = value
            else:
                metadata[name] = value
    known |= read_fields(context, _CONTEXT)


def _select_labels(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The entries of `values` with these names, as labels. Values that are neither texts nor integers are omitted."""
    return {name: known for name in names if (known := label(values.get(name))) is not None}


def _openinference(context: Context) -> Iterator[Mapping[str, Any]]:
    """OpenInference's metadata, which the context has as JSON."""
    text, metadata = context.get("metadata"), None
    with suppress(ValueError):  # different code may have set the key `metadata` to a text that is not JSON
        metadata = json.loads(text) if isinstance(text, str) else None
    if isinstance(metadata, dict):
        yield metadata


def _without_generated_session(known: dict[str, Any], entries: Mapping[str, Any]) -> dict[str, Any]:
    """Omit the session id if the proxy has generated it. The proxy can be configured to do so for calls without one."""
    if entries.get(_IS_GENERATED_SESSION):
        known.pop("session_id", None)
    return known


def _session(value: Any, metadata_dicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Read `litellm_session_id`, unless LiteLLM has set it to the trace id or to a generated session."""
    session = label(value)
    generated = [label(entries.get("trace_id")) for entries in metadata_dicts]
    generated += [label(entries.get("session_id")) for entries in metadata_dicts if entries.get(_IS_GENERATED_SESSION)]
    return {} if session is None or session in generated else {"session_id": session}
