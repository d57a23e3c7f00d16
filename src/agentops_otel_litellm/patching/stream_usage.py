"""Requests the usage of streams for which the application did not request it, and hides it from the application.

The option is added when LiteLLM converts the parameters of a call to those of the provider. By then LiteLLM has
resolved the provider and model, and the result is used for this one request only. The application's arguments do not
change; LiteLLM also uses them as the key of its cache and for the Router's other attempts.

LiteLLM passes usage to the application only if LiteLLM's stream object has the option, so the option is removed from
that object. LiteLLM then keeps the usage and hides it, as it does with usage that a provider sends without the option.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Protocol
from weakref import ref

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.operations import by_name, parameter_names
from agentops_otel_litellm.patching.wrapping import Function, current_call

_REQUESTING = guard("requesting the usage of a stream")
_HIDING = guard("hiding the usage of a stream")


class StreamObject(Protocol):
    """The attributes of LiteLLM's chat streams that are used here."""

    chunks: list[object]
    chunk_creator: Callable[[object], object]
    stream_options: object
    send_stream_usage: bool

    def model_response_creator(self) -> object: ...


class AddedOptions(dict[str, bool]):
    """`stream_options` that were added here. The class distinguishes them from options of the application."""


class StreamUsage:
    """Requests the usage of streams while `wanted` is true."""

    def __init__(self) -> None:
        self.wanted = False

    def request_usage(self, get_optional_params: Function) -> Function:
        """Patch the function that converts the parameters of a chat or text completion to the provider's."""
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
        """Patch the function that returns the stream options for OpenAI, so that it returns LiteLLM's default options,
        if there are any, instead of the options that were added here. With OpenAI itself, LiteLLM requests the usage of
        every stream by default, and passes it to the application.
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
        """Patch the initialiser of LiteLLM's stream objects, so that the application does not get the chunk with usage,
        which it did not request: the options that this class has added are removed from the stream object.
        """

        @wraps(init)
        def traced_init(stream: StreamObject, *args: object, **kwargs: object) -> None:
            init(stream, *args, **kwargs)
            with _HIDING:
                if isinstance(stream.stream_options, AddedOptions):
                    stream.stream_options, stream.send_stream_usage = None, False
                    # Older releases discard the usage of a stream without the options. The span needs it.
                    if not hasattr(stream, "_record_usage_only_chunk"):
                        stream.chunk_creator = _UsageKeepingChunkCreator(stream)

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


class _UsageKeepingChunkCreator:
    """The `chunk_creator` of a stream object in older releases, which discard usage that they hide."""

    def __init__(self, stream: StreamObject) -> None:
        self._create = stream.chunk_creator.__func__  # type: ignore[attr-defined]  # bound, it would be a reference cycle
        self._stream = ref(stream)

    def __call__(self, chunk: object) -> object:
        stream = self._stream()
        try:
            created = self._create(stream, chunk)
        except StopIteration:  # LiteLLM expected no other chunk
            self._keep_usage(stream, chunk)
            raise
        if created is None:
            self._keep_usage(stream, chunk)
        return created

    @staticmethod
    def _keep_usage(stream: StreamObject | None, chunk: object) -> None:
        """Add the usage of a chunk that has nothing else to the chunks that LiteLLM's stream object keeps."""
        with _HIDING:
            usage = getattr(chunk, "usage", None)
            if stream is not None and usage is not None and not getattr(chunk, "choices", None):
                kept = stream.model_response_creator()
                kept.usage = sys.modules["litellm"].Usage(**usage.model_dump())  # type: ignore[attr-defined]  # LiteLLM's
                stream.chunks.append(kept)


STREAM_USAGE = StreamUsage()
