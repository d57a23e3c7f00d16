"""All settings of this package: one field for each variable, with its default, its parser and its help.

`Settings` has all fields, and reads them from the environment. The variables `AGENTOPS_*` are this package's. The
variables `OTEL_*` below are defined by OpenTelemetry for instrumentations. (`sdk/defaults.py` has the defaults that the
distro sets for other variables of OpenTelemetry.)
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import Field, dataclass, fields

from agentops_otel_litellm.records import Limits
from agentops_otel_litellm.settings.backends import BACKENDS, backend_names
from agentops_otel_litellm.settings.config_file import (
    ENABLED,
    INSTRUMENTATION,
    ConfigFile,
    Option,
    configuration_file,
)
from agentops_otel_litellm.settings.destinations import sends_to_agentops
from agentops_otel_litellm.settings.gateways import GatewaySettings
from agentops_otel_litellm.settings.parsing import (
    CAPTURES,
    REDACTED,
    ContentCapture,
    capture,
    inner_calls,
    invalid_value,
    kinds,
    level,
    names,
    number_of,
    pairs,
    servers,
    setting,
    switch,
    url,
    warn_of_invalid_value,
    warn_once,
)


@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """The attributes, usage and prices of calls."""

    semconv: tuple[str, ...] | None = setting(
        "AGENTOPS_SEMCONV",
        default=None,
        parse=names,
        help="The conventions whose attributes are written: {vocabularies}, and those of installed packages. By "
        "default `gen_ai,llm`, and `agentops` if AgentOps is a destination.",
    )
    backend: tuple[str, ...] = setting(
        "AGENTOPS_BACKEND",
        default=(),
        parse=backend_names,
        help="The backends to which traces are sent, with the conventions that each reads: any of "
        f"{', '.join(f'`{name}`' for name in BACKENDS)}. No effect if `OTEL_TRACES_EXPORTER` names other exporters.",
    )
    model_providers: tuple[tuple[str, str], ...] = setting(
        "AGENTOPS_MODEL_PROVIDERS",
        default=(),
        parse=pairs,
        help="Providers of models, by the prefix of their names, for calls that fail before LiteLLM has resolved the "
        "provider: `acme-=openai,our-claude=anthropic`. These prefixes have priority over the built-in ones.",
    )
    stream_usage: bool | None = setting(
        "AGENTOPS_STREAM_USAGE",
        default=None,
        parse=switch,
        help="Whether to request the usage of streams (`stream_options.include_usage`) if the application does not. "
        "The additional chunk is hidden from the application. Default: `true` if AgentOps is a destination, which "
        "displays neither tokens nor cost without it. This is the only change that this package makes to requests. A "
        "server that does not know `stream_options` may reject the request.",
    )
    """The instrumentor passes this to `STREAM_USAGE` in `patching`, which requests the usage and hides the chunk."""
    estimate_usage: bool = setting(
        "AGENTOPS_ESTIMATE_USAGE",
        default=False,
        parse=switch,
        help="Whether to record an estimate of the tokens, by LiteLLM's tokenizers, if the provider counted none, also "
        "of a stream that was not read to its end. It is recorded on the span only, as `agentops.usage.estimated.*`. "
        "Counting takes about 0.2 ms for 1,000 words, when the call ends.",
    )
    prices: str | None = setting(
        "AGENTOPS_PRICES",
        default=None,
        parse=str,
        help="The path of a JSON file with your own prices, in the format of LiteLLM's price map.",
    )
    live_prices: bool = setting(
        "AGENTOPS_LIVE_PRICES",
        default=False,
        parse=switch,
        help="Whether genai-prices (the extra `prices`), which has prices of models that LiteLLM does not know, "
        "downloads its prices every hour.",
    )
    metadata_keys: tuple[str, ...] = setting(
        "AGENTOPS_METADATA_KEYS",
        default=(),
        parse=names,
        help="Keys of LiteLLM's `metadata=` and of OpenInference's `using_metadata` that are recorded as "
        "`litellm.metadata.*`: `tenant,feature`.",
    )
    baggage_keys: tuple[str, ...] = setting(
        "AGENTOPS_BAGGAGE_KEYS",
        default=("session.id", "user.id"),
        parse=names,
        help="Keys of OpenTelemetry's baggage that are recorded: `session.id`, `user.id` and `gen_ai.conversation.id` "
        "under their own names, others as `litellm.metadata.*`.",
    )
    inner_calls: str = setting(
        "AGENTOPS_INNER_CALLS",
        default="internal",
        parse=inner_calls,
        help="How a call is recorded if a span around it represents the same call, such as the span of a framework's "
        "instrumentation: `internal` (a span of the kind INTERNAL, without tokens) or `none` (no span).",
    )
    litellm_builtin: bool = setting(
        "AGENTOPS_LITELLM_BUILTIN",
        default=False,
        parse=switch,
        help="Whether the name `agentops` in LiteLLM's callbacks means LiteLLM's own callback, which exports every "
        "call a second time. By default it means a callback that does nothing.",
    )


@dataclass(frozen=True, kw_only=True)
class ContentSettings:
    """Whether and where message content is recorded, and how much of it."""

    content: ContentCapture = setting(  # noqa: RUF009 - the default is immutable
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
    def content_limits(self) -> Limits:
        """Maximum numbers of characters of content that are recorded."""
        return Limits(part=self.part_limit, call=self.call_limit, media=self.media_limit if self.capture_media else 0)

    @property
    def records_in_events(self) -> bool:
        """Whether message content is recorded in the event of a call."""
        return self.content.in_events and self.emits_event

    @property
    def emits_event(self) -> bool:
        """Whether a call emits an event; by default only if the event has message content."""
        return self.content.in_events if self.emit_event is None else self.emit_event


@dataclass(frozen=True, kw_only=True)
class AgentOpsSettings:
    """Delivery to AgentOps, and the display of traces there."""

    api_key: str | None = setting(
        "AGENTOPS_API_KEY",
        default=None,
        parse=str,
        help="The API key of an AgentOps project, a UUID. If it is set, traces are sent to AgentOps, unless "
        "`OTEL_TRACES_EXPORTER` is `none`.",
        secret=True,
    )
    api_endpoint: str | None = setting(
        "AGENTOPS_API_ENDPOINT",
        default="https://api.agentops.ai",
        parse=url,
        help="The base URL of AgentOps' API, from which the exporter `agentops` requests tokens.",
        without="Nothing is sent to AgentOps.",
    )
    exporter_endpoint: str | None = setting(
        "AGENTOPS_EXPORTER_ENDPOINT",
        default="https://otlp.agentops.ai/v1/traces",
        parse=url,
        help="The full URL to which the exporter `agentops` sends spans.",
        without="Nothing is sent to AgentOps.",
    )
    app_url: str = setting(
        "AGENTOPS_APP_URL",
        default="https://app.agentops.ai",
        parse=url,
        help="The base URL of AgentOps' web pages, for the replay link of a trace.",
    )
    replay_links: bool | None = setting(
        "AGENTOPS_LOG_SESSION_REPLAY_URL",
        default=None,
        parse=switch,
        help="Whether to print the replay link of each trace on stderr; by default if stderr is a terminal.",
    )
    trace_name: str | None = setting(
        "AGENTOPS_TRACE_NAME",
        default=None,
        parse=str,
        help="The name of traces in AgentOps; by default the name of their first span.",
    )
    auto_start_session: bool = setting(
        "AGENTOPS_AUTO_START_SESSION",
        default=False,
        parse=switch,
        help="Whether a run is one trace: a root span begins with the program or with `init()`, and ends with "
        "`flush()` or with the process. It has the run's name, duration and outcome.",
    )
    default_tags: tuple[str, ...] = setting(
        "AGENTOPS_DEFAULT_TAGS",
        default=(),
        parse=names,
        help="Tags of traces in AgentOps: `nightly,eu`.",
    )
    service_name: str | None = setting(
        "AGENTOPS_SERVICE_NAME",
        default=None,
        parse=str,
        help="The name of the service, if `OTEL_SERVICE_NAME` is not set.",
    )
    environment: str | None = setting(
        "AGENTOPS_ENVIRONMENT",
        default=None,
        parse=str,
        help="The deployment environment, such as `production`: the resource's `deployment.environment.name`.",
    )
    flush_interval: int = setting(
        "AGENTOPS_EXPORT_FLUSH_INTERVAL",
        default=1_000,
        parse=number_of("milliseconds"),
        help="Milliseconds for which finished spans are collected before they are sent to AgentOps.",
    )
    max_queue_size: int = setting(
        "AGENTOPS_MAX_QUEUE_SIZE",
        default=512,
        parse=number_of("spans"),
        help="Maximum number of spans that are queued while AgentOps cannot be reached. If there are more, the oldest "
        "spans are dropped.",
    )
    max_wait_time: int = setting(
        "AGENTOPS_MAX_WAIT_TIME",
        default=5_000,
        parse=number_of("milliseconds"),
        help="Maximum duration of an export to AgentOps, in milliseconds.",
    )
    log_level: str | None = setting(
        "AGENTOPS_LOG_LEVEL",
        default=None,
        parse=level,
        help="The log level of this package: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`. By default the log "
        "level that the application configures.",
    )


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """Delivery before a process ends (`sdk/shutdown.py`)."""

    flush_on_signal: bool = setting(
        "AGENTOPS_FLUSH_ON_SIGNAL",
        default=True,
        parse=switch,
        help="Whether finished telemetry is delivered before SIGTERM or SIGINT ends the process by the signal's "
        "default action. The delivery takes at most `OTEL_EXPORTER_OTLP_TIMEOUT`, or `AGENTOPS_MAX_WAIT_TIME` if that "
        "is longer and AgentOps is a destination. The application's own signal handlers are not changed.",
    )


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings, AgentOpsSettings, ContentSettings, GatewaySettings, CallSettings):
    """All settings of this package."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read all options in the file of OTEL_CONFIG_FILE, and the variables of all other settings. An invalid value
        is replaced by the default, or by `None` for a few settings, and a warning is logged.
        """
        values: dict[str, object] = {}
        file = configuration_file(environment)
        options: Mapping[str, Option] = {} if file is None else file.options
        for declared in fields(cls):
            option = options.get(declared.metadata["option"])
            text = environment.get(declared.metadata["variable"], "").strip() if option is None else option.text.strip()
            # An empty list is a choice, an empty text is none.
            if not text and (option is None or option.form == "value"):
                continue
            try:
                values[declared.name] = parse_setting(declared, text, option)
            except ValueError as accepted:
                place = None if file is None or option is None else file.place(option.line)
                warn_of_invalid_value(declared, text, str(accepted), place)
                if declared.metadata["without"]:
                    values[declared.name] = None
        if file is not None:
            warn_of_unknown_options(file)
        return cls(**values)  # type: ignore[arg-type]  # each value is from its field's parser

    def requests_stream_usage(self, environment: Mapping[str, str] = os.environ) -> bool:
        """Whether the usage of streams is requested: by default if AgentOps is a destination."""
        return sends_to_agentops(environment) if self.stream_usage is None else self.stream_usage

    def vocabularies(self, offered: Collection[str]) -> tuple[str, ...] | None:
        """The names in `semconv`. `None` if it is not set, or if a name is not one of `offered`, the names of all
        conventions, for which a warning is logged.

        This is not checked when the settings are read, because finding the conventions of other packages takes long.
        """
        accepted = None if self.semconv is None else fault_in_choice(self.semconv, offered)
        if self.semconv is None or accepted is None:
            return self.semconv
        (declared,) = (each for each in fields(self) if each.name == "semconv")
        file = configuration_file()
        option = None if file is None else file.options.get(declared.metadata["option"])
        place = None if file is None or option is None else file.place(option.line)
        warn_of_invalid_value(declared, ",".join(self.semconv), accepted, place)
        return None


_FORMS = {names: "list", kinds: "list", servers: "list", backend_names: "list", pairs: "mapping"}
"""Parser → the form that a configuration file must have for it, if that is not a single value."""


def parse_setting(declared: Field[object], text: str, option: Option | None = None) -> object:
    """Parse the value of a variable, or of an option in a file. Raises a ValueError that describes accepted values."""
    parse = declared.metadata["parse"]
    expected, found = _FORMS.get(parse), "value" if option is None else option.form
    if found not in {"value", expected}:
        raise ValueError(f"a {expected} of single values without commas" if expected else "a single value")
    return parse(text)


def unknown_options(file: ConfigFile) -> Iterator[tuple[str, int, str]]:
    """The names and lines of options of this package that are not settings, and the name of the most similar setting,
    which is empty if no name is similar.
    """
    known = {each.metadata["option"] for each in fields(Settings)}
    for name, option in file.options.items():
        if name not in known:
            from difflib import get_close_matches  # imported here, because few files have unknown options

            meant = get_close_matches(name, [*sorted(known), ENABLED], n=1, cutoff=0.65)
            yield name, option.line, next(iter(meant), "")


def warn_of_unknown_options(file: ConfigFile) -> None:
    """Log each option of this package that is not a setting, and an invalid `enabled`, once."""
    lines = [
        f"{name!r} ({file.place(line)}) is not an option of {INSTRUMENTATION}, so it is ignored."
        f"{f' Did you mean {meant}?' if meant else ''}"
        for name, line, meant in unknown_options(file)
    ]
    lines += [
        f"{invalid_value(f'{name} ({file.place(option.line)})', '', 'expected true or false')} Using true."
        for name, option in file.invalid_switches
    ]
    for line in lines:
        warn_once(line, line)


def fault_in_choice(chosen: Collection[str], offered: Collection[str]) -> str | None:
    """Check a choice. `None` if it is valid; if it is empty, or has a value that is not one of `offered`, a description
    of the accepted values.
    """
    if chosen and set(chosen) <= set(offered):
        return None
    return f"a comma-separated choice of {', '.join(offered)}"


def sdk_is_disabled(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OTEL_SDK_DISABLED is `true`. By the specification, the SDK is enabled for any other value."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def set_log_level(environment: Mapping[str, str] = os.environ) -> None:
    """Set the log level of this package, if the user has chosen one."""
    may_be_set = environment.get("AGENTOPS_LOG_LEVEL") or environment.get("OTEL_CONFIG_FILE")
    level = Settings.from_environment(environment).log_level if may_be_set else None
    if level is not None:
        logging.getLogger("agentops_otel_litellm").setLevel(level)


def wants_newest_conventions(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OTEL_SEMCONV_STABILITY_OPT_IN, a list, selects OpenTelemetry's newest GenAI conventions."""
    return "gen_ai_latest_experimental" in names(environment.get("OTEL_SEMCONV_STABILITY_OPT_IN", ""))
