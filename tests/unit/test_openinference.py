"""The `openinference` vocabulary, compared with OpenInference's package of conventions."""

from __future__ import annotations

import json
from dataclasses import replace

import litellm
import litellm.vector_stores
import openinference.semconv.trace as conventions
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import Call, Request, Target, Timing
from agentops_otel_litellm.operations import Kind
from agentops_otel_litellm.records import Content, Document, Message, Part, Tool
from agentops_otel_litellm.semconv import openinference
from agentops_otel_litellm.semconv.convention import Attributes, Vocabulary
from agentops_otel_litellm.semconv.openinference import OPENINFERENCE, provider_name
from support.conversations import indices, is_openinference_name
from support.example_call import CALL
from support.vocabularies import GENERAL

TOKENS = {
    "llm.token_count.prompt": 20,
    "llm.token_count.completion": 21,
    "llm.token_count.total": 22,
    "llm.token_count.prompt_details.cache_read": 23,
    "llm.token_count.prompt_details.cache_write": 24,
    "llm.token_count.prompt_details.audio": 28,
    "llm.token_count.completion_details.reasoning": 25,
    "llm.token_count.completion_details.audio": 31,
    "llm.cost.prompt": 0.3,
    "llm.cost.prompt_details.cache_read": 0.01,
    "llm.cost.prompt_details.cache_write": 0.02,
    "llm.cost.completion": 0.15,
    "llm.cost.completion_details.reasoning": 0.04,
    "llm.cost.total": 0.5,
}
MODEL = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o",
    "llm.request.model_name": "gpt-4o",
    "llm.response.model_name": "gpt-4o-2024",
    "llm.finish_reason": "stop",
    "llm.provider": "azure",
    "llm.system": "openai",
    "llm.invocation_parameters": (
        '{"stream":true,"temperature":0.1,"top_p":0.2,"top_k":12,"max_tokens":13,"n":11,"frequency_penalty":0.3,'
        '"presence_penalty":0.4,"seed":14,"stop":["a","b"],"reasoning_effort":"low","service_tier":"flex",'
        '"tool_choice":"auto","size":"1024x1024","quality":"high","style":"vivid","output_format":"png",'
        '"response_format":"b64_json","voice":"alloy","speed":1.25,"language":"en","seconds":4.0}'
    ),
}
APP = {
    "session.id": "session",
    "user.id": "user",
    "tag.tags": ("a", "b"),
    "metadata": (
        '{"plan":"gold","team_id":"team","user_api_key_alias":"key","user_api_key_user_id":"owner","team_alias":"team\'s",'
        '"org_id":"organization","org_alias":"organization\'s","project_id":"project","project_alias":"project\'s"}'
    ),
}
RESULTS_JSON = (
    '{"results":[{"id":"file-1","index":1,"score":0.5,"title":"Rome","uri":"https://example.com","content":"Roma"}]}'
)
RESULT_DOCUMENT: dict[str, AttributeValue] = {
    "document.id": "file-1",
    "document.content": "Roma",
    "document.score": 0.5,
    "document.metadata": '{"index":1,"title":"Rome","url":"https://example.com"}',
}
HELLO = Content(
    input=(Message(role="user", parts=(Part(type="text", content="Say hello."),)),),
    output=(Message(role="assistant", parts=(Part(type="text", content="Hello."),)),),
)
# Operation → a call with a value in every field, and its attributes.
WRITTEN: dict[str, tuple[Call, Attributes]] = {
    "chat": (
        CALL,
        {
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.type": "image",
            "llm.input_messages.1.message.contents.0.message_content.image.image.url": "https://example.com/cat",
            "llm.tools.0.tool.json_schema": (
                '{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}'
            ),
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "look",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"é":[1]}',
            "input.value": (
                '{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":'
                '[{"type":"image_url","image_url":{"url":"https://example.com/cat"}}]}]}'
            ),
            "input.mime_type": "application/json",
            "output.value": (
                '{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"call","type":"function",'
                '"function":{"name":"look","arguments":"{\\"é\\":[1]}"}}]}]}'
            ),
            "output.mime_type": "application/json",
            **APP,
            **MODEL,
            **TOKENS,
        },
    ),
    "text_completion": (
        replace(CALL, name="text_completion", content=HELLO),
        {
            "llm.prompts.0.prompt.text": "Say hello.",
            "llm.choices.0.completion.text": "Hello.",
            "input.value": '{"messages":[{"role":"user","content":"Say hello."}]}',
            "input.mime_type": "application/json",
            "output.value": "Hello.",
            "output.mime_type": "text/plain",
            **APP,
            **MODEL,
            **TOKENS,
        },
    ),
    "embeddings": (
        replace(CALL, name="embeddings"),
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "gpt-4o",
            "embedding.invocation_parameters": '{"dimensions":15,"encoding_format":"float"}',
            "embedding.embeddings.0.embedding.text": "one",
            "embedding.embeddings.1.embedding.text": "two",
            "input.value": '["one","two"]',
            "input.mime_type": "application/json",
            **APP,
            **TOKENS,
        },
    ),
    "rerank": (
        replace(CALL, name="rerank"),
        {
            "openinference.span.kind": "RERANKER",
            "reranker.model_name": "gpt-4o",
            "reranker.top_k": 104,
            "reranker.query": "Which?\nWhere?",
            "reranker.input_documents.0.document.content": "Rome",
            "reranker.input_documents.1.document.content": '{"é":1}',
            **{f"reranker.output_documents.0.{name}": value for name, value in RESULT_DOCUMENT.items()},
            "input.value": '{"query":"Which?\\nWhere?","documents":["Rome",{"é":1}]}',
            "input.mime_type": "application/json",
            "output.value": RESULTS_JSON,
            "output.mime_type": "application/json",
            **APP,
            **TOKENS,
        },
    ),
    "retrieval": (
        replace(CALL, name="retrieval"),
        {
            "openinference.span.kind": "RETRIEVER",
            **{f"retrieval.documents.0.{name}": value for name, value in RESULT_DOCUMENT.items()},
            "input.value": "Which?\nWhere?",
            "input.mime_type": "text/plain",
            "output.value": RESULTS_JSON,
            "output.mime_type": "application/json",
            **APP,
            **TOKENS,
        },
    ),
    "moderation": (
        Call(name="moderation", timing=Timing(started_at=1), content=replace(HELLO, output=None)),
        {
            "openinference.span.kind": "GUARDRAIL",
            "input.value": '{"messages":[{"role":"user","content":"Say hello."}]}',
            "input.mime_type": "application/json",
        },
    ),
    "route": (
        Call(name="route", target=Target(model="gpt-4o"), timing=Timing(started_at=1), request=Request(stream=True)),
        {"openinference.span.kind": "CHAIN"},
    ),
}


def convention_values(name: str) -> set[str]:
    """The values that the conventions define in an enumeration."""
    return {each.value for each in getattr(conventions, name)}


@pytest.mark.parametrize("operation", WRITTEN)
def test_attributes_of_each_operation(operation: str) -> None:
    """For a call with a value in every field, exactly these attributes are set."""
    call, written = WRITTEN[operation]
    assert OPENINFERENCE.attributes(call) == written


def test_every_name_is_in_the_conventions() -> None:
    """`WRITTEN` has an attribute for every row of the vocabulary."""
    written = {name for _, attributes in WRITTEN.values() for name in attributes}
    assert {name for name in written if not is_openinference_name(name)} == set()
    assert {row for row in OPENINFERENCE if not any(f"{name}.".startswith(f"{row}.") for name in written)} == set()
    assert not is_openinference_name("llm.input_messages.0.message.canary")


def test_kinds_and_mime_types_are_in_the_conventions() -> None:
    """Each kind of operation has a span kind; operations without a model are `UNKNOWN`."""
    assert set(Kind) - openinference._KINDS.keys() == {Kind.OTHER}
    assert set(openinference._KINDS.values()) <= convention_values("OpenInferenceSpanKindValues")
    assert OPENINFERENCE.attributes(replace(CALL, name="create_file"))["openinference.span.kind"] == "UNKNOWN"
    assert OPENINFERENCE.attributes(replace(CALL, name="responses_websocket"))["openinference.span.kind"] == "LLM"
    assert convention_values("OpenInferenceMimeTypeValues") == {"text/plain", "application/json"}


def test_providers_and_systems_are_in_the_conventions() -> None:
    """Each renamed provider of LiteLLM gets a name of the conventions."""
    known = {str(each.value) for each in litellm.LlmProviders}
    renamed = {provider_name(provider) for provider in known if provider_name(provider) != provider}
    assert renamed <= convention_values("OpenInferenceLLMProviderValues")
    assert set(openinference._PROVIDERS.values()) <= convention_values("OpenInferenceLLMProviderValues")
    assert set(openinference._SYSTEMS.values()) == convention_values("OpenInferenceLLMSystemValues") - {"typesafe"}


def message_attributes(*parts: Part, role: str = "user") -> Attributes:
    """The attributes of a message, without their common prefix."""
    content = Content(input=(Message(role=role, parts=parts),))
    written = OPENINFERENCE.attributes(Call(name="chat", timing=Timing(started_at=1), content=content))
    prefix = "llm.input_messages.0.message."
    return {name.removeprefix(prefix): value for name, value in written.items() if name.startswith(prefix)}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(type="reasoning", content="So"), {"type": "reasoning", "text": "So"}),
        (Part(type="refusal", content="No"), {"type": "text", "text": "No"}),
        (Part(type="unknown", name="canvas"), {"type": "text", "text": "[canvas]"}),
        (
            Part(type="blob", modality="image", mime_type="image/png", size=12),
            {"type": "text", "text": "[image/png, 12 characters of base64]"},
        ),
        (
            Part(type="blob", modality="image", mime_type="image/png", content="QQ=="),
            {"type": "image", "image.image.url": "data:image/png;base64,QQ=="},
        ),
        (Part(type="uri", modality="image", uri="https://x"), {"type": "image", "image.image.url": "https://x"}),
        (
            Part(type="uri", modality="audio", uri="https://x", mime_type="audio/wav"),
            {"type": "audio", "audio.audio.url": "https://x", "audio.audio.mime_type": "audio/wav"},
        ),
        (Part(type="uri", modality="video", uri="https://x"), {"type": "video", "video.video.url": "https://x"}),
        (
            Part(type="uri", modality="document", uri="https://x", mime_type="application/pdf"),
            {
                "type": "document",
                "document.document.url": "https://x",
                "document.document.mime_type": "application/pdf",
            },
        ),
        (Part(type="uri", uri="gs://x"), {"type": "text", "text": "gs://x"}),
        (Part(type="file", modality="document", file_id="f"), {"type": "text", "text": "[document f]"}),
    ],
)
def test_attributes_of_message_parts(part: Part, expected: Attributes) -> None:
    """Parts without a counterpart, and media that were left out, become a text."""
    written = message_attributes(part)
    assert written == {
        "role": "user",
        **{f"contents.0.message_content.{name}": each for name, each in expected.items()},
    }
    assert all(is_openinference_name(f"message.{name}") for name in written)


def test_each_tool_result_is_a_message() -> None:
    """Tool results within a user message come first, in order, and the rest of the message follows."""
    results = (
        Part(type="tool_call_response", id="1", response={"sun": True}),
        Part(type="tool_call_response", id="2", response="rain"),
        Part(type="text", content="So?"),
    )
    content = Content(input=(Message(role="user", parts=results),))
    written = OPENINFERENCE.attributes(Call(name="chat", timing=Timing(started_at=1), content=content))
    assert {name: value for name, value in written.items() if name.startswith("llm.")} == {
        "llm.input_messages.0.message.role": "tool",
        "llm.input_messages.0.message.tool_call_id": "1",
        "llm.input_messages.0.message.content": '{"sun":true}',
        "llm.input_messages.1.message.role": "tool",
        "llm.input_messages.1.message.tool_call_id": "2",
        "llm.input_messages.1.message.content": "rain",
        "llm.input_messages.2.message.role": "user",
        "llm.input_messages.2.message.content": "So?",
    }
    assert json.loads(str(written["input.value"])) == {
        "messages": [
            {"role": "tool", "tool_call_id": "1", "content": '{"sun":true}'},
            {"role": "tool", "tool_call_id": "2", "content": "rain"},
            {"role": "user", "content": "So?"},
        ]
    }


def test_input_and_output_values_have_the_whole_conversation() -> None:
    """They have OpenAI's format for every API; an empty tool result has the content `null`."""
    content = Content(
        input=(
            Message(role="user", name="ada", parts=(Part(type="text", content="a"), Part(type="uri", uri="gs://x"))),
            Message(
                role="assistant",
                parts=(
                    Part(type="reasoning", content="b"),
                    Part(type="refusal", content="c"),
                    Part(type="tool_call", id="1", name="look"),
                ),
            ),
            Message(role="tool", parts=(Part(type="tool_call_response", id="1"),)),
        ),
        output=(Message(role="assistant", parts=(Part(type="text", content="d"),)), Message(role="assistant")),
    )
    written = OPENINFERENCE.attributes(Call(name="chat", timing=Timing(started_at=1), content=content))
    assert json.loads(str(written["input.value"]))["messages"] == [
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "gs://x"}]},
        {
            "role": "assistant",
            "reasoning_content": "b",
            "content": [{"type": "text", "text": "c"}],
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": ""}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": None},
    ]
    assert json.loads(str(written["output.value"]))["messages"] == [
        {"role": "assistant", "content": "d"},
        {"role": "assistant", "content": None},
    ]


@given(room=st.integers(0, 60), length=st.integers(0, 40))
def test_messages_that_do_not_fit_are_left_out(room: int, length: int) -> None:
    """For any limit, messages are numbered from 0, the last message has priority, and the limit is not exceeded."""
    messages = tuple(
        Message(role="user", parts=tuple(Part(type="text", content=f"{number}") for _ in range(number % 3 + 1)))
        for number in range(length)
    )
    content = Content(input=messages, tools=tuple(Tool(type="function", name=f"{number}") for number in range(5)))
    call = Call(name="chat", timing=Timing(started_at=1), content=content)
    written = OPENINFERENCE.attributes(call, room)
    assert len(written) <= max(room, 1)
    found = indices(dict(written), "llm.input_messages")
    assert found == list(range(len(found)))
    if found and room > 20:
        last = [value for name, value in written.items() if name.startswith(f"llm.input_messages.{found[-1]}.")]
        assert str(length - 1) in last


@given(room=st.integers(0, 60), length=st.integers(1, 40))
def test_documents_that_do_not_fit_are_left_out(room: int, length: int) -> None:
    """For any limit, texts and documents are numbered from 0, the first ones have priority, and the limit is not
    exceeded. Input and output documents of a reranking share the limit.
    """
    texts = tuple(str(number) for number in range(length))
    content = Content(
        texts=texts,
        query=("Which?",),
        documents=tuple(Document(content=text) for text in texts),
        results=tuple(Document(index=number, score=1 / (number + 1)) for number in range(length)),
    )
    for name, prefixes in INDEXED_LISTS.items():
        written = OPENINFERENCE.attributes(Call(name=name, timing=Timing(started_at=1), content=content), room)
        assert len(written) <= max(room, 2)  # the kind and the query are always set
        for prefix in prefixes:
            found = indices(dict(written), prefix)
            assert found == list(range(len(found)))
            assert found or room < 20
    for number in indices(dict(written), "reranker.output_documents"):
        assert written[f"reranker.output_documents.{number}.document.content"] == texts[number]


INDEXED_LISTS = {
    "embeddings": ("embedding.embeddings",),
    "retrieval": ("retrieval.documents",),
    "rerank": ("reranker.input_documents", "reranker.output_documents"),
}
"""Operation → prefixes of its numbered attributes."""


def test_a_ranked_document_has_the_content_of_the_request() -> None:
    """Most providers return only the index of a document. An invalid index has no content, and an empty result is left
    out.
    """
    documents = (Document(content="Rome"), Document(content="Oslo"))
    results = (Document(index=1, score=0.9), Document(index=0, content="ROME"), Document(), Document(index=-1))
    content = Content(documents=documents, results=results)
    written = OPENINFERENCE.attributes(Call(name="rerank", timing=Timing(started_at=1), content=content))
    assert {name: value for name, value in written.items() if name.startswith("reranker.output")} == {
        "reranker.output_documents.0.document.content": "Oslo",
        "reranker.output_documents.0.document.score": 0.9,
        "reranker.output_documents.0.document.metadata": '{"index":1}',
        "reranker.output_documents.1.document.content": "ROME",
        "reranker.output_documents.1.document.metadata": '{"index":0}',
        "reranker.output_documents.2.document.metadata": '{"index":-1}',
    }


def test_a_single_embedded_text_is_a_plain_text_value() -> None:
    """Several texts are a JSON list, and without texts there is no value."""
    attributes = {
        texts: OPENINFERENCE.attributes(
            Call(name="embeddings", timing=Timing(started_at=1), content=Content(texts=texts))
        )
        for texts in (("one",), None)
    }
    kind = {"openinference.span.kind": "EMBEDDING"}
    value = {"input.value": "one", "input.mime_type": "text/plain"}
    assert attributes == {("one",): {"embedding.embeddings.0.embedding.text": "one", **value, **kind}, None: kind}


def test_llm_provider_of_merged_vocabularies() -> None:
    """OpenInference's name of the provider if OpenInference defines it for the operation, else LiteLLM's."""
    merged = Vocabulary.merged(GENERAL)
    target = Target(provider="vertex_ai", model="gemini-2.5-flash")
    attributes = {
        name: merged.attributes(Call(name=name, target=target, timing=Timing(started_at=1)))
        for name in ("chat", "embeddings")
    }
    assert {name: (each["llm.provider"], each["litellm.provider"]) for name, each in attributes.items()} == {
        "chat": ("google", "vertex_ai"),
        "embeddings": ("vertex_ai", "vertex_ai"),
    }


def test_no_name_is_a_prefix_of_another() -> None:
    """Phoenix makes a tree of all names, in which a name with a value and children would lose one of them."""
    written = set(Vocabulary.merged(GENERAL).attributes(CALL))
    assert [name for name in written if any(other.startswith(f"{name}.") for other in written)] == []
