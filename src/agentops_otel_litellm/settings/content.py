"""Settings of content: whether it is captured, where it is recorded, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

from agentops_otel_litellm.settings.declaring import setting
from agentops_otel_litellm.settings.values import CAPTURES, REDACTED, ContentCapture, capture, kinds, number_of, switch


@dataclass(frozen=True, kw_only=True)
class ContentSettings:
    """Whether content is captured, where it is recorded, and how much of it."""

    content: ContentCapture = setting(  # noqa: RUF009 - it is frozen
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        default=CAPTURES["NO_CONTENT"],
        parse=capture,
        help="Whether prompts, responses, tools and so on are recorded, and where: `NO_CONTENT`, `SPAN_ONLY`, "
        "`EVENT_ONLY` or `SPAN_AND_EVENT`; `true` is `SPAN_ONLY`.",
    )
    emit_event: bool | None = setting(
        "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT",
        default=None,
        parse=switch,
        help="Whether chats and text completions also emit an event, `gen_ai.client.inference.operation.details`. "
        "Default: `true` if content is recorded in events.",
    )
    completion_hook: str | None = setting(
        "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK",
        default=None,
        parse=str,
        help="The entry point (`opentelemetry_genai_completion_hook`) that receives the redacted content: "
        "`upload` writes it to `OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH`. It needs the extra `upload`.",
    )
    redact: tuple[str, ...] = setting(
        "AGENTOPS_REDACT",
        default=REDACTED,
        parse=kinds,
        help="The secrets and personal data that are redacted in content: any of `key`, `token`, `email`, `phone`, "
        "`card`, or `none`.",
    )
    redactor: str | None = setting(
        "AGENTOPS_REDACTOR",
        default=None,
        parse=str,
        help="Your own redactor, a function from text to redacted text: `package.module:function`.",
    )
    part_limit: int = setting(
        "AGENTOPS_CONTENT_PART_LIMIT",
        default=32_768,
        parse=number_of("characters"),
        help="Maximum length of each part of a message, in characters.",
    )
    call_limit: int = setting(
        "AGENTOPS_CONTENT_CALL_LIMIT",
        default=262_144,
        parse=number_of("characters"),
        help="Maximum length of all content of a call, in characters. Of a longer conversation, the last messages are "
        "recorded.",
    )
    capture_media: bool = setting(
        "AGENTOPS_CAPTURE_MEDIA",
        default=False,
        parse=switch,
        help="Whether the base64 of images, audio and files is recorded; otherwise only their type and size are.",
    )
    media_limit: int = setting(
        "AGENTOPS_CONTENT_MEDIA_LIMIT",
        default=1_048_576,
        parse=number_of("characters"),
        help="Maximum length of the base64 of an image, audio or file, in characters. Longer base64 is left out.",
    )

    @property
    def records_in_events(self) -> bool:
        return self.content.in_events and self.emits_event

    @property
    def emits_event(self) -> bool:
        return self.content.in_events if self.emit_event is None else self.emit_event
