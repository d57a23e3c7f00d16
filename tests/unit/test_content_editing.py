"""What may be told of what was said: shortened to the limits, redacted, and nothing where that fails."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel_litellm.call import Call, Timing
from agentops_otel_litellm.processors.content import create_content_processor
from agentops_otel_litellm.processors.redaction import MARKS, MAX_SECRET_LENGTH, Limits, Redactor, redactor
from agentops_otel_litellm.records import Content, Document, Json, Message, Part, Tool
from agentops_otel_litellm.settings.declaration import REDACTED
from support.edited_content import input_texts


def edited(
    content: Content, *, part: int = 1_000, call: int = 10_000, redact: Redactor | None = None
) -> Content | None:
    edit = create_content_processor(lambda: [redact or redactor(REDACTED)], Limits(part=part, call=call))
    return edit(Call(name="chat", timing=Timing(started_at=0), content=content)).content


def asked(*texts: str) -> Content:
    return Content(input=tuple(Message(role="user", parts=(Part(type="text", content=text),)) for text in texts))


def test_a_long_text_is_cut_and_says_so() -> None:
    """How much is missing is told; a text that just fits is whole."""
    assert input_texts(edited(asked("a" * 1_000, "b" * 1_001))) == [
        "a" * 1_000,
        "b" * 1_000 + "… [1 characters left out]",
    ]


@pytest.mark.parametrize("before", [0, 990, 999, 1_000, 1_000 + MAX_SECRET_LENGTH - 10])
def test_a_secret_at_the_limit_is_not_half_told(before: int) -> None:
    """Nor does one come into view when what is before it gets shorter."""
    secret = f"sk-{'x' * 40}"
    mails = "somebody@example.com "
    (text,) = input_texts(edited(asked((mails * before)[: before - 1] + " " + secret + " " * 20_000)))
    assert text is not None
    assert "sk-x" not in text
    assert text.endswith("characters left out]")


def everything(text: str) -> Content:
    """One text in every place that may have any."""
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


def test_all_that_is_said_is_edited() -> None:
    """Texts, names, arguments, results and schemas, at any depth."""
    assert edited(everything("ada@example.com")) == everything("[email]")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=["L", "Nd", "Zs", "Po"], exclude_characters="@:=/\"'"), max_size=12))
def test_what_is_no_secret_is_as_it_was(text: str) -> None:
    """In every place where there may be a text."""
    assert edited(everything(text)) == everything(text)


def test_a_structure_that_is_too_long_is_cut_as_text() -> None:
    """It is JSON's beginning, in a string: the attribute stays JSON."""
    numbers: Json = {"numbers": ["one"] * 1_000}
    content = Content(input=(Message(role="tool", parts=(Part(type="tool_call_response", response=numbers),)),))
    fit = edited(content)
    assert fit is not None
    assert fit.input is not None
    (response,) = (part.response for part in fit.input[0].parts)
    assert isinstance(response, str)
    assert response.startswith('{"numbers": ["one", "one", ')
    assert response.endswith(f"… [{len(json.dumps(numbers)) - 1_000} characters left out]")


def test_of_a_long_conversation_the_end_is_told() -> None:
    """The answer and the instructions come first, then the newest messages; all others say what they lack."""
    content = Content(
        instructions=(Part(type="text", content="i" * 100),),
        output=(Message(role="assistant", parts=(Part(type="text", content="o" * 100),)),),
        tools=(Tool(type="function", name="look", description="d" * 100),),
        input=asked("1" * 100, "2" * 100, "3" * 100).input,
    )
    fit = edited(content, call=450)
    assert input_texts(fit) == ["… [100 characters left out]", "2" * 50 + "… [50 characters left out]", "3" * 100]
    assert fit is not None
    assert (fit.instructions, fit.output, fit.tools) == (content.instructions, content.output, content.tools)
    assert edited(content, call=10_000) == content


def test_the_opening_of_a_conversation_is_told() -> None:
    """Where an API takes the instructions as the first message, they have room as those that come apart."""
    said = Message(role="system", parts=(Part(type="text", content="s" * 100),))
    content = Content(input=(said, *(asked("1" * 100, "2" * 100).input or ())))
    assert input_texts(edited(content, call=200)) == ["s" * 100, "… [100 characters left out]", "2" * 100]


def test_of_many_texts_and_documents_the_first_are_told() -> None:
    """With how much is missing of the others; the query first, then what was found."""
    content = Content(
        texts=("t" * 100, "u" * 100),
        query=("q" * 100,),
        documents=(Document(content="d" * 100),),
        results=(Document(score=0.5, content="r" * 100),),
    )
    assert edited(content, call=300) == Content(
        texts=("t" * 100, "… [100 characters left out]"),
        query=("q" * 100,),
        documents=(Document(content="… [100 characters left out]"),),
        results=(Document(score=0.5, content="r" * 100),),
    )


def test_halves_of_characters_are_replaced() -> None:
    """No exporter could write them."""
    assert input_texts(edited(asked("\ud83d half, 👍 whole"))) == ["? half, 👍 whole"]


def test_media_are_not_told_as_text() -> None:
    """In a `data:` URL, alone or among words, and where all of a text is base64; ordinary words that are long are."""
    data = "iVBORw0KGgo+" * 40
    content = asked(f"see data:image/png;base64,{data} there", data, "word " * 100)
    assert input_texts(edited(content, redact=lambda text: text)) == [
        f"see data:image/png;base64,… [{len(data)} characters left out] there",
        f"… [{len(data)} characters left out]",
        "word " * 100,
    ]
    result = Part(type="tool_call_response", response=[{"image_url": f"data:image/png;base64,{data}"}])
    assert data not in repr(edited(Content(input=(Message(role="tool", parts=(result,)),))))


def test_in_a_structure_names_tell_what_is_secret() -> None:
    """As they do in a text; and a number may be one."""
    given: Json = {"password": "hunter2hunter2", "card": 4111111111111111, "count": 42, "note": "hunter2hunter2"}
    call = Part(type="tool_call", name="log_in", arguments=given)
    fit = edited(Content(output=(Message(role="assistant", parts=(call,)),)))
    assert fit is not None
    assert fit.output is not None
    assert fit.output[0].parts[0].arguments == {
        "password": "[key]",
        "card": "[card]",
        "count": 42,
        "note": "hunter2hunter2",
    }


def noting(seen: list[str]) -> Redactor:
    """One that changes nothing."""

    def redact(text: str) -> str:
        seen.append(text)
        return text

    return redact


def redacting_all(seen: list[str]) -> Redactor:
    def redact(text: str) -> str:
        seen.append(text)
        return ""

    return redact


def test_what_is_not_told_is_not_looked_at() -> None:
    """Of a long conversation the redactors get what has room, from the end on: other messages are there with the mark,
    and those before them with one for all. What is past the limit of a text they get for as long as the longest secret.
    """
    seen: list[str] = []
    content = asked(*(f"{index:05d}{'a' * 995}" for index in range(10_000)))
    fit = edited(content, call=2_500, redact=noting(seen))
    assert [len(text or "") for text in input_texts(fit)[-4:]] == [28, 500 + 27, 1_000, 1_000]
    each = MARKS // 2  # a message and its text
    first, *others = input_texts(fit)[:-3]
    assert (first, others) == (f"… [{9_997 - each} messages left out]", ["… [1000 characters left out]"] * each)
    assert [text[:5] for text in seen] == ["09999", "09998", "09997"]
    seen.clear()
    edited(asked("a" * 100_000), redact=noting(seen))
    assert [len(text) for text in seen] == [1_000 + MAX_SECRET_LENGTH]


EVERYWHERE: dict[str, Callable[[int], Content]] = {
    "texts": lambda index: asked(f"{index}{'a' * 995}"),
    "names": lambda index: Content(input=(Message(role="tool", name=f"{index}{'n' * 200}"),)),
    "ids": lambda index: Content(input=(Message(role="tool", parts=(Part(type="tool_call", id=f"{index}"),)),)),
    "figures": lambda index: Content(documents=(Document(content=list(range(index, index + 50))),)),
    "structures": lambda index: Content(documents=(Document(content={f"{index}{'n' * 20}": [f"{index}"]}),)),
    "long structures": lambda index: Content(documents=(Document(content=[f"{index}{'n' * 20}"] * 1_000),)),
    "documents": lambda index: Content(results=(Document(id=f"{index}", title=f"{index} of", content="d" * 900),)),
    "inputs": lambda index: Content(texts=(f"{index}{'t' * 900}",)),
    "tools": lambda index: Content(tools=(Tool(type="function", name=f"{index}", parameters={f"{index}": "a"}),)),
    "media": lambda index: asked(f"{index} data:image/png;base64,{'iVBORw0KGgo+' * 40}"),
}
"""Of which there may be any number."""
NOUNS = {"input": "messages", "texts": "texts", "tools": "tools", "documents": "documents", "results": "documents"}


@pytest.mark.parametrize("kind", EVERYWHERE)
def test_what_is_taken_out_does_not_make_it_endless(kind: str) -> None:
    """Where nothing remains of what is redacted, so that there is always room: the redactors get no more than twice the
    limit and what a text has past it, however much there is.
    """
    contents = [EVERYWHERE[kind](index) for index in range(2_000)]
    known = {name: tuple(each for content in contents for each in vars(content)[name]) for name in vars(contents[0])}
    seen: list[str] = []
    fit = edited(Content(**known), redact=redacting_all(seen))
    assert 0 < sum(map(len, seen)) < 2 * 10_000 + 1_000 + MAX_SECRET_LENGTH
    assert fit is not None
    for name, (*most, last) in vars(fit).items():
        missing = 2_000 - len(most)
        assert f"… [{missing} {NOUNS[name]} left out]" in repr(most[0] if name == "input" else last)


def test_a_structure_is_written_only_as_far_as_it_is_told() -> None:
    """What comes first, without media; how much is missing is told of all of it."""
    picture = "iVBORw0KGgo+" * 40
    structure: Json = {"at": [picture, f"data:image/png;base64,{picture}"], "rows": ["row"] * 100_000, "end": "end"}
    fit = edited(Content(documents=(Document(content=structure),)))
    assert fit is not None
    (document,) = fit.documents or ()
    assert isinstance(document.content, str)
    assert document.content.startswith(
        '{"at": ["… [480 characters left out]", "data:image/png;base64,… [480 characters left out]"], "rows": ["row", '
    )
    assert document.content.endswith(f"… [{len(json.dumps(structure)) - 1_000} characters left out]")


def test_a_redactor_may_make_texts_longer() -> None:
    """They are cut then, and what is missing is never less than nothing."""
    assert input_texts(edited(asked("short"), redact=lambda _: "x" * 1_005)) == [
        f"{'x' * 1_000}… [5 characters left out]"
    ]
    fit = edited(Content(documents=(Document(content=["short"]),)), redact=lambda _: "x" * 1_005)
    assert fit is not None
    (document,) = fit.documents or ()
    assert document.content == f"{'x' * 1_000}… [9 characters left out]"  # with what makes it JSON


@pytest.mark.parametrize(
    ("given", "shown"),
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
def test_of_media_the_kind_and_the_size_are_told(given: str, shown: str) -> None:
    """However long they are, and whatever follows one that is longer than a text that is told."""
    assert input_texts(edited(asked(given))) == [shown]
