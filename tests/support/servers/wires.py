"""The wire formats of providers: responses, streams, error responses and embeddings.

A builder takes a `Completion` and writes it in the format that the provider documents. Facts for which the format has
no field are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .event_stream import message
from .wire import Reply, events

JSON = dict[str, object]
RATE_LIMITED, UNAUTHORIZED, NOT_FOUND = 429, 401, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's output, and the provider's token counts."""

    model: str
    """The name in the provider's response."""
    pieces: tuple[str, ...] = ("canary", "-answer")
    id: str = "the-answer"
    uncached_input: int = 21
    """Input tokens that were neither read from a cache nor written to one."""
    cache_read: int = 5
    cache_write: int = 3
    visible_output: int = 7
    """Output tokens that are not reasoning."""
    reasoning: int = 2

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def input(self) -> int:
        return self.uncached_input + self.cache_read + self.cache_write

    @property
    def output(self) -> int:
        return self.visible_output + self.reasoning


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReplies:
    """A provider's replies to a chat, with the ends of their paths, and the facts that they contain."""

    plain: tuple[str, Reply]
    stream: tuple[str, Reply]
    error_reply: Reply
    completion: Completion
    tokens: Mapping[str, int]
    """The counts that the provider reports."""
    id: str | None = None
    """The id of the response; `None` if LiteLLM replaces it by its own."""


def _tokens(completion: Completion, *details: str) -> dict[str, int]:
    """The counts of input and output tokens, and the `details` that the provider reports."""
    known = {
        "cache_read": completion.cache_read,
        "cache_write": completion.cache_write,
        "reasoning": completion.reasoning,
        "output_text": completion.visible_output,
    }
    return {"input": completion.input, "output": completion.output, **{name: known[name] for name in details}}


def _lines(bodies: Iterable[object]) -> list[bytes]:
    """Newline-delimited JSON."""
    return [json.dumps(body).encode() + b"\n" for body in bodies]


def _error_reply(status: int, body: object, **headers: str) -> Reply:
    error_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    waiting = {"retry-after": "7"} if status == RATE_LIMITED else {}
    return Reply(status=status, body=body, headers={**waiting, **error_headers})


# --- OpenAI and compatible providers ----------------------------------------------------------------------


def openai_usage(completion: Completion) -> JSON:
    return {
        "prompt_tokens": completion.input,
        "completion_tokens": completion.output,
        "total_tokens": completion.input + completion.output,
        "prompt_tokens_details": {"cached_tokens": completion.cache_read},
        "completion_tokens_details": {"reasoning_tokens": completion.reasoning},
    }


def openai_error(status: int) -> Reply:
    kind, code = ("tokens", "rate_limit_exceeded") if status == RATE_LIMITED else ("invalid_request_error", "refused")
    error = {"message": "Refused: canary-echo.", "type": kind, "param": None, "code": code}
    return _error_reply(status, {"error": error}, x_request_id="req_1")


def openai(completion: Completion, *, path: str = "/chat/completions", status: int = RATE_LIMITED) -> ProviderReplies:
    return openai_compatible(
        completion,
        path=path,
        usage=openai_usage(completion),
        details=("cache_read", "reasoning"),
        error_reply=openai_error(status),
    )


def openai_compatible(  # noqa: PLR0913 - differences between the formats
    completion: Completion,
    *,
    usage: JSON,
    details: tuple[str, ...] = (),
    error_reply: Reply,
    path: str = "/chat/completions",
    extra: JSON | None = None,
    first: tuple[JSON, ...] = (),
    usage_in_last: JSON | None = None,
) -> ProviderReplies:
    """OpenAI's format.

    `extra` is in every body, and `first` precedes the chunks. `usage_in_last` is added to the last chunk, for providers
    that do not send the usage in a separate chunk.
    """
    shared: JSON = {"id": completion.id, "created": 1_750_000_000, "model": completion.model, **(extra or {})}

    def chunk(delta: JSON, finish: str | None = None, **more: object) -> JSON:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**shared, "object": "chat.completion.chunk", "choices": [choice], **more}

    assistant = {"role": "assistant", "content": completion.text, "refusal": None}
    choice = {"index": 0, "message": assistant, "logprobs": None, "finish_reason": "stop"}
    body = {**shared, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunks: list[object] = [*first, chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": piece}) for piece in completion.pieces]
    chunks.append(chunk({}, "stop", **(usage_in_last or {})))
    if usage_in_last is None:
        chunks.append({**shared, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return ProviderReplies(
        plain=(path, Reply(body=body)),
        stream=(path, Reply(pieces=events(*chunks, "[DONE]"))),
        error_reply=error_reply,
        completion=completion,
        tokens=_tokens(completion, *details),
        id=completion.id,
    )


def azure(completion: Completion, path: str) -> ProviderReplies:
    """OpenAI's format with a first chunk that has the results of content filters and no choice."""
    verdicts: JSON = {"hate": {"filtered": False, "severity": "safe"}}
    prompt: JSON = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": verdicts}]}
    opening: JSON = {"id": "", "created": 0, "model": "", "object": "", "choices": [], **prompt}
    error = {"error": {"code": "429", "message": "Requests have exceeded a limit: canary-echo."}}
    return openai_compatible(
        completion,
        path=path,
        usage=openai_usage(completion),
        details=("cache_read", "reasoning"),
        error_reply=_error_reply(RATE_LIMITED, error, apim_request_id="req_1", x_request_id="req_1"),
        first=(opening,),
    )


def deepseek(completion: Completion) -> ProviderReplies:
    """OpenAI's format with counts of cache hits and misses."""
    usage = {
        **openai_usage(completion),
        "prompt_cache_hit_tokens": completion.cache_read,
        "prompt_cache_miss_tokens": completion.input - completion.cache_read,
    }
    return openai_compatible(
        completion,
        usage=usage,
        details=("cache_read", "reasoning"),
        error_reply=openai_error(UNAUTHORIZED),
        usage_in_last={"usage": usage},
    )


def groq(completion: Completion) -> ProviderReplies:
    """OpenAI's format with times in the usage, and for streams the usage in a field of Groq's own."""
    usage: JSON = {
        "queue_time": 0.1,
        "prompt_tokens": completion.input,
        "prompt_time": 0.1,
        "completion_tokens": completion.output,
        "completion_time": 0.2,
        "total_tokens": completion.input + completion.output,
        "total_time": 0.3,
    }
    return openai_compatible(
        completion,
        usage=usage,
        error_reply=openai_error(RATE_LIMITED),
        extra={"system_fingerprint": "fp_1", "service_tier": "on_demand"},
        usage_in_last={"x_groq": {"id": "req_1", "usage": usage}, "usage": usage},
    )


def mistral(completion: Completion) -> ProviderReplies:
    usage: JSON = {
        "prompt_tokens": completion.input,
        "completion_tokens": completion.output,
        "total_tokens": completion.input + completion.output,
    }
    error_reply = _error_reply(UNAUTHORIZED, {"detail": "Unauthorized: canary-echo"}, x_kong_request_id="req_1")
    return openai_compatible(completion, usage=usage, error_reply=error_reply, usage_in_last={"usage": usage})


def text_generation_inference(completion: Completion) -> ProviderReplies:
    """Hugging Face's server."""
    usage: JSON = {
        "prompt_tokens": completion.input,
        "completion_tokens": completion.output,
        "total_tokens": completion.input + completion.output,
    }
    error = {"error": "Model is overloaded: canary-echo", "error_type": "overloaded"}
    return openai_compatible(
        completion, usage=usage, error_reply=_error_reply(RATE_LIMITED, error, x_request_id="req_1")
    )


# --- Anthropic --------------------------------------------------------------------------------------------


def anthropic(completion: Completion) -> ProviderReplies:
    """`input_tokens` excludes cached tokens; a stream repeats the output count at its end."""
    usage = {
        "input_tokens": completion.uncached_input,
        "cache_creation_input_tokens": completion.cache_write,
        "cache_read_input_tokens": completion.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": completion.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": completion.output,
        "service_tier": "standard",
    }
    shared = {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "stop_sequence": None,
    }
    body = {**shared, "content": [{"type": "text", "text": completion.text}], "stop_reason": "end_turn", "usage": usage}
    beginning: JSON = {**shared, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    messages: list[JSON] = [
        {"type": "message_start", "message": beginning},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    for piece in completion.pieces:
        delta = {"type": "text_delta", "text": piece}
        messages.append({"type": "content_block_delta", "index": 0, "delta": delta})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    messages += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": completion.output}},
        {"type": "message_stop"},
    ]
    error = {"type": "rate_limit_error", "message": "Too many tokens: canary-echo."}
    return ProviderReplies(
        plain=("/v1/messages", Reply(body=body)),
        stream=("/v1/messages", Reply(pieces=events(*messages, names=True))),
        error_reply=_error_reply(
            RATE_LIMITED, {"type": "error", "error": error, "request_id": "req_1"}, request_id="req_1"
        ),
        completion=completion,
        tokens=_tokens(completion, "cache_read", "cache_write"),
    )


# --- Google -----------------------------------------------------------------------------------------------


def google(completion: Completion) -> ProviderReplies:
    """Gemini and Vertex AI. Reasoning tokens are not included in those of the candidates."""

    def response(text: str, finish: str | None) -> JSON:
        candidate: JSON = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        usage = {
            "promptTokenCount": completion.input,
            "cachedContentTokenCount": completion.cache_read,
            "candidatesTokenCount": completion.visible_output,
            "thoughtsTokenCount": completion.reasoning,
            "totalTokenCount": completion.input + completion.output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": completion.input}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": completion.cache_read}],
        }
        return {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": completion.model,
            "responseId": completion.id,
        }

    *first_pieces, last = completion.pieces
    chunks = [*(response(piece, None) for piece in first_pieces), response(last, "STOP")]
    error = {"code": RATE_LIMITED, "message": "Quota exceeded: canary-echo.", "status": "RESOURCE_EXHAUSTED"}
    return ProviderReplies(
        plain=(":generateContent", Reply(body=response(completion.text, "STOP"))),
        stream=(":streamGenerateContent", Reply(pieces=events(*chunks))),
        error_reply=_error_reply(RATE_LIMITED, {"error": error}),
        completion=completion,
        tokens=_tokens(completion, "cache_read", "reasoning", "output_text"),
        id=completion.id,
    )


# --- Cohere -----------------------------------------------------------------------------------------------


def cohere(completion: Completion, path: str) -> ProviderReplies:
    """Version 2, whose responses lack the model. Streams have JSON lines."""
    usage = {
        "billed_units": {"input_tokens": completion.uncached_input, "output_tokens": completion.output},
        "tokens": {"input_tokens": completion.input, "output_tokens": completion.output},
        "cached_tokens": completion.cache_read,
    }
    content = [{"type": "text", "text": completion.text}]
    body = {
        "id": completion.id,
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": content},
        "usage": usage,
    }
    opening = {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}
    block = {"message": {"content": {"type": "text", "text": ""}}}
    messages: list[JSON] = [
        {"id": completion.id, "type": "message-start", "delta": opening},
        {"type": "content-start", "index": 0, "delta": block},
    ]
    messages += [
        *(
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}
            for piece in completion.pieces
        ),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    error = {"id": "req_1", "message": "You are using a Trial key: canary-echo."}
    return ProviderReplies(
        plain=(path, Reply(body=body)),
        stream=(path, Reply(pieces=_lines(messages), headers={"content-type": "application/stream+json"})),
        error_reply=_error_reply(RATE_LIMITED, error),
        completion=completion,
        tokens=_tokens(completion),
    )


# --- AWS Bedrock ------------------------------------------------------------------------------------------


def bedrock(completion: Completion) -> ProviderReplies:
    """The Converse API: `inputTokens` excludes cached tokens, and streams have AWS's binary framing."""
    usage = {
        "inputTokens": completion.uncached_input,
        "outputTokens": completion.output,
        "totalTokens": completion.input + completion.output,
        "cacheReadInputTokens": completion.cache_read,
        "cacheWriteInputTokens": completion.cache_write,
    }
    output = {"message": {"content": [{"text": completion.text}], "role": "assistant"}}
    body = {"metrics": {"latencyMs": 12}, "output": output, "stopReason": "end_turn", "usage": usage}
    pieces = [message("messageStart", {"role": "assistant"})]
    pieces += [
        *(
            message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})
            for piece in completion.pieces
        ),
        message("contentBlockStop", {"contentBlockIndex": 0}),
        message("messageStop", {"stopReason": "end_turn"}),
        message("metadata", {"metrics": {"latencyMs": 12}, "usage": usage}),
    ]
    headers = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "req_1"}
    error = {"message": "Too many tokens, please wait before trying again: canary-echo."}
    return ProviderReplies(
        plain=("/converse", Reply(body=body, headers={"x-amzn-requestid": "req_1"})),
        stream=("/converse-stream", Reply(pieces=pieces, headers=headers)),
        error_reply=_error_reply(RATE_LIMITED, error, x_amzn_errortype="ThrottlingException", x_amzn_requestid="req_1"),
        completion=completion,
        tokens=_tokens(completion, "cache_read", "cache_write"),
    )


# --- Ollama -----------------------------------------------------------------------------------------------


def _ollama(completion: Completion, path: str, piece_of: str) -> ProviderReplies:
    def body(text: str) -> JSON:
        content: object = {"role": "assistant", "content": text} if piece_of == "message" else text
        return {"model": completion.model, "created_at": "2026-11-01T00:00:00.0Z", piece_of: content, "done": False}

    end = {
        "done_reason": "stop",
        "done": True,
        "total_duration": 9,
        "load_duration": 1,
        "prompt_eval_count": completion.input,
        "prompt_eval_duration": 4,
        "eval_count": completion.output,
        "eval_duration": 4,
    }
    bodies = [*(body(piece) for piece in completion.pieces), {**body(""), **end}]
    return ProviderReplies(
        plain=(path, Reply(body={**body(completion.text), **end})),
        stream=(path, Reply(pieces=_lines(bodies), headers={"content-type": "application/x-ndjson"})),
        error_reply=_error_reply(NOT_FOUND, {"error": "model 'canary-echo' not found, try pulling it first"}),
        completion=completion,
        tokens=_tokens(completion),
    )


def ollama_generate(completion: Completion) -> ProviderReplies:
    return _ollama(completion, "/api/generate", "response")


def ollama_chat(completion: Completion) -> ProviderReplies:
    return _ollama(completion, "/api/chat", "message")


# --- embeddings of two texts -------------------------------------------------------------------------------

VECTORS = ([0.25, 0.5, 0.75], [0.125, 0.25, 0.375])
EMBEDDING_TOKENS = 9
"""The input tokens of the two texts."""


def openai_embeddings(model: str) -> JSON:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(VECTORS)]
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": EMBEDDING_TOKENS, "total_tokens": EMBEDDING_TOKENS},
    }


def cohere_embeddings() -> JSON:
    return {
        "id": "the-embeddings",
        "embeddings": {"float": VECTORS},
        "texts": ["canary", "canary"],
        "response_type": "embeddings_by_type",
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": EMBEDDING_TOKENS}},
    }


def gemini_embeddings() -> JSON:
    """Embeddings without usage."""
    return {"embeddings": [{"values": vector} for vector in VECTORS]}


def vertex_embeddings() -> JSON:
    """Embeddings with a count for each text."""
    counts = (EMBEDDING_TOKENS - 5, 5)
    embeddings = [
        {"values": vector, "statistics": {"token_count": count, "truncated": False}}
        for vector, count in zip(VECTORS, counts, strict=True)
    ]
    return {
        "predictions": [{"embeddings": each} for each in embeddings],
        "metadata": {"billableCharacterCount": 12},
    }


def titan_embedding(count: int) -> JSON:
    """The embedding of one text: LiteLLM sends a request for each."""
    return {"embedding": VECTORS[0], "embeddingsByType": {"float": VECTORS[0]}, "inputTextTokenCount": count}


def hugging_face_embeddings() -> object:
    """Only vectors, without usage."""
    return VECTORS


def ollama_embeddings(model: str) -> JSON:
    durations = {"total_duration": 9, "load_duration": 1}
    return {"model": model, "embeddings": VECTORS, **durations, "prompt_eval_count": EMBEDDING_TOKENS}
