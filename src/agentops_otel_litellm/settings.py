"""The settings: each declares its variable, its default and its help, once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TypeVar

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

_told: set[str] = set()
"""Variables that were told of: several parts of the package read the settings."""


def _names(text: str) -> tuple[str, ...]:
    """A comma-separated list, each name once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """A comma-separated list of `name=value`; a name given twice has its last value."""
    pairs: dict[str, str] = {}
    for item in _names(text):
        name, _, value = (part.strip() for part in item.partition("="))
        if not name or not value:
            raise ValueError("comma-separated pairs, as in `acme-=openai,our-claude=anthropic`")
        pairs[name] = value
    return tuple(pairs.items())


def _switch(text: str) -> bool:
    """As OpenTelemetry writes its own."""
    if text.lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return text.lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCapture:
    """Where what was said is told: nowhere, unless the user asks for it."""

    on_spans: bool = False
    in_events: bool = False

    def __str__(self) -> str:
        return next(name for name, capture in _CAPTURES.items() if capture == self)


_CAPTURES = {
    "NO_CONTENT": ContentCapture(),
    "SPAN_ONLY": ContentCapture(on_spans=True),
    "EVENT_ONLY": ContentCapture(in_events=True),
    "SPAN_AND_EVENT": ContentCapture(on_spans=True, in_events=True),
    # As earlier releases of OpenTelemetry's instrumentations had it.
    "TRUE": ContentCapture(on_spans=True),
    "FALSE": ContentCapture(),
}


def _capture(text: str) -> ContentCapture:
    if text.upper() not in _CAPTURES:
        raise ValueError("one of NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT")
    return _CAPTURES[text.upper()]


REDACTED = ("key", "token", "email", "phone", "card")
"""Kinds of what can be taken out of what is told."""


def _kinds(text: str) -> tuple[str, ...]:
    names = _names(text.lower())
    if names == ("none",):
        return ()
    if not set(names) <= set(REDACTED):
        raise ValueError(f"a comma-separated choice of {', '.join(REDACTED)}, or none")
    return names


def _size(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("a number of characters, 1 or more")
    return int(text)


def setting(
    variable: str,
    *,
    default: Value,
    parse: Callable[[str], Value],
    help: str,  # noqa: A002 - argparse's word
    secret: bool = False,
) -> Value:
    """Declare a setting. `parse` raises a ValueError that says what is accepted; of a secret nothing is told."""
    metadata = {"variable": variable, "parse": parse, "help": help, "secret": secret}
    declared: Value = field(default=default, metadata=metadata, repr=not secret)
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What AGENTOPS_* variables say, and the OTEL_* ones that instrumentations read: the SDK reads the others."""

    semconv: tuple[str, ...] = setting(
        "AGENTOPS_SEMCONV",
        default=("gen_ai", "llm"),
        parse=_names,
        help="Attribute vocabularies to write, of {vocabularies}, and those of installed packages. By default "
        "OpenTelemetry's names and our own.",
    )
    model_providers: tuple[tuple[str, str], ...] = setting(
        "AGENTOPS_MODEL_PROVIDERS",
        default=(),
        parse=_pairs,
        help="Which provider models are of, by the beginning of their name, where LiteLLM does not know: "
        "`acme-=openai,our-claude=anthropic`, before a table of our own.",
    )
    api_key: str | None = setting(
        "AGENTOPS_API_KEY",
        default=None,
        parse=str,
        help="The key of an AgentOps project, a UUID. The exporter `agentops` needs it.",
        secret=True,
    )
    api_endpoint: str = setting(
        "AGENTOPS_API_ENDPOINT",
        default="https://api.agentops.ai",
        parse=str,
        help="Where the exporter `agentops` gets its token: the base URL.",
    )
    exporter_endpoint: str = setting(
        "AGENTOPS_EXPORTER_ENDPOINT",
        default="https://otlp.agentops.ai/v1/traces",
        parse=str,
        help="Where the exporter `agentops` sends spans: the full URL.",
    )
    litellm_builtin: bool = setting(
        "AGENTOPS_LITELLM_BUILTIN",
        default=False,
        parse=_switch,
        help="Whether `agentops` among LiteLLM's callbacks is LiteLLM's own, which exports every call once more.",
    )
    content: ContentCapture = setting(  # noqa: RUF009 - it is frozen
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        default=_CAPTURES["NO_CONTENT"],
        parse=_capture,
        help="Whether prompts, answers, tools and the like are told, and where: `NO_CONTENT`, `SPAN_ONLY`, "
        "`EVENT_ONLY` or `SPAN_AND_EVENT`; `true` is `SPAN_ONLY`.",
    )
    emit_event: bool | None = setting(
        "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT",
        default=None,
        parse=_switch,
        help="Whether each call of a model is also told as an event, `gen_ai.client.inference.operation.details`; by "
        "default where what was said is told in events.",
    )
    completion_hook: str | None = setting(
        "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK",
        default=None,
        parse=str,
        help="The entry point (`opentelemetry_genai_completion_hook`) that is given what is said, as it may be told: "
        "`upload` writes it to `OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH`. It needs the extra `upload`.",
    )
    prices: str | None = setting(
        "AGENTOPS_PRICES",
        default=None,
        parse=str,
        help="Your own prices, before LiteLLM's: the path of a JSON file in the shape of LiteLLM's price map.",
    )
    live_prices: bool = setting(
        "AGENTOPS_LIVE_PRICES",
        default=False,
        parse=_switch,
        help="Whether genai-prices, the extra `prices`, keeps the prices of models that LiteLLM does not know fresh: "
        "it fetches them every hour.",
    )

    redact: tuple[str, ...] = setting(
        "AGENTOPS_REDACT",
        default=REDACTED,
        parse=_kinds,
        help="What is taken out of what is told: any of `key`, `token`, `email`, `phone`, `card`, or `none`.",
    )
    redactor: str | None = setting(
        "AGENTOPS_REDACTOR",
        default=None,
        parse=str,
        help="A function of yours that takes a text and gives it redacted, `package.module:function`.",
    )
    metadata_keys: tuple[str, ...] = setting(
        "AGENTOPS_METADATA_KEYS",
        default=(),
        parse=_names,
        help="Names in LiteLLM's `metadata=` (and OpenInference's) whose values are told, as `litellm.metadata.*`: "
        "`tenant,feature`.",
    )
    baggage_keys: tuple[str, ...] = setting(
        "AGENTOPS_BAGGAGE_KEYS",
        default=("session.id", "user.id"),
        parse=_names,
        help="Names in OpenTelemetry's baggage whose values are told: `session.id`, `user.id` and "
        "`gen_ai.conversation.id` as such, others as `litellm.metadata.*`.",
    )
    part_limit: int = setting(
        "AGENTOPS_CONTENT_PART_LIMIT",
        default=32_768,
        parse=_size,
        help="Characters told of a part of a message.",
    )
    call_limit: int = setting(
        "AGENTOPS_CONTENT_CALL_LIMIT",
        default=262_144,
        parse=_size,
        help="Characters told of all that is said in a call; of a conversation that is longer, the end.",
    )

    capture_media: bool = setting(
        "AGENTOPS_CAPTURE_MEDIA",
        default=False,
        parse=_switch,
        help="Whether images, sounds and files that are sent or come as base64 are told as such; else only their kind "
        "and size are.",
    )
    media_limit: int = setting(
        "AGENTOPS_CONTENT_MEDIA_LIMIT",
        default=1_048_576,
        parse=_size,
        help="Characters of base64 told of one of them; of what is longer, none are.",
    )

    @property
    def tells_content(self) -> bool:
        """Whether what is said is told anywhere."""
        return self.content.on_spans or self.tells_in_events or self.completion_hook is not None

    @property
    def tells_in_events(self) -> bool:
        return self.content.in_events and self.emits_event

    @property
    def emits_event(self) -> bool:
        return self.content.in_events if self.emit_event is None else self.emit_event

    stream_usage: bool = setting(
        "AGENTOPS_STREAM_USAGE",
        default=False,
        parse=_switch,
        help="Whether providers are asked to count the tokens of streams where the app did not ask. What it sees of a "
        "stream stays the same; a server that does not know `stream_options` may refuse the request.",
    )
    estimate_usage: bool = setting(
        "AGENTOPS_ESTIMATE_USAGE",
        default=False,
        parse=_switch,
        help="Whether LiteLLM's own estimate is told where a provider counted no tokens: on the span, as "
        "`agentops.usage.estimated.*`, and nowhere else.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read every variable; one that cannot be used is told of, and its default is used."""
        given: dict[str, object] = {}
        for declared in fields(cls):
            variable = declared.metadata["variable"]
            text = environment.get(variable, "").strip()
            if not text:
                continue
            try:
                given[declared.name] = declared.metadata["parse"](text)
            except ValueError as accepted:
                _tell(declared, text, str(accepted))
        return cls(**given)  # type: ignore[arg-type]  # each value came from its own field's parser

    def vocabularies(self, offered: Collection[str]) -> tuple[str, ...]:
        """The names in `semconv`, or its default where they are not all `offered`.

        Asked of whoever has loaded them: reading the settings, which every program does, loads none.
        """
        if self.semconv and set(self.semconv) <= set(offered):
            return self.semconv
        (declared,) = (each for each in fields(self) if each.name == "semconv")
        _tell(declared, ",".join(self.semconv), f"a comma-separated choice of {', '.join(offered)}")
        return Settings().semconv


def _tell(declared: Field[object], text: str, accepted: str) -> None:
    """Log that a variable's value is not usable, once for each variable, and without the value of a secret."""
    variable = declared.metadata["variable"]
    if variable in _told:
        return
    _told.add(variable)
    instead = f"Using {shown(declared.default)}." if shown(declared.default) else "It is ignored."
    if declared.metadata["secret"]:  # what is accepted may quote it: Python's own errors do
        logger.warning("%s is not usable. %s", variable, instead)
    else:
        logger.warning("%s=%r is not usable: it takes %s. %s", variable, text, accepted, instead)


def shown(value: object) -> str:
    """A setting's value as one would write it in its variable: nothing, where it has none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def sdk_is_disabled(environment: Mapping[str, str] = os.environ) -> bool:
    """OpenTelemetry's own switch; any value but `true` leaves it on, as the specification has it."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def wants_newest_conventions(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the conventions of generative AI are to be the newest, by OpenTelemetry's switch, a list."""
    return "gen_ai_latest_experimental" in _names(environment.get("OTEL_SEMCONV_STABILITY_OPT_IN", ""))
