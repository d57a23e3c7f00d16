"""Plain calls of every described operation, held against what the provider received and sent."""

from __future__ import annotations

import json

import litellm
import pydantic
import pytest
from litellm import completion
from litellm.types.utils import ChatCompletionMessageToolCall
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import MESSAGES, App, SyncApp
from support.expected import (
    CHAT_REQUEST,
    EMBEDDING_REQUEST,
    TEXT_REQUEST,
    exchange_cost_attributes,
    identity,
    response_attributes,
    tokens,
)
from support.recorder import Attributes, Recorder
from support.servers.openai_provider import OpenAIProvider, Script

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
DOCUMENT = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}


class Answer(pydantic.BaseModel):
    greeting: str


def test_a_chat_is_described_in_full(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """A chat has the attributes that follow from what was asked, answered, counted and priced, and no others."""
    result = app.ask("completion")
    (exchange,) = provider.ledger
    assert telemetry.attributes() == {
        **identity("chat", app.name("completion"), "openai/gpt-4o", provider),
        **CHAT_REQUEST,
        **response_attributes(exchange),
        "llm.response.tool_calls_count": 0,
        **tokens(exchange),
        **exchange_cost_attributes(result._hidden_params["response_cost"], exchange),
    }


@pytest.mark.parametrize("prefix", ["openai", "text-completion-openai"])
def test_a_text_completion_is_described_in_full(
    app: App, provider: OpenAIProvider, telemetry: Recorder, prefix: str
) -> None:
    """A text completion has the attributes that follow from the exchange, whichever way LiteLLM takes it."""
    model = f"{prefix}/gpt-3.5-turbo-instruct"
    result = app.ask("text_completion", model=model)
    (exchange,) = provider.ledger
    assert telemetry.attributes() == {
        **identity(
            "text_completion", app.name("text_completion"), model, provider, litellm_provider="text-completion-openai"
        ),
        **TEXT_REQUEST,
        **response_attributes(exchange),
        **tokens(exchange),
        **exchange_cost_attributes(result._hidden_params["response_cost"], exchange),
    }


def test_an_embedding_is_described_in_full(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """An embedding has the attributes that follow from the exchange, the vector's size among them."""
    result = app.ask("embedding", dimensions=16, encoding_format="float")
    (exchange,) = provider.ledger
    assert exchange.usage is not None
    assert telemetry.attributes() == {
        **identity("embeddings", app.name("embedding"), "openai/text-embedding-3-small", provider),
        **EMBEDDING_REQUEST,
        "gen_ai.request.encoding_formats": ("float",),
        "llm.request.dimensions": 16,
        "gen_ai.response.model": "text-embedding-3-small-2024-08-06",
        "llm.response.model": "text-embedding-3-small-2024-08-06",
        "gen_ai.embeddings.dimension.count": 16,
        "gen_ai.usage.input_tokens": exchange.usage["prompt_tokens"],
        "llm.usage.prompt_tokens": exchange.usage["prompt_tokens"],
        "llm.usage.total_tokens": exchange.usage["total_tokens"],
        **exchange_cost_attributes(result._hidden_params["response_cost"], exchange),
    }


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # OpenAI's client expects a list
@pytest.mark.parametrize("dimensions", [1, 2, 3, 8, 16])
def test_the_dimension_of_base64(app: App, telemetry: Recorder, dimensions: int) -> None:
    """OpenAI's base64 contains 32-bit floats."""
    result = app.ask("embedding", dimensions=dimensions, encoding_format="base64")
    vector = result.data[0]["embedding"]  # type: ignore[attr-defined]  # an embedding has it
    assert telemetry.attributes()["gen_ai.embeddings.dimension.count"] == dimensions
    assert isinstance(vector, str)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("completion", "chat gpt-4o"),
        ("text_completion", "text_completion gpt-3.5-turbo-instruct"),
        ("embedding", "embeddings text-embedding-3-small"),
    ],
)
def test_a_call_is_one_client_span(app: App, telemetry: Recorder, operation: str, name: str) -> None:
    """A call makes one span of kind CLIENT, a root with no status and one attempt, and logs nothing."""
    app.ask(operation)
    (span,) = telemetry.spans()
    assert (span.name, span.kind, span.parent) == (name, SpanKind.CLIENT, None)
    assert (span.status.status_code, span.status.description) == (StatusCode.UNSET, None)
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "agentops_otel_litellm"
    assert telemetry.logs() == []


# What was asked beyond the messages → what the span says in addition to a plain chat's.
ASKED: dict[str, tuple[dict[str, object], Attributes]] = {
    "sampling": (
        {"temperature": 0, "top_p": 0.5, "max_tokens": 9, "seed": 3, "stop": ["a", "b"]},
        {
            "gen_ai.request.temperature": 0.0,
            "gen_ai.request.top_p": 0.5,
            "gen_ai.request.max_tokens": 9,
            "gen_ai.request.seed": 3,
            "gen_ai.request.stop_sequences": ("a", "b"),
            "llm.request.temperature": 0.0,
            "llm.request.top_p": 0.5,
            "llm.request.max_tokens": 9,
        },
    ),
    "penalties": (
        {"frequency_penalty": 0.1, "presence_penalty": -0.2, "max_completion_tokens": 8, "stop": "end"},
        {
            "gen_ai.request.frequency_penalty": 0.1,
            "gen_ai.request.presence_penalty": -0.2,
            "gen_ai.request.max_tokens": 8,
            "gen_ai.request.stop_sequences": ("end",),
            "llm.request.max_tokens": 8,
        },
    ),
    "tools": (
        {"tools": [WEATHER], "tool_choice": "auto"},
        {"llm.request.tools_count": 1, "llm.request.tool_choice": "auto"},
    ),
    "one tool": (
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"llm.request.tools_count": 1, "llm.request.tool_choice": "function"},
    ),
    "effort and tier": (
        {"reasoning_effort": "low", "service_tier": "flex"},
        {"gen_ai.request.reasoning.level": "low", "openai.request.service_tier": "flex"},
    ),
    "json": ({"response_format": {"type": "json_object"}}, {"gen_ai.output.type": "json"}),
    "a schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
        {"gen_ai.output.type": "json"},
    ),
    "a pydantic model": ({"response_format": Answer}, {"gen_ai.output.type": "json"}),
    "text": ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
    "one choice": ({"n": 1}, {}),
    "not a stream": ({"stream": False}, {}),
    "the user's name": ({"user": "ann", "metadata": {"plan": "gold"}}, {"user.id": "ann"}),
}


@pytest.mark.parametrize(("asked", "told"), ASKED.values(), ids=ASKED.keys())
def test_what_was_asked_is_told(
    provider: OpenAIProvider, telemetry: Recorder, asked: dict[str, object], told: Attributes
) -> None:
    """Each parameter adds its attributes to those of a plain chat, and nothing else changes."""
    app = SyncApp(provider)
    result = app.ask("completion", model="openai/unmapped", **asked)
    assert result.choices[0].message.content == "Hello, world!"
    (exchange,) = provider.ledger
    assert telemetry.attributes() == {
        **identity("chat", "completion", "openai/unmapped", provider),
        **CHAT_REQUEST,
        **told,
        **response_attributes(exchange),
        "llm.response.tool_calls_count": 0,
        **tokens(exchange),
    }


def test_tool_calls_are_counted(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Tool calls in the answer are counted, and the reason it ended for has the convention's name in its place."""
    arguments = ('{"city": ', '"Rome"}')
    provider.script(Script(content=(), tool_calls=(("1", "weather", arguments), ("2", "weather", arguments))))
    result = app.ask("completion", tools=[WEATHER])
    (exchange,) = provider.ledger
    calls = result.choices[0].message.tool_calls
    assert calls is not None
    second = calls[1]
    assert isinstance(second, ChatCompletionMessageToolCall)
    assert json.loads(second.function.arguments) == {"city": "Rome"}
    assert telemetry.attributes() == {
        **identity("chat", app.name("completion"), "openai/gpt-4o", provider),
        **CHAT_REQUEST,
        "llm.request.tools_count": 1,
        **response_attributes(exchange, finish="tool_calls"),
        "gen_ai.response.finish_reasons": ("tool_call",),
        "llm.response.content_length": 0,
        "llm.response.tool_calls_count": 2,
        **tokens(exchange),
        **exchange_cost_attributes(result._hidden_params["response_cost"], exchange),
    }


def test_several_choices_are_told_apart(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Of two choices both are counted, and each has its reason."""
    result = app.ask("completion", n=2)
    (exchange,) = provider.ledger
    assert telemetry.attributes() == {
        **identity("chat", app.name("completion"), "openai/gpt-4o", provider),
        **CHAT_REQUEST,
        "gen_ai.request.choice.count": 2,
        **response_attributes(exchange),
        "gen_ai.response.finish_reasons": ("stop", "stop"),
        "llm.response.choices_count": 2,
        "llm.response.content_length": 2 * len("Hello, world!"),
        "llm.response.tool_calls_count": 0,
        **tokens(exchange),
        **exchange_cost_attributes(result._hidden_params["response_cost"], exchange),
    }


def test_a_conversation_is_counted_by_role(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Every role is counted; pictures, sound and files are kinds of content, of which only text has a length."""
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    messages = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE, SOUND, DOCUMENT]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "Sun"},
        {"role": "function", "name": "weather", "content": "Rain"},
        {"role": "user", "content": "So?"},
    ]
    SyncApp(provider).ask("completion", messages=messages)
    attributes = telemetry.attributes()
    prefixes = ("llm.request.messages", "llm.request.content", "llm.request.modalities")
    assert {name: value for name, value in attributes.items() if name.startswith(prefixes)} == {
        "llm.request.messages_count": 6,
        "llm.request.messages.developer_count": 1,
        "llm.request.messages.user_count": 2,
        "llm.request.messages.assistant_count": 1,
        "llm.request.messages.tool_count": 1,
        "llm.request.messages.function_count": 1,
        "llm.request.content_length": len("Be kind.What is it?SunRainSo?"),
        "llm.request.modalities": ("audio", "file", "image", "text"),
    }


POSITIONAL: dict[str, tuple[tuple[str, object], ...]] = {
    "completion": (("model", "openai/gpt-4o"), ("messages", MESSAGES)),
    "text_completion": (("prompt", "Say hello."), ("model", "openai/gpt-3.5-turbo-instruct")),
    "embedding": (("model", "openai/text-embedding-3-small"), ("input", ["one", "two"]), ("dimensions", 8)),
}


@pytest.mark.parametrize("operation", POSITIONAL)
def test_positional_arguments_are_read(app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str) -> None:
    """Arguments given by position say as much as the same ones given by name."""
    app.ask(operation, **dict(POSITIONAL[operation]), user="ann")
    by_name = telemetry.attributes()
    telemetry.forget()
    app.ask(operation, *(value for _, value in POSITIONAL[operation]), user="ann")
    by_position = telemetry.attributes()
    first, second = provider.ledger
    assert first.body == second.body
    ids = dict.fromkeys({"gen_ai.response.id", "llm.response.id"} & by_name.keys(), second.response_id)
    assert by_position == by_name | ids


@pytest.mark.parametrize("function", [completion, litellm.main.completion, litellm.completion])
def test_every_way_to_the_function_is_traced(provider: OpenAIProvider, telemetry: Recorder, function: object) -> None:
    """`from litellm import completion`, `litellm.main.completion` and `litellm.completion` make one span each."""
    assert callable(function)
    function("openai/gpt-4o", MESSAGES, **SyncApp(provider).connection)
    assert [span.name for span in telemetry.spans()] == ["chat gpt-4o"]


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_what_the_provider_did_not_count_is_unknown(
    app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str
) -> None:
    """Where the provider sends no usage there is no number of tokens, no price and no token metric."""
    provider.script(Script(usage=None))
    app.ask(operation)
    assert [name for name in telemetry.attributes() if "usage" in name or "cost" in name] == []
    assert {point.name for point in telemetry.points()} == {"gen_ai.client.operation.duration"}


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_a_model_without_a_price_has_no_cost(
    app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str
) -> None:
    """A model that LiteLLM does not know the price of has its tokens, and no cost."""
    provider.script(Script(model="unmapped"))
    app.ask(operation, model="openai/unmapped")
    attributes = telemetry.attributes()
    assert [name for name in attributes if "cost" in name] == []
    assert attributes["gen_ai.usage.input_tokens"] == 11


def test_a_price_of_the_users_own_is_honoured(app: App, telemetry: Recorder) -> None:
    """Prices the app gave LiteLLM make the cost, to LiteLLM's own figure."""
    result = app.ask("completion", model="openai/mine", input_cost_per_token=0.5, output_cost_per_token=2.0)
    cost = result._hidden_params["response_cost"]
    assert cost >= 7 * 2.0
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == cost


@pytest.mark.parametrize(
    ("function", "parameters", "name"),
    [
        ("rerank", {"model": "cohere/rerank-x", "query": "q", "documents": ["d"]}, "rerank rerank-x"),
        ("image_generation", {"model": "openai/image-x", "prompt": "p"}, "image_generation image-x"),
        ("speech", {"model": "openai/speech-x", "input": "i", "voice": "v"}, "speech speech-x"),
    ],
)
def test_a_function_nobody_described_is_traced(
    app: App, telemetry: Recorder, function: str, parameters: dict[str, object], name: str
) -> None:
    """A function of LiteLLM's that no row describes has a span under its own name, with what all calls have."""

    async def scenario() -> None:
        connection = app.connection
        with pytest.raises(litellm.exceptions.openai.APIError):  # the provider has none of these
            await app.invoke(function, **parameters, **connection)

    app.run(scenario())
    (span,) = telemetry.spans()
    assert (span.name, span.kind) == (name, SpanKind.CLIENT)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.operation.name"] == function
    assert attributes["llm.request.model"] == parameters["model"]
    assert attributes["llm.error.status_code"] == 404
    assert attributes["litellm.call_type"] == app.name(function)
