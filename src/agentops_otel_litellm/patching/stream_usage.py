"""Keeps what LiteLLM's stream objects lose: usage that the application did not request, and finish reasons of parallel
choices.

`StreamUsage` requests the usage of streams for which the application did not request it, and hides it from the
application.

This is enabled by `AGENTOPS_STREAM_USAGE=true`, and by default if AgentOps is a destination. It is the only change that
this package makes to requests. Whether a provider supports the option is decided by LiteLLM's tables of parameters.

Usage is requested with `stream_options={"include_usage": True}`. This option is added when LiteLLM converts the
parameters of a call to those of the provider. By then LiteLLM has resolved the provider and model, and the converted
parameters are used for this one request only. The application's arguments do not change, because LiteLLM also uses them
as the key of its cache and for the Router's other attempts.

LiteLLM passes usage to the application only if its stream object has the option. So the option is removed from that
object. LiteLLM then stores the usage and hides it, as it does with usage that a provider sends without the option.

If a request is for several choices, LiteLLM's stream passes on the finish reason of one choice only. The others are
read from the provider's chunks, before LiteLLM converts them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Protocol
from weakref import ref

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.operations import by_name, parameter_names
from agentops_otel_litellm.patching.wrapping import Function, current_call

_REQUESTING = guard("requesting the usage of a stream")
_HIDING = guard("hiding the usage of a stream")
_KEEPING_REASONS = guard("keeping the finish reasons of parallel choices")


class StreamObject(Protocol):
    """The attributes of LiteLLM's chat streams that are used here."""

    chunks: list[object]
    chunk_creator: Callable[[object], object]
    stream_options: object
    send_stream_usage: bool

    def model_response_creator(self) -> object: ...


class AddedOptions(dict[str, bool]):
    """`stream_options` that this module has added. Their class distinguishes them from options of the application."""


class StreamUsage:
    """The wrappers of LiteLLM's functions. They request the usage of streams only while `wanted` is true."""

    def __init__(self) -> None:
        self.wanted = False

    def request_usage(self, get_optional_params: Function) -> Function:
        """Wrap the function that converts the parameters of a chat or text completion to those of the provider, so that
        they contain the option.
        """
        names = parameter_names(get_optional_params)

        @wraps(get_optional_params)
        def traced_get_optional_params(*args: object, **kwargs: object) -> object:
            if self.wanted:
                with _REQUESTING:
                    named = by_name(names, args, kwargs)
                    if _has_no_options(named) and current_call() is not None and _is_supported(named):
                        args, kwargs = (), {**named, "stream_options": AddedOptions(include_usage=True)}
            return get_optional_params(*args, **kwargs)

        return traced_get_optional_params

    def keep_default_options(self, get_stream_options: Function) -> Function:
        """Wrap the function that returns the stream options for OpenAI. If LiteLLM has default options, they are
        returned instead of the options that this module has added.

        For OpenAI's own API, LiteLLM requests the usage of every stream by default, and passes it to the application.
        The application must receive this usage as without tracing.
        """
        names = parameter_names(get_stream_options)

        @wraps(get_stream_options)
        def traced_get_stream_options(*args: object, **kwargs: object) -> object:
            with _REQUESTING:
                named = by_name(names, args, kwargs)
                if isinstance(named.get("stream_options"), AddedOptions):
                    default = get_stream_options(**{**named, "stream_options": None})
                    if default:
                        return default
            return get_stream_options(*args, **kwargs)

        return traced_get_stream_options

    def hide_usage(self, init: Function) -> Function:
        """Wrap the constructor of LiteLLM's stream objects: options that this module has added are removed from the
        object. So the application does not receive the chunk with usage, which it did not request. If the request is
        for several choices, their finish reasons are kept.
        """

        @wraps(init)
        def traced_init(stream: StreamObject, *args: object, **kwargs: object) -> None:
            init(stream, *args, **kwargs)
            with _HIDING:
                if isinstance(stream.stream_options, AddedOptions):
                    stream.stream_options, stream.send_stream_usage = None, False
                    # Older releases discard usage that the application did not request, but the span needs it.
                    if not hasattr(stream, "_record_usage_only_chunk"):
                        stream.chunk_creator = _UsageKeepingChunkCreator(stream)
            with _KEEPING_REASONS:
                invocation = current_call()
                if invocation is not None and readers.requests_several_choices(invocation.parameters):
                    stream.chunk_creator = _ReasonKeepingChunkCreator(stream)

        return traced_init


def _has_no_options(parameters: dict[str, object]) -> bool:
    """Whether the application requests a stream without `stream_options`."""
    return parameters.get("stream") is True and parameters.get("stream_options") is None


def _is_supported(parameters: dict[str, object]) -> bool:
    """Whether the provider supports `stream_options`, according to LiteLLM."""
    supported = sys.modules["litellm"].get_supported_openai_params(
        model=parameters.get("model"), custom_llm_provider=parameters.get("custom_llm_provider")
    )
    return "stream_options" in (supported or ())


class _ChunkCreator:
    """A replacement of a stream object's `chunk_creator`, the method that converts each chunk of the provider."""

    def __init__(self, stream: StreamObject) -> None:
        create = stream.chunk_creator
        self._method: Callable[[StreamObject | None, object], object] | None = getattr(create, "__func__", None)
        """The method itself, because a bound method would be a cycle; `None` if it has been replaced already."""
        self._replacement = create if self._method is None else None
        self._stream = ref(stream)

    def convert(self, chunk: object) -> object:
        """Convert a chunk with LiteLLM's method, or with an earlier replacement of it."""
        if self._replacement is not None:
            return self._replacement(chunk)
        assert self._method is not None  # noqa: S101 - one of the two is set
        return self._method(self._stream(), chunk)


class _UsageKeepingChunkCreator(_ChunkCreator):
    """Stores the usage of a stream, which older releases of LiteLLM discard if they hide it from the application."""

    def __call__(self, chunk: object) -> object:
        try:
            created = self.convert(chunk)
        except StopIteration:  # LiteLLM expected no other chunk
            self._keep_usage(chunk)
            raise
        if created is None:
            self._keep_usage(chunk)
        return created

    def _keep_usage(self, chunk: object) -> None:
        """If a chunk has usage and no choices, add the usage to the list of chunks in LiteLLM's stream object."""
        with _HIDING:
            stream = self._stream()
            usage = getattr(chunk, "usage", None)
            if stream is not None and usage is not None and not getattr(chunk, "choices", None):
                kept = stream.model_response_creator()
                kept.usage = sys.modules["litellm"].Usage(**usage.model_dump())  # type: ignore[attr-defined]  # LiteLLM's
                stream.chunks.append(kept)


class _ReasonKeepingChunkCreator(_ChunkCreator):
    """Reads the finish reason of each choice. `ChatChunks` finds them in `finish_reasons`."""

    def __init__(self, stream: StreamObject) -> None:
        super().__init__(stream)
        self.finish_reasons: dict[int, str | None] = {}
        """Index of a choice → its finish reason."""

    def __call__(self, chunk: object) -> object:
        with _KEEPING_REASONS:
            self.finish_reasons.update(readers.read_finish_reasons(chunk))
        return self.convert(chunk)


STREAM_USAGE = StreamUsage()
