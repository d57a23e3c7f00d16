"""The backends that `AGENTOPS_BACKEND` names: one row for each, from its documentation about OTLP.

The launcher imports this module before the application starts, so it imports neither the SDK nor conventions.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from agentops_otel_litellm.settings.config_file import configuration_file
from agentops_otel_litellm.settings.parsing import masked, names

Environment = Mapping[str, str]

VARIABLE = "AGENTOPS_BACKEND"
_PLACE = re.compile(r"{(\w+)}")
"""A variable in a URL or header of a row, such as `{DD_SITE}`."""
_GEN_AI, _OLDER = ("gen_ai", "llm"), ("gen_ai", "gen_ai_older", "llm")


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A backend. `{NAME}` in a URL or header is replaced by the value of that variable."""

    title: str
    url: str = ""
    """The base URL, if no variable in `url_variables` is set; empty if there is no default."""
    url_variables: Sequence[str] = ()
    """The backend's own variables for the base URL, in the order in which they are read."""
    path: str = "/v1/traces"
    headers: Mapping[str, str] = field(default_factory=dict)
    """HTTP header → its value. `Basic {USER}:{PASSWORD}` is encoded. A header is left out if a variable is unset."""
    required: Sequence[str] = ()
    """Variables without which nothing is sent."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Variable of `url` or `headers` → its default."""
    conventions: Sequence[str] = _GEN_AI
    lost: Sequence[str] = ()
    """What the backend does not show, although the span has it; or shows by its own calculation."""
    read_back: str = ""
    """The path below the base URL at which a trace can be read, `{trace}` being its id; empty if that is unknown."""

    @property
    def variables(self) -> list[str]:
        """The variables in the URL and the headers."""
        return [name for text in (self.url, self.path, *self.headers.values()) for name in _PLACE.findall(text)]


BACKENDS: Mapping[str, Backend] = {
    # Sent by its own exporter, which `exporters/agentops.py` has.
    "agentops": Backend(title="AgentOps", required=("AGENTOPS_API_KEY",), conventions=("gen_ai", "llm", "agentops")),
    "langfuse": Backend(
        title="Langfuse",
        url="https://cloud.langfuse.com",
        url_variables=("LANGFUSE_BASE_URL", "LANGFUSE_HOST"),
        path="/api/public/otel/v1/traces",
        headers={"Authorization": "Basic {LANGFUSE_PUBLIC_KEY}:{LANGFUSE_SECRET_KEY}"},
        required=("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"),
        conventions=("gen_ai", "langfuse", "llm"),
    ),
    "phoenix": Backend(
        title="Arize Phoenix",
        url="http://localhost:6006",
        url_variables=("PHOENIX_COLLECTOR_ENDPOINT",),
        headers={"Authorization": "Bearer {PHOENIX_API_KEY}"},
        conventions=("openinference", "llm"),
        lost=("the time to the first token, which is only an attribute there",),
    ),
    "mlflow": Backend(
        title="MLflow",
        url="http://localhost:5000",
        url_variables=("MLFLOW_TRACKING_URI",),
        headers={
            "x-mlflow-experiment-id": "{MLFLOW_EXPERIMENT_ID}",
            "Authorization": "Bearer {MLFLOW_TRACKING_TOKEN}",
        },
        defaults={"MLFLOW_EXPERIMENT_ID": "0"},
        conventions=("gen_ai", "openinference", "llm"),
        lost=(
            "LiteLLM's cost: MLflow calculates its own from the tokens",
            "the time to the first token, which is only an attribute there",
        ),
        read_back="/api/3.0/mlflow/traces/get?trace_id=tr-{trace}",
    ),
    "datadog": Backend(
        title="Datadog LLM Observability",
        url="https://otlp.{DD_SITE}",
        headers={"dd-api-key": "{DD_API_KEY}", "dd-otlp-source": "llmobs"},
        required=("DD_API_KEY",),
        defaults={"DD_SITE": "datadoghq.com"},
        lost=("perhaps LiteLLM's cost: Datadog does not publish how it reads spans",),
    ),
    "langsmith": Backend(
        title="LangSmith",
        url="https://api.smith.langchain.com",
        url_variables=("LANGSMITH_ENDPOINT",),
        path="/otel/v1/traces",
        headers={"x-api-key": "{LANGSMITH_API_KEY}", "Langsmith-Project": "{LANGSMITH_PROJECT}"},
        required=("LANGSMITH_API_KEY",),
        lost=("perhaps LiteLLM's cost: LangSmith does not publish how it reads spans",),
    ),
    "braintrust": Backend(
        title="Braintrust",
        url="https://api.braintrust.dev",
        url_variables=("BRAINTRUST_API_URL",),
        path="/otel/v1/traces",
        headers={"Authorization": "Bearer {BRAINTRUST_API_KEY}", "x-bt-parent": "{BRAINTRUST_PARENT}"},
        required=("BRAINTRUST_API_KEY", "BRAINTRUST_PARENT"),
        lost=("perhaps LiteLLM's cost: Braintrust does not publish how it reads spans",),
    ),
    "posthog": Backend(
        title="PostHog",
        url="https://us.i.posthog.com",
        url_variables=("POSTHOG_HOST",),
        path="/i/v0/ai/otel",
        headers={"Authorization": "Bearer {POSTHOG_API_KEY}"},
        required=("POSTHOG_API_KEY",),
        conventions=("gen_ai", "posthog", "llm"),
    ),
    "honeycomb": Backend(
        title="Honeycomb",
        url="https://api.honeycomb.io",
        url_variables=("HONEYCOMB_API_ENDPOINT",),
        headers={"x-honeycomb-team": "{HONEYCOMB_API_KEY}"},
        required=("HONEYCOMB_API_KEY",),
    ),
    "signoz": Backend(
        title="SigNoz",
        url="http://localhost:4318",
        url_variables=("SIGNOZ_INGESTION_ENDPOINT",),
        headers={"signoz-ingestion-key": "{SIGNOZ_INGESTION_KEY}"},
        conventions=_OLDER,
    ),
    "openobserve": Backend(
        title="OpenObserve",
        url="http://localhost:5080",
        url_variables=("OPENOBSERVE_URL",),
        path="/api/{OPENOBSERVE_ORG}/v1/traces",
        headers={"Authorization": "{OPENOBSERVE_AUTH_TOKEN}"},
        required=("OPENOBSERVE_AUTH_TOKEN",),
        defaults={"OPENOBSERVE_ORG": "default"},
        conventions=_OLDER,
    ),
    "logfire": Backend(
        title="Pydantic Logfire",
        url="https://logfire-us.pydantic.dev",
        url_variables=("LOGFIRE_BASE_URL",),
        headers={"Authorization": "{LOGFIRE_TOKEN}"},
        required=("LOGFIRE_TOKEN",),
    ),
    "newrelic": Backend(
        title="New Relic",
        url="https://otlp.nr-data.net",
        url_variables=("NEW_RELIC_OTLP_ENDPOINT",),
        headers={"api-key": "{NEW_RELIC_LICENSE_KEY}"},
        required=("NEW_RELIC_LICENSE_KEY",),
    ),
    "grafana": Backend(
        title="Grafana Cloud",
        url_variables=("GRAFANA_CLOUD_OTLP_ENDPOINT",),
        headers={"Authorization": "Basic {GRAFANA_CLOUD_INSTANCE_ID}:{GRAFANA_CLOUD_API_KEY}"},
        required=("GRAFANA_CLOUD_INSTANCE_ID", "GRAFANA_CLOUD_API_KEY"),
    ),
    # Sent by OpenTelemetry's exporter, which the variables OTEL_EXPORTER_OTLP_* configure.
    "otlp": Backend(title="any backend that accepts OTLP"),
}
WITH_OWN_EXPORTER = frozenset({"agentops", "otlp"})
"""Backends to which a different exporter sends, which is named like the backend."""


def backend_names(text: str) -> tuple[str, ...]:
    """Parse a comma-separated choice of `BACKENDS`, in any case. The names are returned in the order of the table.

    Raises a ValueError, whose text describes the accepted values.
    """
    chosen = names(text.lower())
    if not set(chosen) <= BACKENDS.keys():
        raise ValueError(f"a comma-separated choice of {', '.join(BACKENDS)}")
    return tuple(name for name in BACKENDS if name in chosen)


def chosen_backends(environment: Environment) -> tuple[str, ...]:
    """The names of the backends in `AGENTOPS_BACKEND`, or in the option of the file in OTEL_CONFIG_FILE; empty if it is
    unset or invalid.
    """
    file = configuration_file(environment)
    option = None if file is None else file.options.get("backend")
    text = environment.get(VARIABLE) if option is None else option.text
    if not text:
        return ()
    try:
        return backend_names(text)
    except ValueError:
        return ()


class Target(NamedTuple):
    """Where spans for a backend are sent: the full URL, and HTTP headers, which contain keys."""

    url: str
    headers: Mapping[str, str]


class Fault(NamedTuple):
    """A variable because of which nothing is sent to a backend, with a message and advice."""

    variable: str
    text: str
    advice: str


def target_of(name: str, environment: Environment) -> Target | Fault:
    """Where spans for the backend are sent, or why they cannot be sent. Not for `WITH_OWN_EXPORTER`."""
    backend = BACKENDS[name]
    known = {each: _value(each, environment) for each in backend.variables}
    values = {**backend.defaults, **{variable: value for variable, value in known.items() if value}}
    missing = [each for each in backend.required if each not in values]
    if missing:
        return Fault(
            missing[0],
            f"{VARIABLE} names {name}, but {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set: "
            f"nothing is sent to {backend.title}.",
            f"Set {' and '.join(missing)}, or remove {name} from {VARIABLE}.",
        )
    variable = next((each for each in backend.url_variables if _value(each, environment)), None)
    base = backend.url if variable is None else _value(variable, environment)
    if not base:
        first = backend.url_variables[0]
        text = f"{VARIABLE} names {name}, but {first} is not set: nothing is sent to {backend.title}."
        return Fault(first, text, f"Set {first} to the URL that {backend.title} displays, or remove {name}.")
    base = _PLACE.sub(lambda place: values[place[1]], base) if variable is None else base
    path = _PLACE.sub(lambda place: values[place[1]], backend.path)
    if not _is_url(base):
        wrong = variable or VARIABLE
        text = f"{wrong}={masked(wrong, base)!r} is no URL that begins with http:// or https://: nothing is sent to"
        return Fault(wrong, f"{text} {backend.title}.", f"Correct {wrong}, or remove {name} from {VARIABLE}.")
    base = base.rstrip("/")
    headers = {header: _header(value, values) for header, value in backend.headers.items()}
    url = base if base.endswith(path) else base + path
    return Target(url, {header: value for header, value in headers.items() if value is not None})


def faults(environment: Environment) -> Iterator[Fault]:
    """Why nothing can be sent to some of the chosen backends."""
    for name in chosen_backends(environment):
        found = None if name in WITH_OWN_EXPORTER else target_of(name, environment)
        if isinstance(found, Fault):
            yield found


def _value(variable: str, environment: Environment) -> str:
    return environment.get(variable, "").strip()


def _header(template: str, values: Mapping[str, str]) -> str | None:
    """The value of a header; `None` if a variable in it is unset."""
    if not set(_PLACE.findall(template)) <= values.keys():
        return None
    value = _PLACE.sub(lambda place: values[place[1]], template)
    if template.startswith("Basic "):
        return f"Basic {b64encode(value.removeprefix('Basic ').encode()).decode()}"
    return value


def _is_url(text: str) -> bool:
    try:
        split = urlsplit(text)
        return split.scheme in {"http", "https"} and bool(split.hostname) and split.port != 0
    except ValueError:
        return False
