"""AgentOps' copies of spans. The exporter's thread makes them, so they cost the application's threads nothing.

AgentOps' pages read names of their own. So the copy of a span, of any library, has AgentOps' names for its kind,
tokens, cost, model, content, tool and agent. The span has them by the names of OpenTelemetry's conventions,
OpenInference or OpenLLMetry. `semconv/agentops.py` has the names that this package writes on the spans themselves.

The rules are those of AgentOps' published collector, API and web pages (the repository AgentOps-AI/agentops).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from math import isfinite
from typing import Any, Protocol

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import Attributes

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.semconv.agentops import (
    CONTENT_ATTRIBUTES,
    CONTENT_SOURCES,
    KIND,
    completions,
    prompts,
    read_content,
    read_messages,
)
from agentops_otel_litellm.semconv.convention import UNLIMITED
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.version import SCOPE

TAGS = "agentops.tags"
NOT_ANSWERED = "Failed, and the Router made another call: "
"""The beginning of the displayed completion of a failed call of the Router, if another one has succeeded."""
_OK = Status(StatusCode.OK)
_MAX_ERROR_LENGTH = 300


class ErrorTexts(Protocol):
    """The provider's error texts, by span."""

    def pop(self, span: SpanContext | None) -> str | None: ...


class SpanCopy(ReadableSpan):
    """A copy of a finished span, with a different name, status and attributes."""

    def __init__(self, span: ReadableSpan, *, name: str, status: Status, attributes: Attributes) -> None:
        super().__init__(
            name=name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes,
            events=span.events,
            links=span.links,
            kind=span.kind,
            status=status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        self._dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)

    @property
    def dropped_attributes(self) -> int:
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        return self._dropped[2]


class SpanCopies:
    """Copies spans for AgentOps, according to the settings."""

    def __init__(self, settings: Settings, error_texts: ErrorTexts | None = None) -> None:
        """`error_texts` returns the provider's error text of a span."""
        self._tags = settings.default_tags
        self._trace_name = settings.trace_name
        self._error_texts = error_texts

    def copy(self, span: ReadableSpan, *, is_answered: bool = False) -> ReadableSpan:
        """Return a copy of a span with AgentOps' names, tags and status. The first span of a trace in this process gets
        the trace's name. If a span cannot be copied, it is returned itself.

        `is_answered` is whether the span is a failed call of the Router, and another one has succeeded.
        """
        with guard("copying a span for AgentOps"):
            return self._copy(span, is_answered=is_answered)
        return span

    def _copy(self, span: ReadableSpan, *, is_answered: bool) -> ReadableSpan:
        is_first = span.parent is None or span.parent.is_remote
        name = (self._trace_name if is_first else None) or span.name
        kind, attributes = _kind_and_attributes(span)
        tags = _with_tags(attributes.get(TAGS), self._tags)
        if tags:
            attributes[TAGS] = tags
        else:
            attributes.pop(TAGS, None)
        error = None if self._error_texts is None else self._error_texts.pop(span.context)
        status = _status(span, attributes, error)
        if is_answered:
            _add_completion(attributes, f"{NOT_ANSWERED}{status.description}")
            status = Status(StatusCode.UNSET)
        return SpanCopy(span, name=_with_suffix(name, kind), status=status, attributes=attributes)

    @staticmethod
    def is_routed_failure(span: ReadableSpan) -> bool:
        """Whether a span is a failed call that LiteLLM's Router made to a deployment."""
        attributes = span.attributes or {}
        is_of_a_deployment = _OPERATION in attributes and "litellm.model_id" in attributes
        has_failed = span.status.status_code is StatusCode.ERROR
        return (
            has_failed
            and is_of_a_deployment
            and _is_ours(span)
            and span.parent is not None
            and not span.parent.is_remote
        )

    @staticmethod
    def is_successful_route(span: ReadableSpan) -> bool:
        """Whether a span is a call of the Router that has succeeded. It has no operation, because it is around the
        calls of deployments.
        """
        return (
            span.status.status_code is not StatusCode.ERROR
            and _is_ours(span)
            and _OPERATION not in (span.attributes or {})
        )


def _is_ours(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE


def _kind_and_attributes(span: ReadableSpan) -> tuple[str, dict[str, Any]]:
    """The kind and the translated attributes of a span. If the translation fails, all attributes are unchanged."""
    attributes = dict(span.attributes or {})
    with guard("translating a span for AgentOps"):
        return translate(attributes, is_ours=_is_ours(span), is_remote=span.kind is SpanKind.CLIENT)
    kind = str(attributes.get(KIND) or "operation")
    return kind, {**attributes, KIND: kind}


# --- name, status, tags -----------------------------------------------------------------------------------

_OWN_RULES = ("adk.", "ag2.", "agno.")
"""Beginnings of names for which AgentOps' pages have rules of their own."""


def _with_suffix(name: str, kind: str) -> str:
    """The name with the span's kind as its suffix: `chat gpt-4.1.llm`. AgentOps' pages cut every name at its last dot,
    and take what follows for the kind.
    """
    if not isinstance(name, str):  # the application's mistake: the SDK cannot encode the span, and the exporter logs it
        return name  # type: ignore[unreachable]
    return name if name.startswith(_OWN_RULES) or name.endswith(f".{kind}") else f"{name}.{kind}"


def _status(span: ReadableSpan, attributes: Mapping[str, Any], error: str | None) -> Status:
    """The status. UNSET becomes OK, because AgentOps' pages display it as indeterminate. An error has a message: the
    pages display nothing else of it. The message ends with the provider's text, if content is recorded.
    """
    status = span.status
    if status.status_code is StatusCode.UNSET:
        return _OK
    if status.status_code is not StatusCode.ERROR:
        return status
    message = status.description or str(attributes.get("error.type") or "") or "Error"
    return Status(StatusCode.ERROR, _uncut(f"{message}: {_shortened(error)}" if error else message))


def _shortened(text: str) -> str:
    """The text in one line, and cut to a length that the page of a span can display."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_ERROR_LENGTH else f"{line[:_MAX_ERROR_LENGTH]}…"


def _uncut(text: str) -> str:
    """The text, with a dot at its end if there is a dot in it: AgentOps' timeline cuts a text at its last dot."""
    return f"{text}." if "." in text and not text.endswith(".") else text


def _with_tags(own: object, default: Sequence[str]) -> list[str]:
    """The span's own tags and the default tags. They are on every span: AgentOps' list of traces has those of the
    earliest span, and its page of a trace those of any span.
    """
    tags = own if isinstance(own, tuple | list) else ()
    return list(dict.fromkeys([*map(str, tags), *default]))


# --- translation of attributes ----------------------------------------------------------------------------

_OPERATION = "gen_ai.operation.name"
_KINDS_OF_OPERATIONS = {
    **dict.fromkeys(("chat", "text_completion", "generate_content", "embeddings"), "llm"),
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "invoke_workflow": "workflow",
    "plan": "task",
}
"""Operation of OpenTelemetry's conventions → AgentOps' kind of the span. All others have the kind `operation`."""
_KINDS_OF_OTHERS = {
    "openinference.span.kind": {"llm": "llm", "embedding": "llm", "tool": "tool", "agent": "agent"},
    "traceloop.span.kind": {"tool": "tool", "agent": "agent", "workflow": "workflow", "task": "task"},
}
"""Attribute of another convention → its value, in lower case → AgentOps' kind of the span."""
_SIGNS_OF_A_MODEL = ("gen_ai.request.model", "gen_ai.response.model", "gen_ai.system", "gen_ai.provider.name")

_COUNTS = {
    "gen_ai.usage.prompt_tokens": ("gen_ai.usage.input_tokens", "llm.token_count.prompt"),
    "gen_ai.usage.completion_tokens": ("gen_ai.usage.output_tokens", "llm.token_count.completion"),
    "gen_ai.usage.total_tokens": ("llm.usage.total_tokens", "llm.token_count.total"),
    "gen_ai.usage.cache_read_input_tokens": ("gen_ai.usage.cache_read.input_tokens",),
    "gen_ai.usage.reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
}
"""Attribute that AgentOps reads → the names of other conventions for the same fact. The same for the tables below."""
_INPUT, _OUTPUT, _TOTAL, _CACHE_READ, _REASONING = _COUNTS
_PROMPT_COST, _COMPLETION_COST, _TOTAL_COST = (f"gen_ai.usage.{of}_cost" for of in ("prompt", "completion", "total"))
_COSTS = {
    _PROMPT_COST: ("agentops.cost.input",),
    _COMPLETION_COST: ("agentops.cost.output",),
    _TOTAL_COST: ("gen_ai.usage.cost.amount",),
}
_REQUEST_MODEL, _RESPONSE_MODEL = "gen_ai.request.model", "gen_ai.response.model"
_MODEL = {
    "gen_ai.system": ("gen_ai.provider.name", "llm.system"),
    _REQUEST_MODEL: ("llm.model_name",),
}
_TOOL = {
    "tool.name": ("gen_ai.tool.name", "traceloop.entity.name"),
    "tool.parameters": ("gen_ai.tool.call.arguments", "input.value", "traceloop.entity.input"),
    "tool.result": ("gen_ai.tool.call.result", "output.value", "traceloop.entity.output"),
}
_AGENT = {
    "agent.name": ("gen_ai.agent.name", "traceloop.entity.name"),
    "agent.id": ("gen_ai.agent.id",),
    "agent.models": (_REQUEST_MODEL, "llm.model_name"),
    "agent.input": ("input.value", "traceloop.entity.input"),
}
_BY_KIND: Mapping[str, Mapping[str, Sequence[str]]] = {"tool": _TOOL, "agent": _AGENT}


def translate(attributes: Mapping[str, Any], *, is_ours: bool, is_remote: bool) -> tuple[str, dict[str, Any]]:
    """Translate the attributes of any span to AgentOps' names. Return the kind of the span, and the attributes.

    `is_ours` is whether this package has created the span. `is_remote` is whether the span is a request to a server
    (the kind CLIENT): the tokens of an agent in this process are on the spans of its calls, those of a remote agent are
    on its own span.
    """
    kind = _kind_of(attributes, is_ours=is_ours)
    translated = {**attributes, KIND: kind}
    if attributes.get(KIND) == kind and not is_ours and kind != "llm":
        return kind, _with_whole_counts(translated)  # the application has set the attributes for AgentOps
    for name, others in _BY_KIND.get(kind, {}).items():
        value = _first(attributes, (name, *others))
        if value is not None:
            translated[name] = _joined(value)
    is_remote_agent = kind == "agent" and is_remote
    if kind == "agent":
        text = _latest_text(attributes)
        if text:
            translated.setdefault("agent.input", text)
    if kind == "llm" or is_remote_agent:
        _translate_model_call(translated)
        return kind, _with_whole_counts(translated)
    # AgentOps would count such a span as a call of a model, and its tokens a second time.
    return kind, {name: value for name, value in translated.items() if not name.startswith("gen_ai.")}


def _kind_of(attributes: Mapping[str, Any], *, is_ours: bool) -> str:
    stated, operation = attributes.get(KIND), attributes.get(_OPERATION)
    if is_ours and operation == "moderation":  # free, but AgentOps displays the content of model calls only
        return "llm"
    if isinstance(stated, str) and stated:
        return stated
    if isinstance(operation, str):
        return _KINDS_OF_OPERATIONS.get(operation, "operation")
    for name, kinds in _KINDS_OF_OTHERS.items():
        if name in attributes:
            return kinds.get(str(attributes[name]).lower(), "operation")
    return "llm" if any(name in attributes for name in _SIGNS_OF_A_MODEL) else "operation"


def _translate_model_call(translated: dict[str, Any]) -> None:
    for name, others in {**_MODEL, **_COUNTS}.items():
        value = _first(translated, (name, *others))
        if value is not None:
            translated[name] = value
    if _TOTAL not in translated:
        known = [_whole(translated.get(name)) for name in (_INPUT, _OUTPUT)]
        if None not in known:
            translated[_TOTAL] = sum(filter(None, known))
        else:  # AgentOps would add these to the other counts, which include them
            translated.pop(_CACHE_READ, None)
            translated.pop(_REASONING, None)
    _translate_cost(translated)
    _number_content(translated)
    _add_texts_of_calls(translated)


def _translate_cost(translated: dict[str, Any]) -> None:
    """Make prompt and completion cost add up to the total cost, because AgentOps' total for a project is their sum. If
    the total has no split, it becomes the completion cost.

    The collector replaces both by its list prices if it knows the response's model. So if the cost is known, that model
    is recorded as the requested one, which the pages display, and there is no response's model.
    """
    if translated.get("gen_ai.usage.cost.currency", "USD") != "USD":
        return
    prompt, completion, total = (_amount(_first(translated, (name, *others))) for name, others in _COSTS.items())
    if total is None:
        return
    if prompt is None:
        prompt = 0.0 if completion is None else total - completion
    prompt = min(max(prompt, 0.0), total)
    translated |= {_PROMPT_COST: prompt, _COMPLETION_COST: total - prompt, _TOTAL_COST: total}
    model = translated.pop(_RESPONSE_MODEL, None)
    if model:
        translated[_REQUEST_MODEL] = model


def _first(attributes: Mapping[str, object], names: Iterable[str]) -> object:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _joined(value: object) -> object:
    """A text or a number unchanged; a structure, which the SDK may allow as an attribute, as JSON."""
    return value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False, default=str)


def _amount(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or value < 0:
        return None
    return float(value)


def _whole(value: object) -> int | None:
    """A count as an integer; `None` if it is not a whole number, which AgentOps' API cannot read."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    amount = _amount(value)
    if amount is None or not amount.is_integer():
        return None
    return value if isinstance(value, int) else int(amount)


def _with_whole_counts(attributes: dict[str, Any]) -> dict[str, Any]:
    """Make the counts that AgentOps reads integers, and remove counts and costs that it cannot read: for a single one,
    its page for the whole trace fails.
    """
    for names, convert in ((_COUNTS, _whole), (_COSTS, _amount)):
        for name in names:
            if name in attributes:
                known = convert(attributes.pop(name))
                if known is not None:
                    attributes[name] = known
    return attributes


# --- content ----------------------------------------------------------------------------------------------


def _number_content(translated: dict[str, Any]) -> None:
    """Add the content as numbered prompts and completions, and remove the attributes that have it, so that AgentOps
    receives it once.
    """
    content = read_content(translated)
    for prefix, write in (("gen_ai.prompt", prompts), ("gen_ai.completion", completions)):
        if f"{prefix}.0.content" not in translated:
            translated |= {f"{prefix}.{name}": value for name, value in write(content, UNLIMITED).items()}
    if translated.get(_OPERATION) == "moderation" and "gen_ai.prompt.0.content" in translated:
        _add_completion(translated, _judgement(translated))
    for name in CONTENT_ATTRIBUTES:
        translated.pop(name, None)


def _judgement(attributes: Mapping[str, Any]) -> str | None:
    """The result of a moderation as text: `flagged: hate, violence`."""
    flagged, categories = attributes.get("llm.response.flagged"), attributes.get("llm.response.flagged_categories")
    if flagged is None:
        return None
    return f"flagged: {', '.join(map(str, categories or ()))}".rstrip(": ") if flagged else "not flagged"


def _add_completion(translated: dict[str, Any], text: str | None) -> None:
    if text is not None:
        translated.setdefault("gen_ai.completion.0.content", text)
        translated.setdefault("gen_ai.completion.0.role", "assistant")


def _add_texts_of_calls(translated: dict[str, Any]) -> None:
    """Add the tool calls as text to each completion that has no other content: without it, the timeline displays the
    first prompt, usually the system's.
    """
    for number in count():
        prefix = f"gen_ai.completion.{number}"
        if not any(f"{prefix}.{name}" in translated for name in ("content", "role", "tool_calls.0.name")):
            return
        if not translated.get(f"{prefix}.content"):
            text = "\n".join(_calls(translated, prefix))
            if text:
                translated[f"{prefix}.content"] = _uncut(text)


def _calls(attributes: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """The tool calls of a completion as text: `get_weather({"city": "Oslo"})`."""
    for number in count():
        name = attributes.get(f"{prefix}.tool_calls.{number}.name")
        if name is None:
            return
        arguments = attributes.get(f"{prefix}.tool_calls.{number}.arguments") or ""
        try:
            text = json.dumps(json.loads(arguments), ensure_ascii=False)
        except (TypeError, ValueError):
            text = str(arguments)
        yield f"{name}({text})"


def _latest_text(attributes: Mapping[str, Any]) -> str | None:
    """The text of the latest message of the user, as AgentOps displays the input of an agent."""
    for message in reversed(read_messages(attributes.get(CONTENT_SOURCES["input"]))):
        if message.role == "user":
            return "\n\n".join(part.content for part in message.parts if part.content) or None
    return None
