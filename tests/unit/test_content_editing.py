"""Captured content is shortened to the limits and redacted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel_litellm.call import Call, Timing
from agentops_otel_litellm.processors.content import MAX_SECRET_LENGTH, create_content_processor
from agentops_otel_litellm.records import ITEM_LENGTH, MARKS, Content, Document, Json, Limits, Message, Part, Tool
from agentops_otel_litellm.redaction import Redactor, redactor
from agentops_otel_litellm.settings.parsing import REDACTED
from support.edited_content import input_texts


def edit(content: Content, *, part: int = 1_000, call: int = 10_000, redact: Redactor | None = None) -> Content | None:
    process = create_content_processor(lambda: [redact or redactor(REDACTED)], Limits(part=part, call=call))
    return process(Call(name="chat", timing=Timing(started_at=0), content=content)).content


def user_messages(*texts: str) -> Content:
    return Content(input=tuple(Message(role="user", parts=(Part(type="text", content=text),)) for text in texts))


def test_a_long_text_is_cut_and_states_how_much_is_missing() -> None:
    """A text of exactly the maximum length is not cut."""
    assert input_texts(edit(user_messages("a" * 1_000, "b" * 1_001))) == [
        "a" * 1_000,
        "b" * 1_000 + "… [1 characters left out]",
    ]


@pytest.mark.parametrize("before", [0, 990, 999, 1_000, 1_000 + MAX_SECRET_LENGTH - 10])
def test_a_secret_at_the_limit_is_not_cut_in_half(before: int) -> None:
    """Redaction of the texts before it moves the secret towards the limit, and must not leave a part of it."""
    secret = f"sk-{'x' * 40}"
    mails = "somebody@example.com "
    (text,) = input_texts(edit(user_messages((mails * before)[: before - 1] + " " + secret + " " * 20_000)))
    assert text is not None
    assert "sk-x" not in text
    assert text.endswith("characters left out]")


def content_with(text: str) -> Content:
    """Content that has the text in every field that accepts a text."""
    deep: Json = {text: [1, None, True, {"to": text}]}
    return Content(
        instructions=(Part(type="text", content=text),),
        input=(Message(role=text, name=text, parts=(Part(type="uri", modality="image", uri=text),)),),
        output=(
            Message(
                role="assistant",
                parts=(
                    Part(type="tool_call", id=text, name=text, arguments=deep),
                    Part(type="tool_call_response", id="call", response=text),
                    Part(type="blob", modality="audio", mime_type=text, size=1),
                    Part(type="file", modality="document", mime_type=text, file_id=text),
                ),
                finish_reason=text,
            ),
        ),
        tools=(Tool(type="function", name=text, description=text, parameters=deep),),
        texts=(text, text),
        query=(text,),
        documents=(Document(content=deep),),
        results=(Document(id=text, index=1, score=0.5, title=text, uri=text, content=text),),
    )


def test_every_text_of_the_content_is_redacted() -> None:
    """Texts, names, arguments, results and schemas, at any depth."""
    assert edit(content_with("ada@example.com")) == content_with("[email]")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=["L", "Nd", "Zs", "Po"], exclude_characters="@:=/\"'"), max_size=12))
def test_texts_without_secrets_are_unchanged(text: str) -> None:
    assert edit(content_with(text)) == content_with(text)


def test_a_structure_that_is_too_long_is_cut_as_text() -> None:
    """The start of its JSON becomes a string, so the attribute remains valid JSON."""
    numbers: Json = {"numbers": ["one"] * 1_000}
    content = Content(input=(Message(role="tool", parts=(Part(type="tool_call_response", response=numbers),)),))
    fit = edit(content)
    assert fit is not None
    assert fit.input is not None
    (response,) = (part.response for part in fit.input[0].parts)
    assert isinstance(response, str)
    assert response.startswith('{"numbers": ["one", "one", ')
    assert response.endswith(f"… [{len(json.dumps(numbers)) - 1_000} characters left out]")


def test_a_long_conversation_keeps_output_instructions_and_newest_messages() -> None:
    """Other messages are replaced by a mark that states how many characters are missing."""
    content = Content(
        instructions=(Part(type="text", content="i" * 100),),
        output=(Message(role="assistant", parts=(Part(type="text", content="o" * 100),)),),
        tools=(Tool(type="function", name="look", description="d" * 100),),
        input=user_messages("1" * 100, "2" * 100, "3" * 100).input,
    )
    items = 2 * 3 + 1 + 1  # three messages with a part each, the instructions and the tool
    fit = edit(content, call=450 + items * ITEM_LENGTH + len("look"))
    assert input_texts(fit) == ["… [100 characters left out]", "2" * 50 + "… [50 characters left out]", "3" * 100]
    assert fit is not None
    assert (fit.instructions, fit.output, fit.tools) == (content.instructions, content.output, content.tools)
    assert edit(content, call=10_000) == content


def test_a_leading_system_message_is_kept() -> None:
    """Some APIs take the instructions as the first message, so it has the priority of separate instructions."""
    system = Message(role="system", parts=(Part(type="text", content="s" * 100),))
    content = Content(input=(system, *(user_messages("1" * 100, "2" * 100).input or ())))
    assert input_texts(edit(content, call=200 + 4 * ITEM_LENGTH)) == [
        "s" * 100,
        "… [100 characters left out]",
        "2" * 100,
    ]


def test_the_first_texts_and_the_results_are_kept() -> None:
    """The query has priority, then the results; other texts and documents get a mark with the missing length."""
    content = Content(
        texts=("t" * 100, "u" * 100),
        query=("q" * 100,),
        documents=(Document(content="d" * 100),),
        results=(Document(score=0.5, content="r" * 100),),
    )
    assert edit(content, call=300 + 3 * ITEM_LENGTH) == Content(
        texts=("t" * 100, "… [100 characters left out]"),
        query=("q" * 100,),
        documents=(Document(content="… [100 characters left out]"),),
        results=(Document(score=0.5, content="r" * 100),),
    )


def test_lone_surrogates_are_replaced() -> None:
    """Exporters cannot encode lone surrogates as UTF-8."""
    assert input_texts(edit(user_messages("\ud83d half, 👍 whole"))) == ["? half, 👍 whole"]


def test_base64_media_in_texts_is_left_out() -> None:
    """In a `data:` URL, alone or among words, and as the whole text; long ordinary texts are kept."""
    data = "iVBORw0KGgo+" * 40
    content = user_messages(f"see data:image/png;base64,{data} there", data, "word " * 100)
    assert input_texts(edit(content, redact=lambda text: text)) == [
        f"see data:image/png;base64,… [{len(data)} characters left out] there",
        f"… [{len(data)} characters left out]",
        "word " * 100,
    ]
    result = Part(type="tool_call_response", response=[{"image_url": f"data:image/png;base64,{data}"}])
    assert data not in repr(edit(Content(input=(Message(role="tool", parts=(result,)),))))


def test_keys_of_a_structure_mark_secret_values() -> None:
    """As in a text; card numbers may also be integers."""
    value: Json = {"password": "hunter2hunter2", "card": 4111111111111111, "count": 42, "note": "hunter2hunter2"}
    call = Part(type="tool_call", name="log_in", arguments=value)
    fit = edit(Content(output=(Message(role="assistant", parts=(call,)),)))
    assert fit is not None
    assert fit.output is not None
    assert fit.output[0].parts[0].arguments == {
        "password": "[key]",
        "card": "[card]",
        "count": 42,
        "note": "hunter2hunter2",
    }


def recording_redactor(redacted: list[str]) -> Redactor:
    """A redactor that collects the texts and changes nothing."""

    def redact(text: str) -> str:
        redacted.append(text)
        return text

    return redact


def erasing_redactor(redacted: list[str]) -> Redactor:
    def redact(text: str) -> str:
        redacted.append(text)
        return ""

    return redact


def test_texts_beyond_the_limit_are_not_redacted() -> None:
    """Redactors receive the newest messages that fit. Earlier messages become marks, the earliest ones a single mark.

    Of a text that is too long, redactors receive the limit plus the length of the longest secret.
    """
    redacted: list[str] = []
    content = user_messages(*(f"{index:05d}{'a' * 995}" for index in range(10_000)))
    fit = edit(content, call=2_500 + 6 * ITEM_LENGTH, redact=recording_redactor(redacted))
    assert [len(text or "") for text in input_texts(fit)[-4:]] == [28, 500 + 27, 1_000, 1_000]
    each = MARKS // 2  # a message and its text
    first, *others = input_texts(fit)[:-3]
    assert (first, others) == (f"… [{9_997 - each} messages left out]", ["… [1000 characters left out]"] * each)
    assert [text[:5] for text in redacted] == ["09999", "09998", "09997"]
    redacted.clear()
    edit(user_messages("a" * 100_000), redact=recording_redactor(redacted))
    assert [len(text) for text in redacted] == [1_000 + MAX_SECRET_LENGTH]


CONTENT_KINDS: dict[str, Callable[[int], Content]] = {
    "texts": lambda index: user_messages(f"{index}{'a' * 995}"),
    "names": lambda index: Content(input=(Message(role="tool", name=f"{index}{'n' * 200}"),)),
    "ids": lambda index: Content(input=(Message(role="tool", parts=(Part(type="tool_call", id=f"{index}"),)),)),
    "figures": lambda index: Content(documents=(Document(content=list(range(index, index + 50))),)),
    "structures": lambda index: Content(documents=(Document(content={f"{index}{'n' * 20}": [f"{index}"]}),)),
    "long structures": lambda index: Content(documents=(Document(content=[f"{index}{'n' * 20}"] * 1_000),)),
    "documents": lambda index: Content(results=(Document(id=f"{index}", title=f"{index} of", content="d" * 900),)),
    "inputs": lambda index: Content(texts=(f"{index}{'t' * 900}",)),
    "tools": lambda index: Content(tools=(Tool(type="function", name=f"{index}", parameters={f"{index}": "a"}),)),
    "media": lambda index: user_messages(f"{index} data:image/png;base64,{'iVBORw0KGgo+' * 40}"),
}
"""Fields that can have any number of entries → their content for an index."""
NOUNS = {"input": "messages", "texts": "texts", "tools": "tools", "documents": "documents", "results": "documents"}


@pytest.mark.parametrize("kind", CONTENT_KINDS)
def test_redaction_is_bounded_if_nothing_remains_of_the_texts(kind: str) -> None:
    """The texts always fit then, so a second limit applies: redactors receive at most twice the limit, plus the part of
    one text that exceeds it.
    """
    contents = [CONTENT_KINDS[kind](index) for index in range(2_000)]
    known: dict[str, Any] = {
        name: tuple(each for content in contents for each in vars(content)[name]) for name in vars(contents[0])
    }
    redacted: list[str] = []
    fit = edit(Content(**known), redact=erasing_redactor(redacted))
    assert 0 < sum(map(len, redacted)) < 2 * 10_000 + 1_000 + MAX_SECRET_LENGTH
    assert fit is not None
    for name, (*most, last) in vars(fit).items():
        missing = 2_000 - len(most)
        assert f"… [{missing} {NOUNS[name]} left out]" in repr(most[0] if name == "input" else last)


def test_a_long_structure_is_serialized_only_up_to_the_limit() -> None:
    """Media are left out, and the mark counts the rest of the whole structure."""
    picture = "iVBORw0KGgo+" * 40
    structure: Json = {"at": [picture, f"data:image/png;base64,{picture}"], "rows": ["row"] * 100_000, "end": "end"}
    fit = edit(Content(documents=(Document(content=structure),)))
    assert fit is not None
    (document,) = fit.documents or ()
    assert isinstance(document.content, str)
    assert document.content.startswith(
        '{"at": ["… [480 characters left out]", "data:image/png;base64,… [480 characters left out]"], "rows": ["row", '
    )
    assert document.content.endswith(f"… [{len(json.dumps(structure)) - 1_000} characters left out]")


def test_a_text_that_a_redactor_makes_longer_is_cut() -> None:
    """The number of missing characters is never negative."""
    assert input_texts(edit(user_messages("short"), redact=lambda _: "x" * 1_005)) == [
        f"{'x' * 1_000}… [5 characters left out]"
    ]
    fit = edit(Content(documents=(Document(content=["short"]),)), redact=lambda _: "x" * 1_005)
    assert fit is not None
    (document,) = fit.documents or ()
    assert (
        document.content == f"{'x' * 1_000}… [9 characters left out]"
    )  # the brackets and quotes of the JSON count too


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("data:image/svg+xml,%3Csvg%3E", "data:image/svg+xml,… [9 characters left out]"),
        (f"data:image/png;base64,{'A' * 50_000}", "data:image/png;base64,… [50000 characters left out]"),
        (f"{'iVBORw0KGgo+' * 5_000}", "… [60000 characters left out]"),
        (f"see data:;base64,{'A' * 50_000} here", "see data:;base64,… [50005 characters left out]"),
        ("data: a,b and more", "data: a,b and more"),
        ("data:a,b", "data:a,b"),
        ("/usr/lib/python3", "/usr/lib/python3"),
    ],
)
def test_media_keep_their_type_and_size(value: str, expected: str) -> None:
    """Also if the media exceed the limit of a text and more text follows."""
    assert input_texts(edit(user_messages(value))) == [expected]


@pytest.mark.parametrize(
    "content",
    [
        Content(input=(Message(role="user", parts=(Part(type="text", content="x"),)),) * 20_000),
        Content(input=(Message(role="user", parts=()),) * 20_000),
        Content(input=(Message(role="user", parts=(Part(type="text", content="x"),) * 20_000),)),
        Content(
            output=(
                Message(
                    role="assistant",
                    parts=tuple(Part(type="tool_call", id=f"c{n}", name=f"f{n}", arguments={}) for n in range(20_000)),
                ),
            )
        ),
    ],
    ids=["messages", "empty messages", "parts", "tool calls"],
)
def test_structure_counts_towards_the_limit(content: Content) -> None:
    """Names, ids and punctuation, so that many small items cannot make a large span."""
    edited = edit(content, call=10_000)
    assert edited is not None
    (message, *_) = messages = edited.input or edited.output or ()
    number_of_items = max(len(messages), len(message.parts))
    assert number_of_items <= 10_000 // 32 + MARKS + 1
    assert "left out]" in str(edited)
