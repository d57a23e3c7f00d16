"""The wire formats of providers: how each writes an answer, whole and in pieces, a refusal, and embeddings.

A builder is given a `Said`, the truth, and writes it as that provider documents. What a provider has no field for it
does not say, and so nobody can know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .event_stream import message
from .wire import Reply, events

JSON = dict[str, object]
LIMITED, REFUSED, MISSING = 429, 401, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a model says, and what its provider counts."""

    model: str
    """As the provider names it in its response."""
    pieces: tuple[str, ...] = ("canary", "-answer")
    id: str = "the-answer"
    fresh: int = 21
    """Tokens of input that were neither read from a cache nor written to one."""
    cached: int = 5
    written: int = 3
    visible: int = 7
    """Tokens of output that are not reasoning."""
    reasoning: int = 2

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def input(self) -> int:
        return self.fresh + self.cached + self.written

    @property
    def output(self) -> int:
        return self.visible + self.reasoning


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A provider's replies to a chat, by the end of the path they are asked for at, and what can be known of them."""

    plain: tuple[str, Reply]
    stream: tuple[str, Reply]
    refusal: Reply
    said: Said
    tokens: Mapping[str, int]
    """What the provider counts, by the convention's names."""
    id: str | None = None
    """As LiteLLM hands it on; where it makes one of its own there is none."""


def _tokens(said: Said, *details: str) -> dict[str, int]:
    """The tokens of input and output, and of what else the provider counts."""
    known = {
        "cache_read": said.cached,
        "cache_write": said.written,
        "reasoning": said.reasoning,
        "output_text": said.visible,
    }
    return {"input": said.input, "output": said.output, **{name: known[name] for name in details}}


def _lines(bodies: Iterable[object]) -> list[bytes]:
    """Newline-delimited JSON."""
    return [json.dumps(body).encode() + b"\n" for body in bodies]


def _refusal(status: int, body: object, **headers: str) -> Reply:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    waiting = {"retry-after": "7"} if status == LIMITED else {}
    return Reply(status=status, body=body, headers={**waiting, **given})


# --- OpenAI, and whoever speaks like it --------------------------------------------------------------------


def openai_usage(said: Said) -> JSON:
    return {
        "prompt_tokens": said.input,
        "completion_tokens": said.output,
        "total_tokens": said.input + said.output,
        "prompt_tokens_details": {"cached_tokens": said.cached},
        "completion_tokens_details": {"reasoning_tokens": said.reasoning},
    }


def openai_error(status: int) -> Reply:
    kind, code = ("tokens", "rate_limit_exceeded") if status == LIMITED else ("invalid_request_error", "refused")
    error = {"message": "Refused: canary-echo.", "type": kind, "param": None, "code": code}
    return _refusal(status, {"error": error}, x_request_id="req_1")


def openai(said: Said, *, path: str = "/chat/completions", status: int = LIMITED) -> Wire:
    return openai_like(
        said, path=path, usage=openai_usage(said), details=("cache_read", "reasoning"), refusal=openai_error(status)
    )


def openai_like(  # noqa: PLR0913 - where the dialects differ
    said: Said,
    *,
    usage: JSON,
    details: tuple[str, ...] = (),
    refusal: Reply,
    path: str = "/chat/completions",
    extra: JSON | None = None,
    first: tuple[JSON, ...] = (),
    usage_in_last: JSON | None = None,
) -> Wire:
    """OpenAI's format. `extra` is in every body, `first` come before the chunks, and `usage_in_last` is what the last
    of them holds besides, where usage has no chunk of its own.
    """
    shared: JSON = {"id": said.id, "created": 1_750_000_000, "model": said.model, **(extra or {})}

    def chunk(delta: JSON, finish: str | None = None, **more: object) -> JSON:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**shared, "object": "chat.completion.chunk", "choices": [choice], **more}

    answer = {"role": "assistant", "content": said.text, "refusal": None}
    choice = {"index": 0, "message": answer, "logprobs": None, "finish_reason": "stop"}
    body = {**shared, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunks: list[object] = [*first, chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": piece}) for piece in said.pieces]
    chunks.append(chunk({}, "stop", **(usage_in_last or {})))
    if usage_in_last is None:
        chunks.append({**shared, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return Wire(
        plain=(path, Reply(body=body)),
        stream=(path, Reply(pieces=events(*chunks, "[DONE]"))),
        refusal=refusal,
        said=said,
        tokens=_tokens(said, *details),
        id=said.id,
    )


def azure(said: Said, path: str) -> Wire:
    """Filters' verdicts, of which the prompt's come first and without a choice."""
    verdicts: JSON = {"hate": {"filtered": False, "severity": "safe"}}
    prompt: JSON = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": verdicts}]}
    opening: JSON = {"id": "", "created": 0, "model": "", "object": "", "choices": [], **prompt}
    error = {"error": {"code": "429", "message": "Requests have exceeded a limit: canary-echo."}}
    return openai_like(
        said,
        path=path,
        usage=openai_usage(said),
        details=("cache_read", "reasoning"),
        refusal=_refusal(LIMITED, error, apim_request_id="req_1", x_request_id="req_1"),
        first=(opening,),
    )


def deepseek(said: Said) -> Wire:
    """What came from the cache and what did not are told side by side."""
    usage = {
        **openai_usage(said),
        "prompt_cache_hit_tokens": said.cached,
        "prompt_cache_miss_tokens": said.input - said.cached,
    }
    return openai_like(
        said,
        usage=usage,
        details=("cache_read", "reasoning"),
        refusal=openai_error(REFUSED),
        usage_in_last={"usage": usage},
    )


def groq(said: Said) -> Wire:
    """Times among the counts; and of a stream the usage is in a field of Groq's own."""
    usage: JSON = {
        "queue_time": 0.1,
        "prompt_tokens": said.input,
        "prompt_time": 0.1,
        "completion_tokens": said.output,
        "completion_time": 0.2,
        "total_tokens": said.input + said.output,
        "total_time": 0.3,
    }
    return openai_like(
        said,
        usage=usage,
        refusal=openai_error(LIMITED),
        extra={"system_fingerprint": "fp_1", "service_tier": "on_demand"},
        usage_in_last={"x_groq": {"id": "req_1", "usage": usage}, "usage": usage},
    )


def mistral(said: Said) -> Wire:
    usage: JSON = {
        "prompt_tokens": said.input,
        "completion_tokens": said.output,
        "total_tokens": said.input + said.output,
    }
    refusal = _refusal(REFUSED, {"detail": "Unauthorized: canary-echo"}, x_kong_request_id="req_1")
    return openai_like(said, usage=usage, refusal=refusal, usage_in_last={"usage": usage})


def text_generation_inference(said: Said) -> Wire:
    """Hugging Face's server."""
    usage: JSON = {
        "prompt_tokens": said.input,
        "completion_tokens": said.output,
        "total_tokens": said.input + said.output,
    }
    error = {"error": "Model is overloaded: canary-echo", "error_type": "overloaded"}
    return openai_like(said, usage=usage, refusal=_refusal(LIMITED, error, x_request_id="req_1"))


# --- Anthropic --------------------------------------------------------------------------------------------


def anthropic(said: Said) -> Wire:
    """Its tokens of input are the fresh ones; a stream counts the output again at its end."""
    usage = {
        "input_tokens": said.fresh,
        "cache_creation_input_tokens": said.written,
        "cache_read_input_tokens": said.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": said.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": said.output,
        "service_tier": "standard",
    }
    shared = {"id": said.id, "type": "message", "role": "assistant", "model": said.model, "stop_sequence": None}
    body = {**shared, "content": [{"type": "text", "text": said.text}], "stop_reason": "end_turn", "usage": usage}
    beginning: JSON = {**shared, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    messages: list[JSON] = [
        {"type": "message_start", "message": beginning},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    for piece in said.pieces:
        delta = {"type": "text_delta", "text": piece}
        messages.append({"type": "content_block_delta", "index": 0, "delta": delta})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    messages += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": said.output}},
        {"type": "message_stop"},
    ]
    error = {"type": "rate_limit_error", "message": "Too many tokens: canary-echo."}
    return Wire(
        plain=("/v1/messages", Reply(body=body)),
        stream=("/v1/messages", Reply(pieces=events(*messages, names=True))),
        refusal=_refusal(LIMITED, {"type": "error", "error": error, "request_id": "req_1"}, request_id="req_1"),
        said=said,
        tokens=_tokens(said, "cache_read", "cache_write"),
    )


# --- Google -----------------------------------------------------------------------------------------------


def google(said: Said) -> Wire:
    """Gemini's and Vertex AI's. Thoughts are counted beside the candidates."""

    def response(text: str, finish: str | None) -> JSON:
        candidate: JSON = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        usage = {
            "promptTokenCount": said.input,
            "cachedContentTokenCount": said.cached,
            "candidatesTokenCount": said.visible,
            "thoughtsTokenCount": said.reasoning,
            "totalTokenCount": said.input + said.output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": said.input}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": said.cached}],
        }
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": said.model, "responseId": said.id}

    *begun, last = said.pieces
    chunks = [*(response(piece, None) for piece in begun), response(last, "STOP")]
    error = {"code": LIMITED, "message": "Quota exceeded: canary-echo.", "status": "RESOURCE_EXHAUSTED"}
    return Wire(
        plain=(":generateContent", Reply(body=response(said.text, "STOP"))),
        stream=(":streamGenerateContent", Reply(pieces=events(*chunks))),
        refusal=_refusal(LIMITED, {"error": error}),
        said=said,
        tokens=_tokens(said, "cache_read", "reasoning", "output_text"),
        id=said.id,
    )


# --- Cohere -----------------------------------------------------------------------------------------------


def cohere(said: Said, path: str) -> Wire:
    """Version 2, which does not name the model. Who does not accept server-sent events gets a line for each."""
    usage = {
        "billed_units": {"input_tokens": said.fresh, "output_tokens": said.output},
        "tokens": {"input_tokens": said.input, "output_tokens": said.output},
        "cached_tokens": said.cached,
    }
    content = [{"type": "text", "text": said.text}]
    body = {
        "id": said.id,
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": content},
        "usage": usage,
    }
    opening = {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}
    begun = {"message": {"content": {"type": "text", "text": ""}}}
    messages: list[JSON] = [
        {"id": said.id, "type": "message-start", "delta": opening},
        {"type": "content-start", "index": 0, "delta": begun},
    ]
    messages += [
        *(
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}
            for piece in said.pieces
        ),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    error = {"id": "req_1", "message": "You are using a Trial key: canary-echo."}
    return Wire(
        plain=(path, Reply(body=body)),
        stream=(path, Reply(pieces=_lines(messages), headers={"content-type": "application/stream+json"})),
        refusal=_refusal(LIMITED, error),
        said=said,
        tokens=_tokens(said),
    )


# --- AWS Bedrock ------------------------------------------------------------------------------------------


def bedrock(said: Said) -> Wire:
    """The Converse API: its tokens of input are the fresh ones, and a stream is in AWS's binary framing."""
    usage = {
        "inputTokens": said.fresh,
        "outputTokens": said.output,
        "totalTokens": said.input + said.output,
        "cacheReadInputTokens": said.cached,
        "cacheWriteInputTokens": said.written,
    }
    answer = {"message": {"content": [{"text": said.text}], "role": "assistant"}}
    body = {"metrics": {"latencyMs": 12}, "output": answer, "stopReason": "end_turn", "usage": usage}
    pieces = [message("messageStart", {"role": "assistant"})]
    pieces += [
        *(message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in said.pieces),
        message("contentBlockStop", {"contentBlockIndex": 0}),
        message("messageStop", {"stopReason": "end_turn"}),
        message("metadata", {"metrics": {"latencyMs": 12}, "usage": usage}),
    ]
    headers = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "req_1"}
    error = {"message": "Too many tokens, please wait before trying again: canary-echo."}
    return Wire(
        plain=("/converse", Reply(body=body, headers={"x-amzn-requestid": "req_1"})),
        stream=("/converse-stream", Reply(pieces=pieces, headers=headers)),
        refusal=_refusal(LIMITED, error, x_amzn_errortype="ThrottlingException", x_amzn_requestid="req_1"),
        said=said,
        tokens=_tokens(said, "cache_read", "cache_write"),
    )


# --- Ollama -----------------------------------------------------------------------------------------------


def _ollama(said: Said, path: str, piece_of: str) -> Wire:
    def body(text: str) -> JSON:
        content: object = {"role": "assistant", "content": text} if piece_of == "message" else text
        return {"model": said.model, "created_at": "2026-11-01T00:00:00.0Z", piece_of: content, "done": False}

    end = {
        "done_reason": "stop",
        "done": True,
        "total_duration": 9,
        "load_duration": 1,
        "prompt_eval_count": said.input,
        "prompt_eval_duration": 4,
        "eval_count": said.output,
        "eval_duration": 4,
    }
    bodies = [*(body(piece) for piece in said.pieces), {**body(""), **end}]
    return Wire(
        plain=(path, Reply(body={**body(said.text), **end})),
        stream=(path, Reply(pieces=_lines(bodies), headers={"content-type": "application/x-ndjson"})),
        refusal=_refusal(MISSING, {"error": "model 'canary-echo' not found, try pulling it first"}),
        said=said,
        tokens=_tokens(said),
    )


def ollama_generate(said: Said) -> Wire:
    return _ollama(said, "/api/generate", "response")


def ollama_chat(said: Said) -> Wire:
    return _ollama(said, "/api/chat", "message")


# --- embeddings of two texts -------------------------------------------------------------------------------

VECTORS = ([0.25, 0.5, 0.75], [0.125, 0.25, 0.375])
COUNTED = 9
"""Tokens of the two texts, where they are counted."""


def openai_embeddings(model: str) -> JSON:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(VECTORS)]
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": COUNTED, "total_tokens": COUNTED},
    }


def cohere_embeddings() -> JSON:
    return {
        "id": "the-embeddings",
        "embeddings": {"float": VECTORS},
        "texts": ["canary", "canary"],
        "response_type": "embeddings_by_type",
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": COUNTED}},
    }


def gemini_embeddings() -> JSON:
    """Without a count."""
    return {"embeddings": [{"values": vector} for vector in VECTORS]}


def vertex_embeddings() -> JSON:
    """A count for each text."""
    counts = (COUNTED - 5, 5)
    embeddings = [
        {"values": vector, "statistics": {"token_count": count, "truncated": False}}
        for vector, count in zip(VECTORS, counts, strict=True)
    ]
    return {
        "predictions": [{"embeddings": each} for each in embeddings],
        "metadata": {"billableCharacterCount": 12},
    }


def titan_embedding(count: int) -> JSON:
    """Of one text: LiteLLM asks for one after the other."""
    return {"embedding": VECTORS[0], "embeddingsByType": {"float": VECTORS[0]}, "inputTextTokenCount": count}


def hugging_face_embeddings() -> object:
    """Bare vectors, without a count."""
    return VECTORS


def ollama_embeddings(model: str) -> JSON:
    durations = {"total_duration": 9, "load_duration": 1}
    return {"model": model, "embeddings": VECTORS, **durations, "prompt_eval_count": COUNTED}
