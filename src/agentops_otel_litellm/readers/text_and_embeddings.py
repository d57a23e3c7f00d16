"""Text completions and embeddings, whose requests have prompts or inputs instead of messages.

Responses are LiteLLM's `TextCompletionResponse` and `EmbeddingResponse`. LiteLLM converts a chat stream to the stream
of a text completion. Formats: https://platform.openai.com/docs/api-reference/completions and …/embeddings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Usage
from agentops_otel_litellm.providers import provider_named
from agentops_otel_litellm.readers.api_format import (
    SAMPLING,
    ApiFormat,
    ContentReaders,
    cache_hit,
    hidden_params,
    response_model,
    streamed,
)
from agentops_otel_litellm.readers.chat import ChatChunks
from agentops_otel_litellm.readers.parts import text_parts, user_messages
from agentops_otel_litellm.readers.streams import frame_of
from agentops_otel_litellm.readers.usage_and_cost import price_chat, read_usage
from agentops_otel_litellm.readers.values import (
    Parameters,
    characters,
    elements,
    field,
    fields_of,
    identifier,
    integer,
    is_collection,
    keyword,
    model_name,
    read_fields,
    read_items,
    rows_for,
    text,
    texts,
)
from agentops_otel_litellm.records import Content, Message

_TEXT = rows_for(Request, SAMPLING)
_EMBEDDING = rows_for(
    Request,
    {
        "dimensions": ("dimensions", integer),
        "encoding_format": ("encoding_formats", texts),
    },
)


def text_request(parameters: Parameters) -> Request:
    """Read the request of a text completion."""
    inputs, length = _prompts(parameters.get("prompt"))
    return Request(
        model=model_name(parameters.get("model")),
        stream=streamed(parameters),
        inputs_count=inputs,
        content_length=length,
        **read_fields(parameters, _TEXT),
    )


def embedding_request(parameters: Parameters) -> Request:
    """Read the request of an embedding."""
    inputs, length = _prompts(parameters.get("input"))
    return Request(
        model=model_name(parameters.get("model")),
        inputs_count=inputs,
        content_length=length,
        **read_fields(parameters, _EMBEDDING),
    )


def _prompts(parameter: Any) -> tuple[int | None, int | None]:
    """The number of prompts, and their total number of characters. Each is `None` if it is unknown.

    The parameter is a string, a list of strings, a list of token ids, or a list of lists of token ids.
    """
    if isinstance(parameter, str):
        return 1, len(parameter)
    if not is_collection(parameter) or not parameter:
        return None, None
    if isinstance(next(iter(parameter)), int):
        return 1, None  # the token ids of one prompt
    return len(parameter), sum(map(len, parameter)) if all(isinstance(item, str) for item in parameter) else None


# --- responses ------------------------------------------------------------------------------------------------


def text_response(result: Any) -> Response:
    """Read the complete response of a text completion."""
    response, hidden = fields_of(result), hidden_params(result)
    choices = [fields_of(choice) for choice in elements(response.get("choices"))]
    return Response(
        id=identifier(response.get("id")),
        model=response_model(response, hidden),
        finish_reasons=tuple([keyword(choice.get("finish_reason")) for choice in choices]),
        choices_count=len(choices),
        content_length=sum(characters(choice.get("text")) for choice in choices),
        system_fingerprint=identifier(response.get("system_fingerprint")),
        cache_hit=cache_hit(result),
    )


def embedding_response(result: Any) -> Response:
    """Read the response of an embedding. Of the vectors, only the dimension is read."""
    response, hidden = fields_of(result), hidden_params(result)
    vector = field(next(iter(elements(response.get("data"))), None), "embedding")
    return Response(
        model=response_model(response, hidden),
        dimension_count=_dimension_count(vector, hidden.get("custom_llm_provider")),
        cache_hit=cache_hit(result),
    )


_BYTES_OF_A_NUMBER = 4
_USE_BASE64_OF_FLOATS = frozenset({"openai", "azure"})
"""Providers whose base64 contains 32-bit floats. Others may send smaller numbers, so the dimension is unknown."""


def _dimension_count(vector: Any, provider: Any) -> int | None:
    """The number of numbers in a vector, which is a list or the base64 of their bytes; `None` if it is unknown."""
    if isinstance(vector, list):
        return len(vector)
    if not isinstance(vector, str) or provider not in _USE_BASE64_OF_FLOATS:
        return None
    count, rest = divmod(len(vector.rstrip("=")) * 3 // 4, _BYTES_OF_A_NUMBER)
    return count if count and not rest else None


def embedding_usage(result: Any) -> Usage | None:
    """Read the usage of an embedding, which has no output tokens. `None` if the provider has not counted the tokens."""
    hidden = hidden_params(result)
    # `aembedding` caches each vector of a response separately, without a `cache_key` in the cached response. It divides
    # the counted tokens equally among the vectors, or estimates them, so the sum is not a count of the provider.
    if cache_hit(result) and "cache_key" not in hidden:
        return None
    usage = read_usage(result)
    if usage is None:
        return None
    # These providers do not always count (Gemini counts no tokens of texts, for example), and LiteLLM then reports its
    # estimate of the input. An estimate has no counts by modality, so a usage with such counts is the provider's.
    always_counts = provider_named(keyword(hidden.get("custom_llm_provider")) or "").counts_embeddings
    if not always_counts and usage.input_text is None and usage.input_image is None:
        return None
    return replace(usage, output=None)  # LiteLLM sets 0 output tokens


# --- stream of a text completion ------------------------------------------------------------------------------


class TextChunks(ChatChunks):
    """Accumulates the stream of a text completion, which LiteLLM creates from a chat stream."""

    __slots__ = ()

    def add(self, chunk: Any, received_at: float, /) -> None:
        fields = fields_of(chunk)
        for choice in map(fields_of, elements(fields.get("choices"))):
            number, reason = choice.get("index"), choice.get("finish_reason")
            if type(number) is not int:
                number = 0  # the provider does not send an index
            try:
                if reason is not None or number not in self._finish_reasons:
                    self._finish_reasons[number] = keyword(reason)
                # For a response from its cache, LiteLLM returns the chunks of a chat.
                content = choice["text"] if "text" in choice else field(choice.get("delta"), "content")
                self._length += characters(content)
                if content and self.first_token is None:
                    self.first_token = received_at
            finally:
                if self._draft is not None:
                    delta = {"content": choice["text"]} if "text" in choice else choice.get("delta")
                    self._add_content(number, reason, delta, self._draft)
        if self._id is None:
            self._find_chat()
            self._read_identity(fields)

    def _find_chat(self) -> None:
        """Set `_stream` to the chat stream from which LiteLLM creates the stream, because only that has the usage."""
        if getattr(self._stream, "chunks", None) is None:
            self._stream = _chat_stream(self._stream)

    def release(self) -> None:
        self._find_chat()
        super().release()

    def response(self) -> Response:
        return replace(super().response(), tool_calls_count=None)


def _chat_stream(stream: Any) -> Any:
    """Return the chat stream from which LiteLLM creates a text completion stream.

    It is the attribute `completion_stream`. For OpenAI, that attribute is a generator instead, or an asynchronous
    generator within a second one, and the chat stream is a local variable of the (inner) generator.
    """
    inner = getattr(stream, "completion_stream", None)
    while (frame := frame_of(inner)) is not None:
        inner = frame.f_locals.get("streamwrapper") or frame.f_locals.get("response")
    return inner


# --- content --------------------------------------------------------------------------------------------------


def _text_content(parameters: Parameters) -> Content:
    """Read the prompts. Each becomes a message; prompts that are token ids are omitted."""
    prompt = parameters.get("prompt")
    prompts = elements(prompt) if is_collection(prompt) else (prompt,)
    return Content(input=user_messages(prompts))


def _text_messages(result: Any) -> tuple[Message, ...]:
    """Read the choices of a text completion. Each becomes a message."""
    return read_items(Message, _text_message, elements(field(result, "choices")))


def _text_message(value: Any) -> Message:
    choice = fields_of(value)
    return Message(
        role="assistant", parts=text_parts(choice.get("text")), finish_reason=keyword(choice.get("finish_reason"))
    )


def _embedding_content(parameters: Parameters) -> Content:
    """Read the input texts. Inputs that are token ids are omitted. (The redaction recognises texts that are images.)"""
    value = parameters.get("input")
    inputs = elements(value) if is_collection(value) else (value,)
    return Content(texts=tuple(known for each in inputs if (known := text(each)) is not None) or None)


TEXT = ApiFormat(
    request=text_request,
    response=text_response,
    chunks=TextChunks,
    price=price_chat,
    content=ContentReaders(request=_text_content, response=_text_messages),
)
EMBEDDING = ApiFormat(
    request=embedding_request,
    response=embedding_response,
    usage=embedding_usage,
    content=ContentReaders(request=_embedding_content),
)
