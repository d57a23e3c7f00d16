"""The readers, with LiteLLM's classes, plain dicts and generated values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TypedDict

import httpx
import litellm
import openai
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litellm import exceptions
from litellm.llms.base_llm.chat.transformation import BaseLLMException
from litellm.types.router import RouterRateLimitError
from litellm.types.utils import (
    CompletionTokensDetailsWrapper,
    Delta,
    Embedding,
    ModelResponseStream,
    PromptTokensDetailsWrapper,
    StreamingChoices,
    TextChoices,
    TextCompletionResponse,
)
from openai import OpenAI

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Cost, Failure, Request, Response, Routing, Stream, Target, Usage
from agentops_otel_litellm.readers import chat
from agentops_otel_litellm.readers.parts import Draft
from support.reader_cases import (
    CHOICE,
    DETAILS,
    HEADERS,
    JSON,
    MESSAGE,
    NO_DEADLINE,
    PARAMETERS,
    PART,
    RESPONSE,
    USAGE,
    check_reader,
    objects_with,
)

API_FORMATS = {
    "chat": readers.API_FORMATS["chat"],
    "text": readers.API_FORMATS["text"],
    "embedding": readers.API_FORMATS["embedding"],
    "default": readers.API_FORMATS["default"],
}

# --- requests ---------------------------------------------------------------------------------------------


class Part(pydantic.BaseModel):
    type: str
    text: str | None = None


class Turn(pydantic.BaseModel):
    role: str
    content: str | list[Part]


class Schema(pydantic.BaseModel):
    answer: str


Parameters = dict[str, object]
CHATS: dict[str, tuple[Parameters, Request]] = {
    "nothing": ({}, Request(stream=False, messages_count=0, content_length=0)),
    "only None": (
        dict.fromkeys(["model", "messages", "stream", "n", "tools", "tool_choice", "response_format", "stop", "seed"]),
        Request(stream=False, messages_count=0, content_length=0),
    ),
    "every role": (
        {
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "one"},
                {"role": "developer", "content": "two"},
                {"role": "user", "content": "three"},
                {"role": "assistant", "content": None},
                {"role": "tool", "content": ""},
                {"role": "function", "content": "six"},
                {"role": "a role of the app's", "content": "seven"},
                {"content": "eight"},
            ],
        },
        Request(
            model="gpt-4o",
            stream=False,
            messages_count=8,
            system_count=1,
            developer_count=1,
            user_count=1,
            assistant_count=1,
            tool_count=1,
            function_count=1,
            content_length=len("onetwothreesixseveneight"),
            modalities=("text",),
        ),
    ),
    "parts": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look:"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                        {"type": "file", "file": {"file_id": "f"}},
                        {"type": "video_url", "video_url": {"url": "http://localhost/v"}},
                        {"type": "a type of the provider's", "text": "not read"},
                        {"type": "text"},
                    ],
                }
            ]
        },
        Request(
            stream=False,
            messages_count=1,
            user_count=1,
            content_length=len("Look:"),
            modalities=("audio", "file", "image", "text", "video"),
        ),
    ),
    "models for messages": (
        {
            "messages": [
                litellm.Message(role="assistant", content="abc"),
                Turn(role="user", content="de"),
                Turn(role="user", content=[Part(type="text", text="f"), Part(type="image_url")]),
            ]
        },
        Request(
            stream=False,
            messages_count=3,
            assistant_count=1,
            user_count=2,
            content_length=6,
            modalities=("image", "text"),
        ),
    ),
    "sampling": (
        {
            "stream": True,
            "n": 2,
            "temperature": 0,
            "top_p": 0.5,
            "top_k": 3,
            "max_completion_tokens": 4,
            "frequency_penalty": 1,
            "presence_penalty": -1.5,
            "seed": 0,
            "stop": "end",
            "service_tier": "flex",
        },
        Request(
            stream=True,
            messages_count=0,
            content_length=0,
            choice_count=2,
            temperature=0.0,
            top_p=0.5,
            top_k=3,
            max_tokens=4,
            frequency_penalty=1.0,
            presence_penalty=-1.5,
            seed=0,
            stop_sequences=("end",),
            service_tier="flex",
        ),
    ),
    "values of other types": (
        {
            "model": 5,
            "stream": "yes",
            "n": True,
            "temperature": "0.5",
            "top_k": 1.5,
            "seed": "7",
            "stop": [1, None],
            "service_tier": "",
            "reasoning_effort": {"effort": "low"},
            "tool_choice": "an invention",
        },
        Request(stream=False, messages_count=0, content_length=0),
    ),
}


@pytest.mark.parametrize(("parameters", "expected"), CHATS.values(), ids=CHATS.keys())
def test_chat_requests(parameters: Parameters, expected: Request) -> None:
    """Dicts and models are read alike; values of an unexpected type are unknown."""
    assert readers.API_FORMATS["chat"].request(parameters) == expected


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("max_tokens", 9, "max_tokens", 9),
        ("stop", ["a", "b"], "stop_sequences", ("a", "b")),
        ("stop", ("a", 1), "stop_sequences", ("a",)),
        ("stop", [], "stop_sequences", None),
        ("tools", [{}, {}], "tools_count", 2),
        ("tools", [], "tools_count", 0),
        ("functions", [{}], "tools_count", 1),
        ("tool_choice", "auto", "tool_choice", "auto"),
        ("tool_choice", "required", "tool_choice", "required"),
        ("tool_choice", {"type": "function", "function": {"name": "secret"}}, "tool_choice", "function"),
        ("reasoning_effort", "high", "reasoning_level", "high"),
        ("reasoning_effort", "a prompt", "reasoning_level", None),
        ("response_format", {"type": "json_object"}, "output_type", "json"),
        ("response_format", {"type": "json_schema", "json_schema": {}}, "output_type", "json"),
        ("response_format", {"type": "text"}, "output_type", "text"),
        ("response_format", {"type": "an invention"}, "output_type", None),
        ("response_format", Schema, "output_type", "json"),
        ("guardrailConfig", {"guardrailIdentifier": "gr1", "trace": "enabled"}, "guardrail_id", "gr1"),
        (
            "guardrailConfig",
            {"guardrailIdentifier": "arn:aws:bedrock:us-east-1:1:guardrail/gr1"},
            "guardrail_id",
            "gr1",
        ),
        ("guardrailConfig", {"guardrailIdentifier": ["gr1"]}, "guardrail_id", None),
        ("guardrailConfig", "gr1", "guardrail_id", None),
    ],
)
def test_chat_parameters(name: str, value: object, field: str, expected: object) -> None:
    assert getattr(readers.API_FORMATS["chat"].request({name: value}), field) == expected


PROMPTS: list[tuple[object, int | None, int | None]] = [
    ("", 1, 0),
    ("abc", 1, 3),
    (["abc"], 1, 3),
    (("a", "bc", ""), 3, 3),
    ([1, 2, 3], 1, None),
    ([[1, 2], [3]], 2, None),
    (["a", [1]], 2, None),
    ([], None, None),
    (None, None, None),
    ({"text": "abc"}, None, None),
    (5, None, None),
]


@pytest.mark.parametrize(("value", "count", "length"), PROMPTS)
def test_prompts_and_inputs_are_counted(value: object, count: int | None, length: int | None) -> None:
    """One or several, as text or as tokens; the text length of tokens is unknown."""
    text = readers.API_FORMATS["text"].request({"prompt": value})
    assert text == Request(stream=False, inputs_count=count, content_length=length)
    embedding = readers.API_FORMATS["embedding"].request({"input": value})
    assert embedding == Request(inputs_count=count, content_length=length)


def test_embedding_and_unknown_requests() -> None:
    """Parameters of embeddings, and the few that are read for an operation without an API format."""
    parameters = {
        "model": "m",
        "stream": True,
        "dimensions": 8,
        "encoding_format": "float",
        "temperature": 1,
        "input": "a",
    }
    assert readers.API_FORMATS["embedding"].request(parameters) == Request(
        model="m", inputs_count=1, content_length=1, encoding_formats=("float",), dimensions=8
    )
    assert readers.API_FORMATS["default"].request(parameters) == Request(model="m", stream=True)
    assert readers.API_FORMATS["default"].request({}) == Request()


# --- responses --------------------------------------------------------------------------------------------

TOOL_CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USAGE_DETAILS = litellm.Usage(
    prompt_tokens=100,
    completion_tokens=50,
    total_tokens=150,
    prompt_tokens_details=PromptTokensDetailsWrapper(
        cached_tokens=1, text_tokens=2, image_tokens=3, audio_tokens=4, cache_creation_tokens=5
    ),
    completion_tokens_details=CompletionTokensDetailsWrapper(
        reasoning_tokens=6, text_tokens=7, image_tokens=8, audio_tokens=9
    ),
)
READ_USAGE_DETAILS = Usage(
    input=100,
    output=50,
    total=150,
    cache_read=1,
    input_text=2,
    input_image=3,
    input_audio=4,
    cache_write=5,
    reasoning=6,
    output_text=7,
    output_image=8,
    output_audio=9,
)


def test_a_chat_response() -> None:
    """Choices, text lengths and tool calls are counted; a deprecated function call counts as one."""
    response = litellm.ModelResponse(
        id="an-id",
        model="gpt-4o-2024",
        choices=[
            litellm.Choices(finish_reason="tool_calls", message=litellm.Message(content="abc", tool_calls=[TOOL_CALL])),
            litellm.Choices(
                finish_reason="length",
                message=litellm.Message(content=None, function_call={"name": "f", "arguments": "{}"}),
            ),
        ],
        usage=USAGE_DETAILS,
        system_fingerprint="fp",
        service_tier="flex",
    )
    assert readers.API_FORMATS["chat"].response(response) == Response(
        id="an-id",
        model="gpt-4o-2024",
        finish_reasons=("tool_calls", "length"),
        choices_count=2,
        content_length=3,
        tool_calls_count=2,
        service_tier="flex",
        system_fingerprint="fp",
    )
    assert readers.API_FORMATS["chat"].usage(response) == READ_USAGE_DETAILS


def test_a_response_as_a_dict_is_read_like_the_object() -> None:
    response = litellm.ModelResponse(
        id="an-id",
        model="gpt-4o",
        choices=[litellm.Choices(finish_reason="stop", message=litellm.Message(content="abc"))],
        usage=USAGE_DETAILS,
    )
    dumped = response.model_dump()
    for api_format in API_FORMATS.values():
        assert api_format.response(dumped) == api_format.response(response)
        assert api_format.usage(dumped) == api_format.usage(response)


def test_a_text_response() -> None:
    """It has text and finish reasons, but no roles or tool calls."""
    response = TextCompletionResponse(
        id="an-id",
        model="instruct",
        choices=[
            TextChoices(text="abc", finish_reason="stop", index=0),
            TextChoices(text=None, finish_reason="length", index=1),
        ],
        usage=USAGE_DETAILS,
    )
    assert readers.API_FORMATS["text"].response(response) == Response(
        id="an-id", model="instruct", finish_reasons=("stop", "length"), choices_count=2, content_length=3
    )
    assert readers.API_FORMATS["text"].usage(response) == READ_USAGE_DETAILS


@pytest.mark.parametrize(("vector", "dimensions"), [([0.5, 0.25], 2), ("AAAAPw==", None)])
def test_an_embedding_response(vector: list[float] | str, dimensions: int | None) -> None:
    """The dimension of a base64 vector is unknown, and LiteLLM's 0 for the output tokens is ignored."""
    response = litellm.EmbeddingResponse(
        model="embedding",
        data=[Embedding(embedding=vector, index=0, object="embedding")],
        usage=litellm.Usage(prompt_tokens=3, completion_tokens=0, total_tokens=3),
    )
    assert readers.API_FORMATS["embedding"].response(response) == Response(
        model="embedding", dimension_count=dimensions
    )
    assert readers.API_FORMATS["embedding"].usage(response) == Usage(input=3, total=3)


def test_a_response_of_an_unknown_format() -> None:
    """Its id, model and usage are read if it has them."""
    response = SimpleNamespace(id="an-id", model="m", choices=[1], usage={"prompt_tokens": 1, "completion_tokens": 2})
    assert readers.API_FORMATS["default"].response(response) == Response(id="an-id", model="m")
    assert readers.API_FORMATS["default"].usage(response) == Usage(input=1, output=2)
    assert readers.API_FORMATS["default"].response(b"sound") == Response()
    assert readers.API_FORMATS["default"].usage(b"sound") is None


USAGES: list[tuple[object, Usage | None]] = [
    (None, None),
    ({}, None),
    (litellm.Usage(), None),
    (litellm.Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0), None),
    ({"prompt_tokens": 0, "completion_tokens": None, "total_tokens": 9}, None),
    ({"prompt_tokens": 4}, Usage(input=4)),
    ({"prompt_tokens": 4, "completion_tokens": 0}, Usage(input=4, output=0)),
    ({"prompt_tokens": 4, "completion_tokens": "5", "total_tokens": 9.0}, Usage(input=4)),
    ({"prompt_tokens": True, "completion_tokens": 5}, Usage(output=5)),
    ({"prompt_tokens": 4, "prompt_tokens_details": {"cached_tokens": 0}}, Usage(input=4, cache_read=0)),
    ({"prompt_tokens": 4, "prompt_tokens_details": {"cached_tokens": None}}, Usage(input=4)),
    ({"prompt_tokens": 4, "prompt_tokens_details": [1]}, Usage(input=4)),
    (
        litellm.Usage(
            prompt_tokens=9,
            completion_tokens=1,
            total_tokens=10,
            cache_read_input_tokens=3,
            cache_creation_input_tokens=5,
        ),
        Usage(input=9, output=1, total=10, cache_read=3, cache_write=5),
    ),
    (  # LiteLLM's usage for Anthropic, with nothing cached
        litellm.Usage(
            prompt_tokens=9,
            completion_tokens=5,
            total_tokens=14,
            cache_read_input_tokens=0,
            cache_creation_input_tokens=0,
            prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=0, cache_creation_tokens=0, text_tokens=9),
            completion_tokens_details=CompletionTokensDetailsWrapper(reasoning_tokens=3, text_tokens=2),
        ),
        Usage(input=9, output=5, total=14),
    ),
    (  # LiteLLM's usage for Gemini, with cached tokens left out of the text tokens
        litellm.Usage(
            prompt_tokens=29,
            completion_tokens=7,
            total_tokens=36,
            prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=5, text_tokens=20, image_tokens=4),
        ),
        Usage(input=29, output=7, total=36, cache_read=5),
    ),
    (  # LiteLLM's usage for Gemini, with cached tokens among the text tokens
        litellm.Usage(
            prompt_tokens=29,
            completion_tokens=7,
            total_tokens=36,
            prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=5, text_tokens=25, image_tokens=4),
        ),
        Usage(input=29, output=7, total=36, cache_read=5, input_text=25, input_image=4),
    ),
]


@pytest.mark.parametrize(("usage", "expected"), USAGES)
def test_usage(usage: object, expected: Usage | None) -> None:
    """Only zeros mean that the usage is unknown, since LiteLLM fills them in. A zero beside a count is a count."""
    assert readers.API_FORMATS["chat"].usage(SimpleNamespace(usage=usage)) == expected


@pytest.mark.parametrize("provider", ["gemini", "huggingface", "sagemaker", "triton", "openai"])
def test_usage_of_embeddings(provider: str) -> None:
    """LiteLLM estimates tokens for providers that do not count, which is ignored; Gemini's own details are read."""
    response = litellm.EmbeddingResponse(usage=litellm.Usage(prompt_tokens=9, total_tokens=9))
    response._hidden_params["custom_llm_provider"] = provider
    expected = Usage(input=9, total=9) if provider == "openai" else None
    assert readers.API_FORMATS["embedding"].usage(response) == expected
    by_kind = PromptTokensDetailsWrapper(text_tokens=0, image_tokens=9)
    response.usage = litellm.Usage(prompt_tokens=9, total_tokens=9, prompt_tokens_details=by_kind)
    assert readers.API_FORMATS["embedding"].usage(response) == Usage(input=9, total=9, input_text=0, input_image=9)


@pytest.mark.parametrize(
    ("provider", "written", "model"),
    [
        ("ollama", "ollama/llama3.2", "llama3.2"),
        ("fireworks_ai", "fireworks_ai/accounts/us/models/m", "accounts/us/models/m"),
        ("groq", "openai/gpt-oss-20b", "openai/gpt-oss-20b"),
        ("openai", "openai/gpt-oss-20b", "openai/gpt-oss-20b"),
        ("ollama", "ollama/", "ollama/"),
        ("ollama", "ollama", "ollama"),
        (None, "ollama/llama3.2", "ollama/llama3.2"),
    ],
)
def test_the_provider_prefix_is_removed_from_the_response_model(provider: str | None, written: str, model: str) -> None:
    """LiteLLM adds a prefix for some providers. For others, the model's own name has one."""
    for reader, response in (
        (readers.API_FORMATS["chat"], litellm.ModelResponse(model=written)),
        (readers.API_FORMATS["embedding"], litellm.EmbeddingResponse(model=written)),
    ):
        response._hidden_params["custom_llm_provider"] = provider
        assert reader.response(response).model == model


@pytest.mark.parametrize(("tier", "known"), [("auto", None), ("flex", "flex"), (None, None)])
def test_the_service_tier_auto_is_unknown(tier: str | None, known: str | None) -> None:
    """The provider chooses the tier for `auto`, so the tier that it used is unknown."""
    assert readers.API_FORMATS["chat"].response(SimpleNamespace(service_tier=tier)).service_tier == known
    chunks = readers.API_FORMATS["chat"].chunks(SimpleNamespace())
    chunks.add(SimpleNamespace(id="an-id", service_tier=tier, choices=[]), 0.5)
    assert chunks.response().service_tier == known


@pytest.mark.parametrize(
    ("received", "intermittent", "known"),
    [("stop", None, ("stop",)), (None, "stop", ("stop",)), (None, None, (None,))],
)
def test_a_finish_reason_that_litellm_made_up_is_unknown(
    received: str | None, intermittent: str | None, known: tuple[str | None]
) -> None:
    """LiteLLM ends every stream with `stop`, also if the provider sent no reason."""
    stream = SimpleNamespace(received_finish_reason=received, intermittent_finish_reason=intermittent)
    chunks = readers.API_FORMATS["chat"].chunks(stream)
    chunks.add(chunk(Delta(), finish_reason="stop"), 0.5)
    assert chunks.response().finish_reasons == known


@pytest.mark.parametrize(
    ("hidden", "cost", "model", "hit"),
    [
        ({}, None, "requested", None),
        ({"response_cost": 0.5}, 0.5, "requested", None),
        ({"response_cost": 0}, 0.0, "requested", None),
        ({"response_cost": None}, None, "requested", None),
        ({"response_cost": "0.5"}, None, "requested", None),
        ({"cache_hit": True}, None, "requested", True),
        ({"cache_hit": False}, None, "requested", None),
        ({"provider_response_model": "answered"}, None, "answered", None),
    ],
)
def test_hidden_params_of_a_response_are_read(
    hidden: dict[str, object], cost: float | None, model: str, *, hit: bool | None
) -> None:
    """They have the cost, cache hits, and the provider's name of the model."""
    response = litellm.ModelResponse(model="requested")
    response._hidden_params = hidden
    assert readers.API_FORMATS["chat"].cost(response) == (None if cost is None else Cost(total=cost, source="litellm"))
    result = readers.API_FORMATS["chat"].response(response)
    assert (result.model, result.cache_hit) == (model, hit)


# --- streams ----------------------------------------------------------------------------------------------


def chunk(delta: Delta | None = None, *, index: int = 0, finish_reason: str | None = None) -> ModelResponseStream:
    choice = StreamingChoices(index=index, finish_reason=finish_reason, delta=delta or Delta())
    return ModelResponseStream(id="an-id", model="gpt-4o", choices=[choice])


def fragment(index: int, arguments: str) -> Delta:
    """A fragment of a tool call."""
    call = {"id": None, "index": index, "type": "function", "function": {"name": None, "arguments": arguments}}
    return Delta(tool_calls=[call])


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (chunk(Delta(role="assistant", content="")), False),
        (chunk(Delta(content=None)), False),
        (chunk(finish_reason="stop"), False),
        (chunk(Delta(content="a")), True),
        (chunk(Delta(reasoning_content="a")), True),
        (chunk(fragment(0, "")), True),
        (chunk(Delta(function_call={"name": "f", "arguments": ""})), True),
        (ModelResponseStream(choices=[]), False),
    ],
)
def test_the_first_token_is_the_first_chunk_with_output(value: ModelResponseStream, *, output: bool) -> None:
    """Text, reasoning and tool calls are output; a role and a finish reason are not."""
    chunks = readers.API_FORMATS["chat"].chunks(None)
    chunks.add(value, 0.5)
    assert chunks.first_token == (0.5 if output else None)


def test_a_chat_stream() -> None:
    """Fragments are joined by choice and tool call; LiteLLM's stream object has facts that its chunks lack."""
    stream = SimpleNamespace(system_fingerprint="fp", _provider_response_model="gpt-4o-2024", chunks=[])
    chunks = readers.API_FORMATS["chat"].chunks(stream)
    for each in (
        chunk(Delta(role="assistant", content="")),
        chunk(Delta(content="ab")),
        chunk(Delta(content="c"), index=1),
        chunk(fragment(0, "{")),
        chunk(fragment(1, "{")),
        chunk(fragment(0, "}")),
        chunk(fragment(0, "{}"), index=1),
        chunk(finish_reason="tool_calls"),
    ):
        chunks.add(each, 0.5)
    assert chunks.response() == Response(
        id="an-id",
        model="gpt-4o-2024",
        finish_reasons=("tool_calls", None),
        choices_count=2,
        content_length=3,
        tool_calls_count=3,
        system_fingerprint="fp",
    )


def test_a_stream_from_the_cache() -> None:
    """LiteLLM also replays cached responses as streams."""
    chunks = readers.API_FORMATS["chat"].chunks(SimpleNamespace(custom_llm_provider="cached_response"))
    chunks.add(chunk(Delta(content="a")), 0.5)
    assert chunks.response() == Response(
        id="an-id", finish_reasons=(None,), choices_count=1, content_length=1, tool_calls_count=0, cache_hit=True
    )


def test_a_text_stream_from_the_cache() -> None:
    """Its chunks may be those of a chat."""
    chunks = readers.API_FORMATS["text"].chunks(SimpleNamespace(custom_llm_provider="cached_response", chunks=[]))
    chunks.add(chunk(Delta(content="ab")), 0.5)
    assert (chunks.response().cache_hit, chunks.response().content_length, chunks.first_token) == (True, 2, 0.5)


def usage_chunk(input_tokens: int, output_tokens: int) -> ModelResponseStream:
    usage = litellm.Usage(
        prompt_tokens=input_tokens, completion_tokens=output_tokens, total_tokens=input_tokens + output_tokens
    )
    return ModelResponseStream(choices=[], usage=usage)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([], None),
        ([chunk(Delta(content="a"))], None),
        ([usage_chunk(0, 0)], None),
        (
            [chunk(Delta(content="a")), usage_chunk(3, 4)],
            Usage(input=3, output=4, total=7),
        ),
        (
            [
                usage_chunk(3, 1),
                usage_chunk(0, 9),
            ],
            Usage(input=3, output=9, total=12),
        ),
    ],
    ids=["nothing", "no usage", "zeros", "at the end", "in parts"],
)
def test_usage_of_a_stream(kept: list[ModelResponseStream], expected: Usage | None) -> None:
    """It is in the chunks from the provider; input tokens may be in an earlier chunk than output tokens."""
    assert readers.API_FORMATS["chat"].chunks(SimpleNamespace(chunks=kept)).usage() == expected


def test_a_text_stream() -> None:
    """It wraps a chat stream, which has its usage and fingerprint."""
    chat = SimpleNamespace(system_fingerprint="fp", chunks=[usage_chunk(3, 4)])
    chunks = readers.API_FORMATS["text"].chunks(SimpleNamespace(completion_stream=chat))
    texts = [("ab", None), ("c", None), ("", "stop")]
    for at, (text, reason) in enumerate(texts, start=1):
        choices = [TextChoices(text=text, index=0, finish_reason=reason)]
        chunks.add(TextCompletionResponse(id="an-id", model="m", choices=choices, usage=None), at)
    assert chunks.first_token == 1
    assert chunks.response() == Response(
        id="an-id", model="m", finish_reasons=("stop",), choices_count=1, content_length=3, system_fingerprint="fp"
    )
    assert chunks.usage() == Usage(input=3, output=4, total=7)


def test_a_stream_of_an_unknown_format() -> None:
    """Its chunks are not read."""
    chunks = readers.API_FORMATS["default"].chunks(object())
    chunks.add(object(), 0.5)
    assert (chunks.first_token, chunks.response(), chunks.usage()) == (None, Response(), None)


async def asynchronous() -> AsyncIterator[int]:
    yield 1


def test_is_stream() -> None:
    """Iterators are streams. Responses are not, although they can be iterated over."""
    streams: list[object] = [iter([]), (each for each in ""), asynchronous()]
    others: list[object] = [None, [], "text", {}, litellm.ModelResponse(), litellm.EmbeddingResponse(), Iterator]
    assert [readers.is_stream(each) for each in streams] == [True] * 3
    assert [readers.is_stream(each) for each in others] == [False] * 7


@pytest.mark.parametrize(
    ("breakdown", "cost"),
    [
        ({"total_cost": 0.5}, Cost(total=0.5, source="litellm")),
        ({"total_cost": 0}, Cost(total=0.0, source="litellm")),
        ({"total_cost": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_cost_of_a_stream(breakdown: object, cost: Cost | None) -> None:
    """It is in LiteLLM's logging object, if there is one."""
    assert readers.API_FORMATS["chat"].stream_cost(SimpleNamespace(cost_breakdown=breakdown)) == cost
    assert readers.API_FORMATS["chat"].stream_cost(None) is None


def test_errors_of_the_http_client_are_read_as_the_openai_clients() -> None:
    """A status gets the class name that OpenAI's client uses; a connection error keeps its own."""
    client = openai.OpenAI(api_key="sk-canary")
    response = httpx.Response(429, request=httpx.Request("POST", "http://127.0.0.1"), headers={"retry-after": "2"})
    failure = readers.read_client_failure(
        client, httpx.HTTPStatusError("", request=response.request, response=response)
    )
    assert (failure.type, failure.status_code, failure.retry_after) == ("RateLimitError", 429, 2.0)
    assert readers.read_client_failure(client, httpx.ConnectError("")).type == "ConnectError"


def test_the_cooldown_of_the_router_is_read_as_retry_after() -> None:
    assert readers.read_failure(RouterRateLimitError("fast", 7.0, False, [])).retry_after == 7.0  # noqa: FBT003 - theirs


# --- target and route -------------------------------------------------------------------------------------


def logging_of(**details: object) -> SimpleNamespace:
    return SimpleNamespace(model_call_details=details, call_type="acompletion")


@pytest.mark.parametrize(
    ("parameters", "target"),
    [
        ({}, Target()),
        ({"model": None}, Target()),
        ({"model": 5}, Target()),
        ({"model": "openai/gpt-4o"}, Target(provider="openai", model="gpt-4o")),
        ({"model": "gpt-4o"}, Target(provider="openai", model="gpt-4o")),
        ({"model": "nobody knows"}, Target(model="nobody knows")),
        ({"model": "nobody/knows"}, Target(model="nobody/knows")),
        ({"model": "openrouter/openai/gpt-4o"}, Target(provider="openrouter", model="openai/gpt-4o")),
        ({"model": "mine", "custom_llm_provider": "openai"}, Target(provider="openai", model="mine")),
        (
            {"model": "m/mine", "custom_llm_provider": litellm.LlmProviders.AZURE},
            Target(provider="azure", model="m/mine"),
        ),
        ({"api_base": "https://user:key@example.com/v1?key=k"}, Target(address="example.com", port=443)),
        ({"api_base": "http://example.com"}, Target(address="example.com", port=80)),
        ({"api_base": "http://127.0.0.1:8080/v1"}, Target(address="127.0.0.1", port=8080)),
        ({"api_base": "http://[::1]:8080"}, Target(address="::1", port=8080)),
        ({"base_url": "example.com:1/v1"}, Target(address="example.com", port=1)),
        ({"base_url": "example.com"}, Target(address="example.com")),
        ({"api_base": ""}, Target()),
        ({"api_base": "/a/path"}, Target()),
    ],
)
def test_the_target_is_read_from_parameters(parameters: Parameters, target: Target) -> None:
    """Only known providers count as a prefix, and only the host and port of a URL are read."""
    assert readers.read_target(parameters, None) == target


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("gemini-2.5-flash", "vertex_ai"),
        ("text-embedding-005", "vertex_ai"),
        ("embed-english-v3.0", "cohere"),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "bedrock"),
        ("not-a-model", None),
    ],
)
def test_the_provider_is_found_in_the_price_map(model: str, provider: str | None) -> None:
    """The map lists models without a prefix; families of one provider are merged into that provider."""
    assert readers.read_target({"model": model}, None) == Target(provider=provider, model=model)


def test_the_target_of_the_logging_object_has_priority() -> None:
    """It has the resolved target. Without it, the target is read from the parameters."""
    parameters: Parameters = {"model": "an alias", "custom_llm_provider": "azure", "api_base": "http://alias"}
    resolved = logging_of(
        custom_llm_provider="openai", model="gpt-4o", additional_args={"api_base": "https://example.com:4/v1/chat"}
    )
    expected = Target(provider="openai", model="gpt-4o", address="example.com", port=4)
    assert readers.read_target(parameters, resolved) == expected
    for unresolved in (None, object(), logging_of(), logging_of(model="an alias", additional_args={})):
        assert readers.read_target(parameters, unresolved) == Target(
            provider="azure", model="an alias", address="alias", port=80
        )


@pytest.mark.parametrize(
    ("written", "provider", "resolved", "model"),
    [
        ("openai/gpt-4o", "openai", "openai/gpt-4o", "gpt-4o"),
        ("gpt-4o", "openai", "openai/gpt-4o", "gpt-4o"),
        ("openrouter/openrouter/auto", "openrouter", "openrouter/auto", "openrouter/auto"),
        ("together_ai/org/model", "together_ai", "org/model", "org/model"),
    ],
)
def test_the_model_of_a_cached_response(written: str, provider: str, resolved: str, model: str) -> None:
    """LiteLLM adds the provider as a prefix, which is removed unless the model's own name begins with it."""
    logging = logging_of(custom_llm_provider=provider, model=resolved)
    assert readers.read_target({"model": written}, logging) == Target(provider=provider, model=model)


@pytest.mark.parametrize(
    ("details", "hit"),
    [({"cache_hit": True, "cache_duration_ms": 1.0}, True), ({"cache_hit": False}, False), ({}, False), (None, False)],
)
def test_a_cache_hit_is_read_from_the_logging_object(details: dict[str, object] | None, *, hit: bool) -> None:
    """Older releases do not have `caching_details`."""
    assert readers.read_cache_hit(SimpleNamespace(caching_details=details)) is hit
    assert readers.read_cache_hit(SimpleNamespace()) is False
    assert readers.read_cache_hit(None) is False


def test_routing_is_read_from_parameters_and_logging_object() -> None:
    """Call id and type, and the Router's model group and deployment."""
    parameters: Parameters = {"litellm_call_id": "given", "metadata": {"model_group": "group", "secret": "sk-canary"}}
    logging = logging_of(litellm_call_id="made", litellm_params={"model_info": {"id": "deployment"}})
    assert readers.read_routing(parameters, logging) == Routing(
        call_id="made", call_type="acompletion", model_group="group", model_id="deployment"
    )
    assert readers.read_routing(parameters, None) == Routing(call_id="given", model_group="group")
    other: Parameters = {"litellm_metadata": {"model_group": "group"}, "model_info": {"id": "deployment"}}
    assert readers.read_routing(other, None) == Routing(model_group="group", model_id="deployment")
    both: Parameters = {"metadata": {"plan": "gold"}, "litellm_metadata": {"model_group": "group"}}
    assert readers.read_routing(both, None) == Routing(model_group="group")
    assert readers.read_routing({}, None) == Routing()


# --- failures ---------------------------------------------------------------------------------------------


class ErrorArguments(TypedDict):
    message: str
    model: str
    llm_provider: str


ERROR_ARGUMENTS: ErrorArguments = {"message": "sk-canary", "model": "gpt-4o", "llm_provider": "openai"}


def response_with(**headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(429, headers=names, request=httpx.Request("POST", "http://localhost"))


@pytest.mark.parametrize(
    ("response", "retry_after", "request_id"),
    [
        (None, None, None),
        (response_with(), None, None),
        (response_with(retry_after="7"), 7.0, None),
        (response_with(retry_after="0.5", x_request_id="r"), 0.5, "r"),
        (response_with(retry_after="Wed, 21 Oct 2015 07:28:00 GMT", request_id="q"), 0.0, "q"),
    ],
)
def test_facts_of_a_litellm_exception(
    response: httpx.Response | None, retry_after: float | None, request_id: str | None
) -> None:
    """Class, provider, status and useful headers; never its message."""
    error = exceptions.RateLimitError(**ERROR_ARGUMENTS, response=response)
    failure = readers.read_failure(error)
    assert failure == Failure(
        type="RateLimitError",
        ancestry=tuple(kind.__name__ for kind in exceptions.RateLimitError.__mro__),
        provider="openai",
        status_code=429,
        retry_after=retry_after,
        request_id=request_id,
        exception="litellm.exceptions.RateLimitError",
    )
    assert "canary" not in repr(failure)


def test_facts_of_any_other_exception() -> None:
    assert readers.read_failure(KeyError("sk-canary")) == Failure(
        type="KeyError",
        ancestry=("KeyError", "LookupError", "Exception", "BaseException", "object"),
        exception="KeyError",
    )


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429])
@pytest.mark.parametrize("kind", [exceptions.BadRequestError, exceptions.APIConnectionError])
def test_the_status_of_an_error_is_the_providers(kind: type[Any], status: int) -> None:
    """LiteLLM may set a status of its own if it does not recognise the error's text."""
    error = kind(**ERROR_ARGUMENTS)
    error.__cause__ = BaseLLMException(status_code=status, message="refused")
    failure = readers.read_failure(error)
    assert (failure.type, failure.status_code) == (type(error).__name__, status)


def test_the_cause_of_an_interrupted_stream_is_read() -> None:
    """LiteLLM wraps the exception that interrupted a stream, in a class with fewer facts."""
    cause = exceptions.RateLimitError(**ERROR_ARGUMENTS)
    wrapped = exceptions.MidStreamFallbackError(**ERROR_ARGUMENTS, original_exception=cause)
    assert readers.read_failure(wrapped) == readers.read_failure(cause)
    assert readers.read_failure(exceptions.MidStreamFallbackError(**ERROR_ARGUMENTS)).type == "MidStreamFallbackError"


# --- generated values ---------------------------------------------------------------------------------------------


GOOD: Parameters = {
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": "hello"}],
    "prompt": ["a", "b"],
    "input": "a",
    "temperature": 0.5,
}


@pytest.mark.parametrize("api_format", API_FORMATS.values(), ids=API_FORMATS.keys())
@NO_DEADLINE
@given(name=st.sampled_from(PARAMETERS), value=JSON)
def test_anything_for_a_parameter(api_format: readers.ApiFormat, name: str, value: object) -> None:
    """A valid request with any value for one parameter."""
    parameters = {**GOOD, name: value}
    check_reader(lambda: {"request": api_format.request(parameters)}, parameters)
    check_reader(lambda: {"target": readers.read_target(parameters, None)}, parameters)
    check_reader(lambda: {"routing": readers.read_routing(parameters, None)}, parameters)


@NO_DEADLINE
@given(message=objects_with(*MESSAGE), part=objects_with(*PART))
def test_anything_for_a_message(message: dict[str, object], part: dict[str, object]) -> None:
    """Messages, and parts of messages, with any values."""
    parameters: Parameters = {"messages": [{"role": "user", "content": [part]}, message]}
    check_reader(lambda: {"request": readers.API_FORMATS["chat"].request(parameters)}, parameters)


@pytest.mark.parametrize("api_format", API_FORMATS.values(), ids=API_FORMATS.keys())
@NO_DEADLINE
@given(
    response=objects_with(*RESPONSE),
    choice=objects_with(*CHOICE),
    message=objects_with(*MESSAGE),
    usage=objects_with(*USAGE),
)
def test_anything_for_a_response(
    api_format: readers.ApiFormat,
    response: dict[str, object],
    choice: dict[str, object],
    message: dict[str, object],
    usage: dict[str, object],
) -> None:
    """Responses, choices, messages and usages with any values."""
    choices = [choice, {**choice, "message": message}]
    for result in (response, {**response, "choices": choices, "data": choices, "usage": usage}):
        hidden = SimpleNamespace(**result, _hidden_params=response)
        check_reader(lambda: {"response": api_format.response(hidden)}, hidden)  # noqa: B023 - called at once
        check_reader(lambda: {"usage": api_format.usage(result)}, result)  # noqa: B023
        check_reader(lambda: {"cost": readers.API_FORMATS["chat"].cost(hidden)}, hidden)  # noqa: B023


@pytest.mark.parametrize("api_format", API_FORMATS.values(), ids=API_FORMATS.keys())
@NO_DEADLINE
@given(
    deltas=st.lists(objects_with(*MESSAGE), max_size=4),
    choice=objects_with(*CHOICE),
    usage=objects_with(*USAGE),
    fingerprint=JSON,
)
def test_anything_for_a_chunk(
    api_format: readers.ApiFormat,
    deltas: list[dict[str, object]],
    choice: dict[str, object],
    usage: dict[str, object],
    fingerprint: object,
) -> None:
    """Deltas, choices and usages with any values; other chunks are read if one of them cannot be."""
    value = [
        *(SimpleNamespace(id="an-id", choices=[{"index": 0, "delta": delta, **delta}]) for delta in deltas),
        SimpleNamespace(choices=[choice], usage=usage),
    ]
    stream = SimpleNamespace(chunks=value, system_fingerprint=fingerprint)
    chunks = api_format.chunks(stream)
    for each in value:
        with suppress(Exception):
            chunks.add(each, 0.5)
    stream_record = Stream(outcome="completed", chunk_count=len(value))
    check_reader(lambda: {"response": chunks.response(), "stream": stream_record}, stream)
    check_reader(lambda: {"usage": chunks.usage(), "stream": stream_record}, stream)


@NO_DEADLINE
@given(parameters=objects_with(*PARAMETERS), details=objects_with(*DETAILS), call_type=JSON, cost=JSON)
def test_anything_for_a_logging_object(
    parameters: dict[str, object], details: dict[str, object], call_type: object, cost: object
) -> None:
    """LiteLLM's details of a call with any values."""
    logging = SimpleNamespace(model_call_details=details, call_type=call_type, cost_breakdown={"total_cost": cost})
    check_reader(lambda: {"target": readers.read_target(parameters, logging)}, parameters, logging)
    check_reader(lambda: {"routing": readers.read_routing(parameters, logging)}, parameters, logging)
    check_reader(lambda: {"cost": readers.API_FORMATS["chat"].stream_cost(logging)}, logging)


@NO_DEADLINE
@given(status=JSON, provider=JSON, headers=objects_with(*HEADERS))
def test_anything_for_an_exception(status: object, provider: object, headers: dict[str, object]) -> None:
    """An exception with any values for its attributes."""
    error = RuntimeError("sk-canary")
    vars(error).update(status_code=status, llm_provider=provider, litellm_response_headers=headers)
    check_reader(lambda: {"failure": readers.read_failure(error)}, vars(error))


@pytest.mark.parametrize(
    ("url", "target", "expected"),
    [
        ("http://example.com/v1/", Target(address="example.com", port=80), True),
        ("https://example.com/v1/", Target(address="example.com", port=80), False),
        ("http://other.example.com", Target(address="example.com", port=80), False),
        ("http://example.com", Target(), True),
    ],
)
def test_a_client_is_recognised_by_its_base_url(url: str, target: Target, *, expected: bool) -> None:
    """A client for another address does not belong to the call: applications may use one in callbacks."""
    assert readers.is_client_of(OpenAI(api_key="sk-test", base_url=url), target) is expected


def test_a_refusal_in_provider_specific_fields_is_content() -> None:
    """Most releases of LiteLLM pass it on there, plain and streamed; some in the field `refusal` as well."""
    for message in (
        {"refusal": None, "provider_specific_fields": {"refusal": "No."}},
        {"provider_specific_fields": {"refusal": "No."}},
        {"refusal": "No.", "provider_specific_fields": {"refusal": "No."}},
    ):
        (read,) = chat._response_content({"choices": [{"message": message}]})
        assert [(part.type, part.content) for part in read.parts] == [("refusal", "No.")]
        draft = Draft()
        chat._add_delta(draft, 0, message)
        assert [(part.type, part.content) for part in draft.messages()[0].parts] == [("refusal", "No.")]


def _raised(message: str, body: object = None) -> Exception:
    error = exceptions.BadRequestError(message=message, model="gpt-4o", llm_provider="openai")
    error.body = body
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (_raised("x", {"error": {"message": "No such tool."}}), "No such tool."),
        (_raised("x", {"message": "No such tool."}), "No such tool."),
        (_raised("OpenAIException - No such tool."), "No such tool."),
        (_raised("litellm.RateLimitError: RateLimitError: AnthropicException - Slow down."), "Slow down."),
        (ValueError("Invalid value: 1"), "Invalid value: 1"),
        (ValueError(), None),
    ],
)
def test_the_error_text_is_the_providers(error: Exception, text: str | None) -> None:
    """Without the beginning that LiteLLM adds to it."""
    assert readers.read_error_text(error) == text
