"""What backends read of a span, from the mappers that they publish, and what they show of an example call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentops_otel_litellm.call import App, Call, Cost, Request, Response, Stream, Target, Timing, Usage
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.convention import Vocabulary
from agentops_otel_litellm.settings.backends import BACKENDS

CALL = Call(
    name="chat",
    operation="chat",
    target=Target(provider="openai", model="gpt-4o", address="api.openai.com", port=443),
    timing=Timing(started_at=1_700_000_000_000_000_000, duration=2.0),
    request=Request(model="openai/gpt-4o", stream=True),
    response=Response(id="r-1", model="gpt-4o", finish_reasons=("stop",)),
    usage=Usage(input=40, output=12, total=52, cache_read=8, cache_write=4, reasoning=5, input_text=40),
    cost=Cost(total=0.5, source="litellm", input=0.3, output=0.2, cache_read=0.01, cache_write=0.02),
    stream=Stream(outcome="completed", chunk_count=3, first_chunk=0.5, first_token=0.5),
    app=App(session_id="session-1", user_id="ann", conversation_id="session-1", tags=("a", "b")),
)
FACTS: Mapping[str, object] = {
    "model": "gpt-4o",
    "input tokens": 40,
    "output tokens": 12,
    "cache writes": 4,
    "cost": 0.5,
    "session": "session-1",
    "user": "ann",
    "tags": ["a", "b"],
    "first token": 0.5,
}
"""Fact → the value of the example call. The outcome is the status of the span, which all of these backends read."""
DEFAULT = ("gen_ai", "llm")


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """What a backend reads: fact → the attributes, the first of which decides. A fact that is not listed is unread."""

    source: str
    """Repository, file and commit."""
    reads: Mapping[str, Sequence[str]]
    conventions: Sequence[str]
    """The conventions of `AGENTOPS_BACKEND`, or those that a user can choose."""


_MODEL = ("gen_ai.response.model", "gen_ai.request.model")
_TOKENS = {
    "input tokens": ("gen_ai.usage.input_tokens",),
    "output tokens": ("gen_ai.usage.output_tokens",),
}
_OLDER = ("gen_ai", "gen_ai_older", "llm")
MAPPERS: Mapping[str, Mapper] = {
    "Langfuse": Mapper(
        source="langfuse/langfuse packages/shared/src/server/otel/OtelIngestionProcessor.ts 6275144614",
        reads={
            "model": ("langfuse.observation.model.name", *_MODEL),
            # The tokens and the cost are read by `langfuse_details`.
            "session": ("langfuse.session.id", "session.id", "gen_ai.conversation.id"),
            "user": ("langfuse.user.id", "user.id"),
            "tags": ("langfuse.trace.tags", "langfuse.tags", "tag.tags"),
        },
        conventions=BACKENDS["langfuse"].conventions,
    ),
    "OpenObserve": Mapper(
        source="openobserve/openobserve src/core/src/traces/otel/{attributes,extractors/usage}.rs fbab9b80a2",
        reads={
            "model": _MODEL,
            **_TOKENS,
            "cache writes": ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write_tokens"),
            "cost": ("gen_ai.usage.cost",),
            "session": ("session.id", "gen_ai.conversation.id"),
            "user": ("user.id",),
            "first token": ("gen_ai.response.time_to_first_chunk",),
        },
        conventions=BACKENDS["openobserve"].conventions,
    ),
    "SigNoz (dashboards)": Mapper(
        source="SigNoz/dashboards **/*.json df41411",
        reads={
            "model": ("gen_ai.request.model",),
            **_TOKENS,
            "cost": ("gen_ai.usage.cost",),
            "session": ("gen_ai.conversation.id",),
            "first token": ("gen_ai.response.time_to_first_chunk",),
        },
        conventions=BACKENDS["signoz"].conventions,
    ),
    "PostHog": Mapper(
        source="PostHog/posthog nodejs/src/ingestion/ai/{otel/attribute-mapping,costs/index}.ts 0e8fbe2cba 116aadbfe2",
        reads={
            "model": _MODEL,
            **_TOKENS,
            "cache writes": ("$ai_cache_creation_input_tokens",),
            "cost": ("$ai_total_cost_usd",),
            "session": ("$ai_session_id",),
            "user": ("posthog.distinct_id",),
            "first token": ("$ai_time_to_first_token",),
        },
        conventions=BACKENDS["posthog"].conventions,
    ),
    "Laminar (`gen_ai,gen_ai_older,laminar,llm`)": Mapper(
        source="lmnr-ai/lmnr app-server/src/traces/{span_attributes,spans}.rs 39a1e595b",
        reads={
            "model": _MODEL,
            **_TOKENS,
            "cache writes": ("gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
            "cost": ("gen_ai.usage.cost",),
            "session": ("lmnr.association.properties.session_id",),
            "user": ("lmnr.association.properties.user_id",),
            "tags": ("lmnr.association.properties.tags",),
        },
        conventions=(*_OLDER, "laminar"),
    ),
    "LangWatch (`gen_ai,gen_ai_older,langwatch,llm`)": Mapper(
        source="langwatch/langwatch platform/app/src/server/app-layer/traces/** 6ce6cbb33f",
        reads={
            "model": _MODEL,
            **_TOKENS,
            "cache writes": ("gen_ai.usage.cache_creation.input_tokens",),
            "cost": ("langwatch.span.cost", "gen_ai.usage.cost"),
            "session": ("langwatch.thread.id", "gen_ai.conversation.id"),
            "user": ("langwatch.user.id",),
            "tags": ("langwatch.labels", "langwatch.tags"),
            "first token": ("gen_ai.response.time_to_first_chunk",),
        },
        conventions=(*_OLDER, "langwatch"),
    ),
}


def emitted(conventions: Sequence[str]) -> dict[str, Any]:
    """The attributes of the example call, with the SDK's tuples as lists."""
    written = Vocabulary.merged([VOCABULARIES[name] for name in conventions]).attributes(CALL)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in written.items()}


def shown(name: str, conventions: Sequence[str]) -> dict[str, object]:
    """Fact → the value that the backend reads. Unread facts are absent."""
    attributes = emitted(conventions)
    read = {
        fact: next((attributes[each] for each in names if attributes.get(each) not in (None, "", [])), None)
        for fact, names in MAPPERS[name].reads.items()
    }
    if name == "Langfuse":
        read |= langfuse_details(attributes)
    return {fact: value for fact, value in read.items() if value is not None}


def langfuse_details(attributes: Mapping[str, Any]) -> dict[str, object]:
    """The tokens, cost and first token that Langfuse reads. `tests/system/test_langfuse_mapper.py` compares this with
    Langfuse's own code.
    """
    if "langfuse.observation.usage_details" in attributes:
        usage = json.loads(attributes["langfuse.observation.usage_details"])
    else:
        usage = {
            name.removeprefix("gen_ai.usage."): value
            for name, value in attributes.items()
            if name.startswith("gen_ai.usage.") and isinstance(value, int | float)
        }
        read, reasoning = usage.pop("cache_read.input_tokens", 0), usage.pop("reasoning.output_tokens", 0)
        written = usage.pop("cache_creation.input_tokens", None)
        usage["input"] = usage.pop("input_tokens", 0) - read - (written or 0)
        usage["output"] = usage.pop("output_tokens", 0) - reasoning
        usage |= {"input_cached_tokens": read, "output_reasoning_tokens": reasoning}
        if written is not None:
            usage["input_cache_creation"] = written
    details = attributes.get("langfuse.observation.cost_details")
    cost = json.loads(details)["total"] if details else attributes.get("gen_ai.usage.cost")
    start = attributes.get("langfuse.observation.completion_start_time")
    return {
        # Langfuse adds up all kinds: of the input, those that contain `input`, and likewise for the output.
        "input tokens": sum(number for kind, number in usage.items() if "input" in kind),
        "output tokens": sum(number for kind, number in usage.items() if "output" in kind),
        "cache writes": usage.get("input_cache_creation"),
        "cost": cost,
        "first token": 0.5 if start == "2023-11-14T22:13:20.500000Z" else start,
    }


def states(name: str, conventions: Sequence[str]) -> dict[str, str]:
    """Fact → `correct`, `wrong` or `absent`."""
    read = shown(name, conventions)
    return {
        fact: "absent" if fact not in read else "correct" if read[fact] == expected else "wrong"
        for fact, expected in FACTS.items()
    }


def table() -> str:
    """The table of `docs/backends.md`. A fact that has changed has both states."""
    lines = [f"| backend | {' | '.join(FACTS)} |", f"|{'---|' * (len(FACTS) + 1)}"]
    for name, mapper in MAPPERS.items():
        before, after = states(name, DEFAULT), states(name, mapper.conventions)
        cells = [
            after[fact] if before[fact] == after[fact] else f"{before[fact]} → **{after[fact]}**" for fact in FACTS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sources = "\n".join(f"- {name.split(' (')[0]}: `{mapper.source}`" for name, mapper in MAPPERS.items())
    return "\n".join(lines) + f"\n\nSources (repository, file, commit):\n\n{sources}"
