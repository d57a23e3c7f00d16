"""OpenTelemetry's completion hook receives the edited content, and nothing if no content is captured."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytest.importorskip("opentelemetry.util.genai", reason="needs the extra `upload`")
from opentelemetry.util.genai.types import BlobPart

from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.records import Message, Part, Tool
from support.captured import Capture


def test_without_the_variable_its_package_is_not_loaded(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs without a hook do not import it."""
    monkeypatch.setitem(sys.modules, "opentelemetry.util.genai", None)
    monkeypatch.delitem(sys.modules, "agentops_otel_litellm.exporters.completion_hook", raising=False)
    capture("SPAN_AND_EVENT")
    assert TRACING.telemetry is not None
    assert TRACING.telemetry._hook is None


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(type="reasoning", content="Hm."), {"type": "reasoning", "content": "Hm."}),
        (
            Part(type="uri", modality="image", uri="https://example.com/cat"),
            {"type": "uri", "modality": "image", "uri": "https://example.com/cat", "mime_type": None},
        ),
        (
            Part(type="file", modality="document", file_id="file-1"),
            {"type": "file", "modality": "document", "file_id": "file-1", "mime_type": None},
        ),
        (
            Part(type="tool_call_response", id="call_1", response={"a": 1}),
            {"type": "tool_call_response", "id": "call_1", "response": {"a": 1}},
        ),
        (
            Part(type="blob", modality="image", mime_type="image/png", size=12),
            {"type": "blob", "modality": "image", "mime_type": "image/png", "size": 12, "content": None, "name": None},
        ),
        (
            Part(type="blob", modality="image", content="not base64!"),
            {"type": "blob", "modality": "image", "mime_type": None, "size": None, "content": None, "name": None},
        ),
        (
            Part(type="refusal", content="No."),
            {"type": "refusal", "content": "No.", "name": None, "modality": None, "mime_type": None, "size": None},
        ),
    ],
    ids=lambda each: each.type if isinstance(each, Part) else "",
)
def test_parts_have_types_of_the_hook(part: Part, expected: dict[str, Any]) -> None:
    """OpenTelemetry's class, or one with the same fields."""
    from agentops_otel_litellm.exporters.completion_hook import _part

    assert vars(_part(part)) == expected


def test_media_are_passed_as_bytes() -> None:
    from agentops_otel_litellm.exporters.completion_hook import _input, _tool

    message = Message(role="user", name="ada", parts=(Part(type="blob", modality="audio", content="UklGRg=="),))
    (blob,) = _input(message).parts
    assert blob == BlobPart(mime_type=None, modality="audio", content=b"RIFF")
    assert vars(_tool(Tool(type="web_search", name="web_search"))) == {"type": "web_search", "name": "web_search"}
