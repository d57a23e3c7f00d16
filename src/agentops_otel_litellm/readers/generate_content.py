"""Google's generateContent → records."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agentops_otel_litellm.call import Cost, Failure, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.generate_content import GENERATE_CONTENT_CONTENT
from agentops_otel_litellm.readers.finish_reasons import GOOGLE
from agentops_otel_litellm.readers.generate_content_requests import (
    generate_content_request,
    generate_content_stream_request,
)
from agentops_otel_litellm.readers.google import camel
from agentops_otel_litellm.readers.prices import price_generated_content
from agentops_otel_litellm.readers.responses import cache_hit
from agentops_otel_litellm.readers.sse import ServerSentEvents
from agentops_otel_litellm.readers.streams import copy_attributes, reported_usage, translated_chat
from agentops_otel_litellm.readers.values import (
    characters,
    elements,
    fields_of,
    identifier,
    index,
    integer,
    is_collection,
    model_name,
    read_fields,
    rows_for,
    text,
    tokens,
)

_COUNTS = rows_for(
    Usage,
    {
        "promptTokenCount": ("input", tokens),
        "candidatesTokenCount": ("output", tokens),
        "totalTokenCount": ("total", tokens),
        "cachedContentTokenCount": ("cache_read", tokens),
        "thoughtsTokenCount": ("reasoning", tokens),
    },
)
_MODALITIES = rows_for(
    Usage,
    {
        f"{part}{modality.upper()}": (f"{ours}_{modality}", tokens)
        for part, ours in (("prompt", "input"), ("candidates", "output"))
        for modality in ("text", "image", "audio")
    },
)


def generate_content_response(result: Any) -> Response:
    candidates = _Candidates(camel)
    candidates.add(camel(result))
    return Response(**vars(candidates.response()), cache_hit=cache_hit(result))


def generate_content_usage(result: Any) -> Usage | None:
    return _usage(_counted(result))


def _counted(result: Any) -> Mapping[str, Any]:
    """Google's `usageMetadata`, with names in camel case."""
    counted = camel(camel(result).get("usageMetadata"))
    return {name: list(map(camel, value)) if is_collection(value) else value for name, value in counted.items()}


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    """Convert Google's counts. `Usage.output` includes thoughts. Google's count of the output excludes them, unless the
    total shows that they are included.
    """
    known = read_fields(counted, _COUNTS)
    if not known.get("input") and not known.get("output"):
        return None
    known["input"] = known.get("input", 0) + (tokens(counted.get("toolUsePromptTokenCount")) or 0)
    if known.get("reasoning") and known["input"] + known.get("output", 0) != known.get("total"):
        known["output"] = known.get("output", 0) + known["reasoning"]
    for part in ("prompt", "candidates"):
        for detail in map(fields_of, elements(counted.get(f"{part}TokensDetails"))):
            known |= read_fields({f"{part}{text(detail.get('modality'))}": detail.get("tokenCount")}, _MODALITIES)
    return Usage(**known)


class _Candidates:
    """Combines the candidates of one response, or of all chunks of a stream, into a `Response`."""

    __slots__ = ("_id", "_length", "_model", "_read", "_reasons", "_tool_call_count")

    def __init__(self, read: Callable[[Any], Mapping[str, Any]]) -> None:
        self._read = read
        self._id: str | None = None
        self._model: str | None = None
        self._length = 0
        self._tool_call_count = 0
        self._reasons: dict[int, str | None] = {}

    def add(self, response: Mapping[str, Any]) -> bool:
        """Add the candidates of a response or chunk, and return whether they contain output."""
        self._id = identifier(response.get("responseId")) or self._id
        self._model = model_name(response.get("modelVersion")) or self._model
        read, output = self._read, False
        for candidate in map(read, elements(response.get("candidates"))):
            number, reason = index(candidate.get("index")), text(candidate.get("finishReason"))
            if reason is not None or number not in self._reasons:
                self._reasons[number] = None if reason is None else GOOGLE.get(reason, reason)
            for part in map(read, elements(read(candidate.get("content")).get("parts"))):
                written = part.get("text")
                if written and not part.get("thought"):
                    self._length += characters(written)
                self._tool_call_count += "functionCall" in part
                output = output or bool(written or "functionCall" in part or "inlineData" in part)
        return output

    def response(self) -> Response:
        reasons = tuple(self._reasons[index] for index in sorted(self._reasons))
        return Response(
            id=self._id,
            model=self._model,
            finish_reasons=("tool_calls",) if self._tool_call_count and reasons == ("stop",) else reasons or None,
            choices_count=len(reasons),
            content_length=self._length,
            tool_calls_count=self._tool_call_count,
        )


class GenerateContentChunks:
    """Reads the chunks of a stream. Each has a part of the candidates; the last one has the whole usage."""

    __slots__ = ("_candidates", "_chat", "_events", "counted", "failure", "first_token")

    def __init__(self, stream: Any) -> None:
        self._chat = translated_chat(stream)
        self._events = ServerSentEvents()
        self._candidates = _Candidates(fields_of)  # as on the wire
        self.counted: Mapping[str, Any] = {}
        """Google's `usageMetadata`."""
        self.failure: Failure | None = None
        self.first_token: float | None = None

    def add(self, chunk: Any, at: float, /) -> None:
        for response in self._events.messages(chunk):
            if self._candidates.add(response) and self.first_token is None:
                self.first_token = at
            if "usageMetadata" in response:
                self.counted = fields_of(response["usageMetadata"])
            if "error" in response:
                self.failure = _failure(response["error"])

    @property
    def translated(self) -> bool:
        """Whether LiteLLM translates a chat stream of a different provider into this stream."""
        return self._chat is not None

    def response(self) -> Response:
        return self._candidates.response()

    def usage(self) -> Usage | None:
        return _usage(self.counted) if self._chat is None else reported_usage(self._chat)

    def release(self) -> None:
        self._chat = copy_attributes(self._chat, "chunks")


def _failure(error: Any) -> Failure:
    """Read the status of an error. Its text is left out."""
    known = fields_of(error)
    status = text(known.get("status"))
    kind = status if status is not None and re.fullmatch(r"[A-Z_]{1,64}", status) else "UNKNOWN"
    return Failure(type=kind, ancestry=(kind,), status_code=integer(known.get("code")))


def _price(result: Any, logging: Any) -> Cost | None:
    if isinstance(result, GenerateContentChunks):
        return price_generated_content(result.counted, logging, streamed=not result.translated)
    return price_generated_content(_counted(result), logging, streamed=False)


GENERATE_CONTENT = ApiFormat(
    request=generate_content_request,
    response=generate_content_response,
    usage=generate_content_usage,
    price=_price,
    content=GENERATE_CONTENT_CONTENT,
)
GENERATE_CONTENT_STREAM = ApiFormat(
    request=generate_content_stream_request,
    response=generate_content_response,
    usage=generate_content_usage,
    chunks=GenerateContentChunks,
    price=_price,
    content=GENERATE_CONTENT_CONTENT,
)
