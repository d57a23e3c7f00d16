"""LiteLLM's APIs: function, parameters, and the provider's reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from support import wire_formats as formats
from support.servers import openai_resources, wires
from support.servers.wire import Reply, events
from support.servers.wires import Completion, ProviderReplies

Parameters = dict[str, Any]
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
]
KEY = "sk-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A function of LiteLLM's for one provider, plain or streamed."""

    name: str
    function: str
    """Of the module `litellm`, or with the name of a module and a colon before it."""
    parameters: Parameters
    reply: Reply
    base: str = ""
    """The path in `api_base`."""
    reach: Callable[[str], Parameters] | None = None
    """The connection parameters for the URL of a server, if not `api_base` and `api_key`."""
    always_async: bool = False
    """Whether LiteLLM does not implement the synchronous function."""

    def connection(self, url: str) -> Parameters:
        return self.reach(url) if self.reach is not None else {"api_base": url + self.base, "api_key": KEY}

    def callable(self, *, asynchronous: bool) -> Callable[..., Any] | None:
        """LiteLLM's function, if this release has it."""
        module, _, name = self.function.rpartition(":")
        try:
            functions = import_module(module or "litellm")
        except ImportError:
            return None
        found: Callable[..., Any] | None = getattr(functions, f"a{name}" if asynchronous else name, None)
        return found


def _aws_connection(url: str) -> Parameters:
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
    return {"aws_bedrock_runtime_endpoint": url, "aws_region_name": "us-east-1", **keys}


def _azure_connection(url: str) -> Parameters:
    return {"api_base": url, "api_key": KEY, "api_version": "2024-10-21"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chat:
    model: str
    wire: ProviderReplies
    base: str = ""
    reach: Callable[[str], Parameters] | None = None
    parameters: Parameters = field(default_factory=dict)


def _completion(model: str) -> Completion:
    return Completion(model=model, pieces=("Hel", "lo, wörld", "!"))


CHATS: tuple[_Chat, ...] = (
    _Chat(model="openai/gpt-4o", wire=wires.openai(_completion("gpt-4o-2024-08-06"))),
    _Chat(
        model="azure/mine",
        wire=wires.azure(_completion("gpt-4o-2024-08-06"), "/openai/deployments/mine/chat/completions"),
        reach=_azure_connection,
    ),
    _Chat(model="deepseek/deepseek-chat", wire=wires.deepseek(_completion("deepseek-chat"))),
    _Chat(model="groq/openai/gpt-oss-20b", wire=wires.groq(_completion("openai/gpt-oss-20b"))),
    _Chat(model="mistral/mistral-large-latest", wire=wires.mistral(_completion("mistral-large-2411"))),
    _Chat(model="anthropic/claude-haiku-4-5", wire=wires.anthropic(_completion("claude-haiku-4-5-20251001"))),
    _Chat(model="gemini/gemini-2.5-flash", wire=wires.google(_completion("gemini-2.5-flash-001"))),
    _Chat(
        model="cohere/command-r-08-2024",
        wire=wires.cohere(_completion("command-r-08-2024"), "/v2/chat"),
        base="/v2/chat",
    ),
    _Chat(
        model="bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
        wire=wires.bedrock(_completion("anthropic.claude-haiku-4-5-20251001-v1:0")),
        reach=_aws_connection,
    ),
    _Chat(model="ollama_chat/llama3.2", wire=wires.ollama_chat(_completion("llama3.2"))),
)


def _chats() -> list[Api]:
    rows = []
    for chat in CHATS:
        for stream, (_, reply) in ((False, chat.wire.plain), (True, chat.wire.stream)):
            parameters = {"model": chat.model, "messages": MESSAGES, **({"stream": True} if stream else {})}
            if stream and chat.model.startswith(("openai/", "azure/")):
                parameters["stream_options"] = {"include_usage": True}
            rows.append(
                Api(
                    name=f"chat of {chat.model}{' streamed' if stream else ''}",
                    function="completion",
                    parameters=parameters,
                    reply=reply,
                    base=chat.base,
                    reach=chat.reach,
                )
            )
    return rows


# --- tool calls ----------------------------------------------------------------------------------------------

_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
_LOGPROBS = {"content": [{"token": "Hi", "logprob": -0.1, "bytes": [72], "top_logprobs": []}]}
_SHARED = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_1"}
_WITH_CALLS = {
    **_SHARED,
    "object": "chat.completion",
    "choices": [
        {
            "index": number,
            "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": None, "tool_calls": [_CALL, {**_CALL, "id": "call_2"}]},
            "logprobs": _LOGPROBS,
        }
        for number in range(2)
    ],
    "usage": formats.CHAT_USAGE,
}
_CALL_PIECES = (
    {"role": "assistant", "tool_calls": [{**_CALL, "index": 0, "function": {"name": "weather", "arguments": ""}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]},
)
_CALL_EVENTS = events(
    *(
        {**_SHARED, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in _CALL_PIECES
    ),
    {
        **_SHARED,
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
        "usage": formats.CHAT_USAGE,
    },
    "[DONE]",
)
_CLAUDE_WITH_CALL = formats.message(content=[formats.TEXT_BLOCK, formats.TOOL_BLOCK], stop_reason="tool_use")
_GEMINI_WITH_CALL = formats.content({"functionCall": {"name": "weather", "args": {"city": "Rome"}}})
_TOOL_PARAMETERS: Parameters = {"messages": MESSAGES, "tools": TOOLS}

# --- text completions ----------------------------------------------------------------------------------------

_TEXT = {**_SHARED, "object": "text_completion", "model": "gpt-3.5-turbo-instruct"}
_TEXT_CHOICE = {"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "stop"}
_TEXT_EVENTS = events(
    {**_TEXT, "choices": [{**_TEXT_CHOICE, "finish_reason": None}]},
    {**_TEXT, "choices": [{**_TEXT_CHOICE, "text": ", world"}]},
    {**_TEXT, "choices": [], "usage": formats.CHAT_USAGE},
    "[DONE]",
)
_PROMPT: Parameters = {"model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "Say hello."}

# --- other operations ----------------------------------------------------------------------------------------

_IMAGES = {
    "created": 1,
    "data": [{"b64_json": "aGVsbG8=", "revised_prompt": "A garden."}, {"url": "https://example.com/1.png"}],
    "usage": {
        "input_tokens": 50,
        "output_tokens": 400,
        "total_tokens": 450,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    },
}
_TRANSCRIPT = {
    "text": "Hello.",
    "language": "english",
    "duration": 1.5,
    "segments": [{"id": 0, "start": 0.0, "end": 1.5, "text": "Hello."}],
    "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59},
}
_MODERATION_RESULT = {
    "flagged": True,
    "categories": {"hate": False, "violence": True, "self-harm": False},
    "category_scores": {"hate": 0.1, "violence": 0.9, "self-harm": 0.0},
    "category_applied_input_types": {"violence": ["text"]},
}
_RERANK_RESPONSE = {
    "id": "rerank-1",
    "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 2}},
}
_JINA_RERANK_RESPONSE = {**_RERANK_RESPONSE, "usage": {"total_tokens": 9}}
_RERANK_PARAMETERS: Parameters = {"query": "capital", "documents": ["Rome", {"text": "Oslo"}], "top_n": 2}
_SEARCH_RESULT = {"title": "a title", "url": "https://example.com", "content": "a text", "score": 1}
_VECTOR_STORE_RESPONSE = {
    "object": "vector_store.search_results.page",
    "search_query": ["Rome"],
    "data": [{"score": 0.9, "content": [{"type": "text", "text": "Rome."}], "file_id": "file-1", "filename": "a.txt"}],
    "has_more": False,
}
_OCR = {
    "model": "mistral-ocr-latest",
    "pages": [{"index": 0, "markdown": "Hello.", "images": [], "dimensions": {"dpi": 1, "height": 2, "width": 3}}],
    "usage_info": {"pages_processed": 1, "doc_size_bytes": 3},
}
_OPENAI: Parameters = {"custom_llm_provider": "openai"}


def _embeddings() -> list[Api]:
    replies: dict[str, tuple[object, str]] = {
        "openai/text-embedding-3-small": (wires.openai_embeddings("text-embedding-3-small"), ""),
        "cohere/embed-english-v3.0": (wires.cohere_embeddings(), "/v2/embed"),
        "gemini/gemini-embedding-001": (wires.gemini_embeddings(), ""),
        "ollama/nomic-embed-text": (wires.ollama_embeddings("nomic-embed-text"), ""),
    }
    return [
        Api(
            name=f"embedding of {model}",
            function="embedding",
            parameters={"model": model, "input": ["one", "two"]},
            reply=Reply(body=body),
            base=base,
        )
        for model, (body, base) in replies.items()
    ]


def _both(  # noqa: PLR0913 - the fields of two rows
    name: str,
    function: str,
    parameters: Parameters,
    plain: object,
    stream: list[bytes],
    *,
    always_async: bool = False,
) -> list[Api]:
    return [
        Api(name=name, function=function, parameters=parameters, reply=Reply(body=plain), always_async=always_async),
        Api(
            name=f"{name} streamed",
            function=function,
            parameters={**parameters, "stream": True},
            reply=Reply(pieces=stream),
            always_async=always_async,
        ),
    ]


_MESSAGES_MODULE = "litellm.anthropic_interface.messages:create"
_CONTENTS: Parameters = {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}
_CLAUDE: Parameters = {"messages": MESSAGES[1:], "max_tokens": 64}
_RESPONSES_INPUT: Parameters = {"input": "Say hello."}


def _contents() -> list[Api]:
    rows = {"gemini/gemini-2.5-flash": (formats.content(), formats.content_events())}
    rows["openai/gpt-4o"] = (formats.chat(), formats.chat_events())
    made = []
    for model, (plain, stream) in rows.items():
        for function, reply in (
            ("generate_content", Reply(body=plain)),
            ("generate_content_stream", Reply(pieces=stream)),
        ):
            made.append(
                Api(
                    name=f"{function} of {model}",
                    function=f"litellm.google_genai:{function}",
                    parameters={"model": model, **_CONTENTS},
                    reply=reply,
                )
            )
    return made


def _plain(name: str, parameters: Parameters, body: object, *, base: str = "", function: str = "") -> Api:
    return Api(name=name, function=function or name, parameters=parameters, reply=Reply(body=body), base=base)


RESPONSE_WITH_CALL = formats.response(output=[formats.MESSAGE_ITEM, formats.CALL_ITEM])
FILE = ("sound.wav", b"RIFF0000")
APIS: tuple[Api, ...] = (
    *_chats(),
    *_both(
        "tool calls of openai", "completion", {"model": "openai/gpt-4o", **_TOOL_PARAMETERS}, _WITH_CALLS, _CALL_EVENTS
    ),
    *_both(
        "tool calls of anthropic",
        "completion",
        {"model": "anthropic/claude-haiku-4-5", **_TOOL_PARAMETERS},
        _CLAUDE_WITH_CALL,
        formats.message_events(),
    ),
    *_both(
        "tool calls of gemini",
        "completion",
        {"model": "gemini/gemini-2.5-flash", **_TOOL_PARAMETERS},
        _GEMINI_WITH_CALL,
        events(_GEMINI_WITH_CALL),
    ),
    *_both(
        "text completion",
        "text_completion",
        _PROMPT,
        {**_TEXT, "choices": [_TEXT_CHOICE], "usage": formats.CHAT_USAGE},
        _TEXT_EVENTS,
    ),
    *_both(
        "responses",
        "responses",
        {"model": "openai/gpt-4o", **_RESPONSES_INPUT},
        RESPONSE_WITH_CALL,
        formats.response_events(),
    ),
    *_both(
        "responses of anthropic",
        "responses",
        {"model": "anthropic/claude-haiku-4-5", **_RESPONSES_INPUT},
        formats.message(),
        formats.message_events(),
    ),
    *_both(
        "messages",
        _MESSAGES_MODULE,
        {"model": "anthropic/claude-sonnet-4-6", **_CLAUDE},
        _CLAUDE_WITH_CALL,
        formats.message_events(),
        always_async=True,
    ),
    *_both(
        "messages of gemini",
        _MESSAGES_MODULE,
        {"model": "gemini/gemini-2.5-flash", **_CLAUDE},
        formats.content(),
        formats.content_events(),
    ),
    *_both(
        "messages of openai",
        _MESSAGES_MODULE,
        {"model": "openai/gpt-4o", **_CLAUDE},
        formats.response(),
        formats.response_events(),
    ),
    *_contents(),
    *_embeddings(),
    _plain(
        "rerank", {"model": "cohere/rerank-english-v3.0", **_RERANK_PARAMETERS}, _RERANK_RESPONSE, base="/v1/rerank"
    ),
    _plain(
        "rerank of jina",
        {"model": "jina_ai/jina-reranker-v2-base-multilingual", **_RERANK_PARAMETERS},
        _JINA_RERANK_RESPONSE,
        base="/v1/rerank",
        function="rerank",
    ),
    _plain("image_generation", {"model": "openai/gpt-image-1", "prompt": "A garden."}, _IMAGES),
    _plain(
        "image_edit", {"model": "openai/gpt-image-1", "prompt": "A garden.", "image": b"\x89PNG\r\n\x1a\n"}, _IMAGES
    ),
    _plain(
        "transcription",
        {"model": "openai/whisper-1", "file": FILE, "response_format": "verbose_json"},
        _TRANSCRIPT,
    ),
    _plain("speech", {"model": "openai/tts-1", "input": "Hello.", "voice": "alloy"}, b"ID3" * 50),
    _plain(
        "moderation",
        {"model": "openai/omni-moderation-latest", "input": ["Hello.", "Die."]},
        {
            "id": "modr-1",
            "model": "omni-moderation-2024-09-26",
            "results": [_MODERATION_RESULT, _MODERATION_RESULT],
        },
    ),
    _plain("search", {"query": "Rome", "search_provider": "tavily"}, {"results": [_SEARCH_RESULT, _SEARCH_RESULT]}),
    _plain(
        "vector_stores.search",
        {"vector_store_id": "vs_1", "query": "Rome", **_OPENAI},
        _VECTOR_STORE_RESPONSE,
        function="litellm.vector_stores:search",
    ),
    _plain(
        "ocr",
        {
            "model": "mistral/mistral-ocr-latest",
            "document": {"type": "document_url", "document_url": "https://example.com/a.pdf"},
        },
        _OCR,
    ),
    _plain(
        "video_generation", {"model": "openai/sora-2", "prompt": "A garden.", "seconds": "8"}, openai_resources.VIDEO
    ),
    _plain("create_file", {"file": ("a.jsonl", b"{}"), "purpose": "batch", **_OPENAI}, openai_resources.FILE),
    _plain("retrieve_batch", {"batch_id": "batch_1", **_OPENAI}, openai_resources.BATCH),
    _plain(
        "list_batches",
        _OPENAI,
        {
            "object": "list",
            "data": [openai_resources.BATCH, openai_resources.BATCH],
            "has_more": False,
            "first_id": "a",
            "last_id": "z",
        },
    ),
    _plain(
        "create_fine_tuning_job",
        {"model": "gpt-4o-mini", "training_file": "file-1", **_OPENAI},
        openai_resources.TUNING,
    ),
    _plain("get_responses", {"response_id": "resp_1", **_OPENAI}, RESPONSE_WITH_CALL),
    _plain(
        "delete_responses",
        {"response_id": "resp_1", **_OPENAI},
        {
            "id": "resp_1",
            "object": "response",
            "deleted": True,
        },
    ),
)
