"""Reads what the application sets beside the request: user, session, conversation, tags and metadata.

Metadata can contain keys, e-mail addresses and headers, so it is recorded only as far as this file or a setting lists
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import product
from math import isfinite
from typing import Any
from uuid import UUID

from opentelemetry import baggage
from opentelemetry.context import Context

from agentops_otel_litellm.call import App
from agentops_otel_litellm.guard import ignored_faults, logger
from agentops_otel_litellm.readers.values import Parameters, fields_of, identifier, integer, read_fields, rows_for
from agentops_otel_litellm.records import clean_text

_MAX_LENGTH = 256
_MAX_TAGS = 64
_warned: set[str] = set()
"""Names of metadata about whose values a warning was logged. There are no more than the user has named."""


def label(value: Any) -> str | None:
    """A name or an id as text, cut to the maximum length. It may be an integer, such as the number of a user."""
    if isinstance(value, str):
        return _short(value) or None
    number = integer(value)
    return None if number is None else str(number)


def metadata_value(value: Any) -> str | tuple[str, ...] | None:
    """A value of the application's metadata: a list, tuple or set as texts, at most `_MAX_TAGS`, and any other value as
    text. `None` for objects without an obvious text, such as dicts and bytes.
    """
    if isinstance(value, list | tuple | set | frozenset):
        texts = [known for each in value if (known := _plain_text(each)) is not None]
        return tuple(texts[:_MAX_TAGS]) or None
    return _plain_text(value)


def _plain_text(value: Any) -> str | None:
    """A text, number, boolean, date, time, UUID or enum member as text, cut to the maximum length: `true`, `0.5`,
    `2026-01-31T12:00:00`.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float.__repr__(value) if isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | Fraction | UUID):
        return _short(str(value))
    return label(value)


def tags(value: Any) -> tuple[str, ...] | None:
    """The texts in a list, at most `_MAX_TAGS`, each cut to the maximum length."""
    if not isinstance(value, list | tuple):
        return None
    return tuple(_short(tag) for tag in value[:_MAX_TAGS] if isinstance(tag, str)) or None


def _short(text: str) -> str:
    """Cut a text, and remove lone surrogates, which no exporter can encode."""
    return clean_text(str.__str__(text)[:_MAX_LENGTH])


def _conversation(value: Any) -> str | None:
    """The id in the Responses API's parameter `conversation`, which is the id itself or an object with a field `id`."""
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
        "prompt_id": ("prompt_name", label),
        "prompt_version": ("prompt_version", integer),
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
# Entries of the metadata that LiteLLM's Langfuse callback reads.
_TRACE = rows_for(
    App,
    {
        "trace_name": ("trace_name", label),
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
METADATA_PARAMETERS = ("metadata", "litellm_metadata")
"""Parameters that contain LiteLLM's metadata. The second takes precedence: if the provider's API has a parameter
`metadata`, LiteLLM's proxy writes to `litellm_metadata`.
"""
_IS_GENERATED_SESSION = "litellm_session_id_generated"


def read_app(
    parameters: Parameters,
    context: Context,
    metadata_keys: Sequence[str] = (),
    baggage_keys: Sequence[str] = (),
) -> App | None:
    """Read user, session, tags and metadata from the baggage, from OpenInference's context and from the parameters.

    If several of these sources have a value, the last one in this order is used. `metadata_keys` and `baggage_keys` are
    the names of the entries that the user has chosen to record.
    """
    known: dict[str, Any] = {}
    metadata: dict[str, str | tuple[str, ...]] = {}
    if context:
        _read_context(context, baggage_keys, known, metadata)
    metadata_dicts: list[dict[str, Any]] = []
    for name in METADATA_PARAMETERS:
        entries = parameters.get(name)
        if isinstance(entries, dict) and entries:
            metadata_dicts.append(entries)
    for entries in metadata_dicts:
        known |= read_fields(entries, _PROXY)
    if not _PARAMETER_NAMES.isdisjoint(parameters):
        known |= read_fields(parameters, _PARAMETERS)
    for entries, rows in product(metadata_dicts, (_METADATA, _TRACE)):
        known |= _without_generated_session(read_fields(entries, rows), entries)
    if "litellm_session_id" in parameters:
        known |= _session(parameters["litellm_session_id"], metadata_dicts)
    for entries in (*_openinference(context), *metadata_dicts) if metadata_keys else ():
        metadata |= _select_metadata(entries, metadata_keys)
    return App(**known, metadata=metadata or None) if known or metadata else None


def _read_context(context: Context, keys: Sequence[str], known: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Read OpenInference's context, and the baggage entries with the names `keys`. Session, user, conversation and tags
    are added to `known`, other baggage to `metadata`.
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
    """The entries of `values` that have one of the names, as text. Only texts and integers are included."""
    return {name: known for name in names if (known := label(values.get(name))) is not None}


def _select_metadata(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, str | tuple[str, ...]]:
    """The entries of `values` that have one of the names. A warning is logged for a value that cannot be recorded."""
    selected: dict[str, str | tuple[str, ...]] = {}
    for name in names:
        value = values.get(name)
        known = metadata_value(value)
        if known is not None:
            selected[name] = known
        elif isinstance(value, Mapping | bytes | bytearray) and name not in _warned:
            _warned.add(name)
            with ignored_faults():  # a logging handler of the application may raise
                logger.warning(
                    "The metadata %r, which AGENTOPS_METADATA_KEYS names, is a %s (expected a text, a number, a "
                    "boolean, a date, a UUID, or a list of these). It is not recorded. Pass its parts separately.",
                    name,
                    type(value).__name__,
                )
    return selected


def _openinference(context: Context) -> Iterator[Mapping[str, Any]]:
    """Yield OpenInference's metadata, if the context has any. It is JSON text."""
    text, metadata = context.get("metadata"), None
    with suppress(ValueError):  # different code may have set the key `metadata` to a text that is not JSON
        metadata = json.loads(text) if isinstance(text, str) else None
    if isinstance(metadata, dict):
        yield metadata


def _without_generated_session(known: dict[str, Any], entries: Mapping[str, Any]) -> dict[str, Any]:
    """Omit the session id if LiteLLM's proxy has generated it, as it can be configured to do for calls without one."""
    if entries.get(_IS_GENERATED_SESSION):
        known.pop("session_id", None)
    return known


def _session(value: Any, metadata_dicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Read `litellm_session_id`, unless LiteLLM has set it to the id of the trace or to a generated session id."""
    session = label(value)
    generated = [label(entries.get("trace_id")) for entries in metadata_dicts]
    generated += [label(entries.get("session_id")) for entries in metadata_dicts if entries.get(_IS_GENERATED_SESSION)]
    return {} if session is None or session in generated else {"session_id": session}
