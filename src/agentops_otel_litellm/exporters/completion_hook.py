"""The completion hook, which receives the content of calls: OpenTelemetry's `upload`, or a hook of a different package.

OpenTelemetry's package opentelemetry-util-genai defines the hook's parameters. So this module is imported only if the
user has set a hook.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.trace import Span
from opentelemetry.util.genai import types
from opentelemetry.util.genai.completion_hook import CompletionHook, load_completion_hook

from agentops_otel_litellm.records import Content, Message, Part, Tool
from agentops_otel_litellm.semconv.gen_ai import FINISH_REASONS


@dataclass
class OtherPart:
    """A part for which OpenTelemetry's package has no class: a refusal, or media without their bytes."""

    type: str
    content: str | None = None
    name: str | None = None
    modality: str | None = None
    mime_type: str | None = None
    size: int | None = None


class Hook:
    """Passes the redacted content of calls to the hook in OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK.

    The hook runs on the application's thread, because it can set attributes of the span. For example, `upload` sets the
    locations of its files, which it writes on other threads.
    """

    def __init__(self) -> None:
        self._hook: CompletionHook = load_completion_hook()

    def call(self, content: Content, span: Span, log_record: LogRecord | None) -> None:
        """Call the hook if the content has messages, instructions or tools. Hooks accept no texts and documents."""
        if not (content.input or content.output or content.instructions or content.tools):
            return
        self._hook.on_completion(
            inputs=[_input(each) for each in content.input or ()],
            outputs=[_output(each) for each in content.output or ()],
            system_instruction=[_part(each) for each in content.instructions or ()],
            tool_definitions=[_tool(each) for each in content.tools or ()] or None,
            span=span,
            log_record=log_record,
        )


def _input(message: Message) -> types.InputMessage:
    return types.InputMessage(role=message.role, parts=list(map(_part, message.parts)), name=message.name)


def _output(message: Message) -> types.OutputMessage:
    """Convert a message of the response. Its finish reason gets its name in the semantic conventions."""
    reason = message.finish_reason
    return types.OutputMessage(
        role=message.role,
        parts=list(map(_part, message.parts)),
        finish_reason=None if reason is None else FINISH_REASONS.get(reason, reason),
        name=message.name,
    )


def _tool(tool: Tool) -> types.ToolDefinition:
    if tool.type != "function":
        return types.GenericToolDefinition(name=tool.name, type=tool.type)
    return types.FunctionToolDefinition(name=tool.name, description=tool.description, parameters=tool.parameters)


def _part(part: Part) -> Any:  # noqa: ANN401 - the package's union of part types lacks `OtherPart`
    make = _PARTS.get(part.type)
    return OtherPart(**vars(part)) if make is None else make(part)


def _blob(part: Part) -> Any:  # noqa: ANN401 - the package's union of part types lacks `OtherPart`
    """Convert a blob: with its bytes if the part has base64 (because media are recorded), otherwise with its size."""
    with suppress(binascii.Error):
        if part.content is not None:
            content = b64decode(part.content, validate=True)
            return types.BlobPart(mime_type=part.mime_type, modality=part.modality or "", content=content)
    return OtherPart(**{name: known for name, known in vars(part).items() if name != "content"})


_PARTS: Mapping[str, Callable[[Part], Any]] = {
    "text": lambda part: types.TextPart(content=part.content or ""),
    "reasoning": lambda part: types.ReasoningPart(content=part.content or ""),
    "tool_call": lambda part: types.ToolCallRequestPart(arguments=part.arguments, name=part.name or "", id=part.id),
    "tool_call_response": lambda part: types.ToolCallResponsePart(response=part.response, id=part.id),
    "uri": lambda part: types.UriPart(mime_type=part.mime_type, modality=part.modality or "", uri=part.uri or ""),
    "file": lambda part: types.FilePart(
        mime_type=part.mime_type, modality=part.modality or "", file_id=part.file_id or ""
    ),
    "blob": _blob,
}
