"""Counts of streams for which the app did not ask: asked for, kept, and never shown.

The question is put where LiteLLM makes of a call's parameters what its provider takes. By then it knows provider and
model, and what comes of it is for this one request: the app's arguments, by which LiteLLM also finds answers in its
cache and makes the Router's further attempts, stay as they are. And what LiteLLM shows of a stream depends on the
options that its stream object is made with: of ours that object is told nothing. So LiteLLM itself keeps the count
and hides it, as it does with those that providers send without being asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol
from weakref import ref

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.operations import by_name, parameter_names
from agentops_otel_litellm.seams.signals import observed

Function = Callable[..., Any]

_ASKING = guard("asking for the usage of a stream")
_HIDING = guard("hiding the usage of a stream")


class StreamObject(Protocol):
    """What is used of LiteLLM's streams of chats."""

    chunks: list[object]
    chunk_creator: Callable[[object], object]
    stream_options: object
    send_stream_usage: bool

    def model_response_creator(self) -> object: ...


class OurOptions(dict[str, bool]):
    """`stream_options` that are ours, and are told from the app's by that."""


class StreamUsage:
    """Has streams counted, for as long as that is `wanted`."""

    def __init__(self) -> None:
        self.wanted = False

    def asking(self, get_optional_params: Function) -> Function:
        """LiteLLM puts together what it asks of a provider that answers chats or completes texts."""
        names = parameter_names(get_optional_params)

        @wraps(get_optional_params)
        def asked(*args: object, **kwargs: object) -> object:
            if self.wanted:
                with _ASKING:
                    given = by_name(names, args, kwargs)
                    if _is_uncounted(given) and observed() is not None and _can_count(given):
                        args, kwargs = (), {**given, "stream_options": OurOptions(include_usage=True)}
            return get_optional_params(*args, **kwargs)

        return asked

    def asked_anyway(self, get_stream_options: Function) -> Function:
        """OpenAI itself LiteLLM asks for every stream's usage, and shows that: there ours are not needed."""
        names = parameter_names(get_stream_options)

        @wraps(get_stream_options)
        def chosen(*args: object, **kwargs: object) -> object:
            with _ASKING:
                given = by_name(names, args, kwargs)
                if isinstance(given.get("stream_options"), OurOptions):
                    litellms = get_stream_options(**{**given, "stream_options": None})
                    if litellms:
                        return litellms
            return get_stream_options(*args, **kwargs)

        return chosen

    def hiding(self, init: Function) -> Function:
        """LiteLLM makes a stream object."""

        @wraps(init)
        def made(stream: StreamObject, *args: object, **kwargs: object) -> None:
            init(stream, *args, **kwargs)
            with _HIDING:
                if isinstance(stream.stream_options, OurOptions):
                    stream.stream_options, stream.send_stream_usage = None, False
                    if not hasattr(stream, "_record_usage_only_chunk"):
                        stream.chunk_creator = _KeepingCount(stream)

        return made


def _is_uncounted(given: dict[str, object]) -> bool:
    """Whether the app wants a stream, and did not say whether it wants that counted."""
    return given.get("stream") is True and given.get("stream_options") is None


def _can_count(given: dict[str, object]) -> bool:
    """Whether the provider can be asked, as LiteLLM has it."""
    supported = sys.modules["litellm"].get_supported_openai_params(
        model=given.get("model"), custom_llm_provider=given.get("custom_llm_provider")
    )
    return "stream_options" in (supported or ())


class _KeepingCount:
    """`chunk_creator` of a stream object in older releases, which throw away a count that they do not show."""

    def __init__(self, stream: StreamObject) -> None:
        self._create = stream.chunk_creator.__func__  # type: ignore[attr-defined]  # of a method: bound, it made a cycle
        self._stream = ref(stream)

    def __call__(self, chunk: object) -> object:
        stream = self._stream()
        try:
            shown = self._create(stream, chunk)
        except StopIteration:  # the chunk was not expected any more
            self._keep(stream, chunk)
            raise
        if shown is None:
            self._keep(stream, chunk)
        return shown

    @staticmethod
    def _keep(stream: StreamObject | None, chunk: object) -> None:
        with _HIDING:
            usage = getattr(chunk, "usage", None)
            if stream is not None and usage is not None and not getattr(chunk, "choices", None):
                counted = stream.model_response_creator()
                counted.usage = sys.modules["litellm"].Usage(**usage.model_dump())  # type: ignore[attr-defined]  # it has
                stream.chunks.append(counted)


STREAM_USAGE = StreamUsage()
