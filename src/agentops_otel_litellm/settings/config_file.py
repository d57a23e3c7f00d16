"""Reads the file in OTEL_CONFIG_FILE, OpenTelemetry's declarative configuration, as far as this package needs it.

The SDK creates the providers from this file. This module reads what the SDK does not: the options of this package,
`enabled` of each instrumentation, and the names of the exporters, each with its line. (`Settings` parses the options.)

The file is read with the parser of the package opentelemetry-configuration, which the SDK also uses. It is imported
only if OTEL_CONFIG_FILE is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from agentops_otel_litellm.settings.parsing import masked, switch

VARIABLE = "OTEL_CONFIG_FILE"
INSTRUMENTATION = "agentops_litellm"
"""The name of this package's instrumentation: its options are in `instrumentation/development: python:` below it."""
ENABLED = "enabled"
"""The option that every instrumentation has."""

Environment = Mapping[str, str]

_BOOL, _INT, _NULL, _STR = (f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "null", "str"))
_PATHS_TO_EXPORTERS: Mapping[str, tuple[str, str, tuple[str, str]]] = {
    "TRACES": ("tracer_provider", "processors", ("batch", "simple")),
    "METRICS": ("meter_provider", "readers", ("periodic", "pull")),
    "LOGS": ("logger_provider", "processors", ("batch", "simple")),
}
"""Signal → where the file names its exporters: the provider, its list, and the kinds of components in that list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """The value of an option, as text in the form of a variable's value, and its line in the file."""

    text: str
    line: int
    form: Literal["value", "list", "mapping", "other"] = "value"
    """What the file has: a single value, a list or a mapping of such values, or something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What this package reads from the file."""

    path: str
    options: Mapping[str, Option] = field(default_factory=dict)
    """Name → option of this package's instrumentation, except `enabled`."""
    enabled: Mapping[str, Option] = field(default_factory=dict)
    """Name of an instrumentation → its option `enabled`, if the file has one."""
    exporters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Signal → the names of its exporters in the file."""

    def disables(self, instrumentation: str) -> bool:
        """Whether `enabled` of an instrumentation is `false`. It is enabled if the value is invalid."""
        option = self.enabled.get(instrumentation)
        return option is not None and option.form == "value" and option.text.lower() == "false"

    def place(self, line: int) -> str:
        """A line of the file, for messages: `otel.yaml, line 12`."""
        return f"{masked(VARIABLE, self.path)}, line {line}"

    @property
    def invalid_switches(self) -> Iterator[tuple[str, Option]]:
        """The option `enabled` of this package, if its value is neither `true` nor `false`."""
        option = self.enabled.get(INSTRUMENTATION)
        if option is not None:
            try:
                switch(option.text if option.form == "value" else "")
            except ValueError:
                yield ENABLED, option


def is_configured_by_file(environment: Environment) -> bool:
    """Whether the file in OTEL_CONFIG_FILE configures the exporters. False for SDKs that do not read this variable."""
    if not environment.get(VARIABLE):
        return False
    from opentelemetry.sdk import environment_variables

    return hasattr(environment_variables, VARIABLE)


def configuration_file(environment: Environment = os.environ) -> ConfigFile | None:
    """Read the file. `None` if no file configures the SDK. If the file cannot be read, which the SDK reports, the
    result has no options and no exporters.

    References `${VARIABLE}` in the file are replaced by the variables of this process, as the SDK does.
    """
    if not is_configured_by_file(environment):
        return None
    path = environment[VARIABLE]
    try:
        state = Path(path).stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except Exception:  # noqa: BLE001 - the SDK reads the same file, and reports each error
        return ConfigFile(path=path)


@lru_cache(maxsize=1)
def _read(path: str, _modified: int, _size: int) -> ConfigFile:
    """Read a file. The result is kept until the file changes, because several parts of this package read settings."""
    reader = _Reader(Path(path).read_text(encoding="utf-8"), is_json=path.lower().endswith(".json"))
    python = reader.find("instrumentation/development", "python")
    instrumentations = {name: reader.entries(node) for name, _, node in reader.items(python)}
    return ConfigFile(
        path=path,
        options={name: option for name, option in instrumentations.get(INSTRUMENTATION, {}).items() if name != ENABLED},
        enabled={name: options[ENABLED] for name, options in instrumentations.items() if ENABLED in options},
        exporters={signal: tuple(reader.exporters(*where)) for signal, where in _PATHS_TO_EXPORTERS.items()},
    )


def configure_by_file(path: str, attributes: Mapping[str, str], fallbacks: Mapping[str, str | None]) -> None:
    """Let the SDK create the providers from a file, with more resource attributes: `attributes`, and those of
    `fallbacks` that have a value here but not in the file. The SDK's own configurator cannot add any.
    """
    from opentelemetry.configuration import configure_sdk, load_config_file
    from opentelemetry.configuration.models import AttributeNameValue, Resource

    config = load_config_file(path)
    resource = config.resource = config.resource or Resource()
    listed = [pair.partition("=")[0].strip() for pair in (resource.attributes_list or "").split(",")]
    named = {*listed, *(each.name for each in resource.attributes or () if each.value is not None)}
    added = {**attributes, **{name: value for name, value in fallbacks.items() if value and name not in named}}
    kept = [each for each in resource.attributes or () if each.name not in added]
    resource.attributes = [*kept, *(AttributeNameValue(name=name, value=value) for name, value in added.items())]
    configure_sdk(config)


def describe_error(error: Exception, environment: Environment = os.environ) -> str | None:
    """Describe why the SDK cannot use the file, with the line if it is known. No value of the file is quoted, because
    it may be a key. `None` if no file is used, or if the error has a different cause.
    """
    file = configuration_file(environment)
    if file is None:
        return None
    if not Path(file.path).is_file():
        return f"{masked(VARIABLE, file.path)} is not a file"
    cause = error.__cause__
    mark = getattr(cause, "problem_mark", None)
    if mark is not None:
        return f"{file.place(mark.line + 1)}, is not valid YAML"
    keys = getattr(cause, "absolute_path", None)
    if keys is None:
        return None
    validator, expected = getattr(cause, "validator", None), getattr(cause, "validator_value", None)
    faults = {"type": f"expected {expected}", "additionalProperties": "unknown key", "required": f"requires {expected}"}
    reader = _Reader(Path(file.path).read_text(encoding="utf-8"), is_json=file.path.lower().endswith(".json"))
    where = " in ".join(part for part in (".".join(map(str, keys)), file.place(reader.line_of(keys))) if part)
    return f"{where}: {faults.get(str(validator), 'does not match the schema')}"


class _Reader:
    """Reads a YAML or JSON text by its nodes, which have lines. (PyYAML reads JSON too, except tabs between values.)"""

    def __init__(self, text: str, *, is_json: bool) -> None:
        import yaml
        from opentelemetry.configuration.file import substitute_env_vars

        self._yaml = yaml
        self._substitute = substitute_env_vars
        self._loader = yaml.SafeLoader(text.replace("\t", " ") if is_json else text)
        self._root = self._loader.get_single_node()

    def items(self, node: Any) -> Iterator[tuple[str, int, Any]]:  # noqa: ANN401 - a node of PyYAML, which is untyped
        """The keys, lines and value nodes of a mapping, with those of merged mappings. Empty for other nodes."""
        if isinstance(node, self._yaml.MappingNode):
            self._loader.flatten_mapping(node)
            for key, value in node.value:
                yield str(key.value), key.start_mark.line + 1, value

    def find(self, *keys: str) -> Any:  # noqa: ANN401 - a node of PyYAML, which is untyped
        """The node below these keys; `None` if there is none."""
        node = self._root
        for key in keys:
            node = {name: value for name, _, value in self.items(node)}.get(key)
        return node

    def line_of(self, keys: Iterable[str | int]) -> int:
        """The line of the last of these keys and indices, or of its parent that exists."""
        node, line = self._root, 1
        for key in keys:
            if isinstance(node, self._yaml.SequenceNode) and isinstance(key, int):
                node = node.value[key]
                line = node.start_mark.line + 1
                continue
            found = {name: (at, value) for name, at, value in self.items(node)}.get(str(key))
            if found is None:
                break
            line, node = found
        return line

    def entries(self, node: Any) -> dict[str, Option]:  # noqa: ANN401 - a node of PyYAML, which is untyped
        """The options in a mapping. A key without a value is left out, as if the file did not have it."""
        options = {name: self._option(value, line) for name, line, value in self.items(node)}
        return {name: option for name, option in options.items() if option is not None}

    def exporters(self, provider: str, components: str, kinds: tuple[str, str]) -> Iterator[str]:
        """The names of the exporters of a provider."""
        listed = self.find(provider, components)
        for component in listed.value if isinstance(listed, self._yaml.SequenceNode) else ():
            for kind, _, settings in self.items(component):
                if kind in kinds:
                    exporter = {name: node for name, _, node in self.items(settings)}.get("exporter")
                    yield from (name for name, _, _ in self.items(exporter))

    def _option(self, node: Any, line: int) -> Option | None:  # noqa: ANN401 - a node of PyYAML, which is untyped
        """The value of an option. A list or mapping is written as in a variable: `a,b` or `a=b,c=d`."""
        if isinstance(node, self._yaml.ScalarNode):
            text = self._scalar(node)
            return None if text is None else Option(text=text, line=line)
        if isinstance(node, self._yaml.SequenceNode):
            items, form = [self._item(item) for item in node.value], "list"
        else:
            form = "mapping"
            items = []
            for name, _, value in self.items(node):
                text = self._item(value)
                items.append(f"{name}={text}" if text and "," not in name and "=" not in name.rstrip("=") else None)
        parts = [item for item in items if item is not None]
        if len(parts) < len(items):  # a nested list, or an item that a variable could not have
            return Option(text=",".join(parts), line=line, form="other")
        return Option(text=",".join(parts), line=line, form="list" if form == "list" else "mapping")

    def _item(self, node: Any) -> str | None:  # noqa: ANN401 - a node of PyYAML, which is untyped
        """An item of a list or mapping; `None` if it is no single value, or has a comma, which separates items."""
        text = self._scalar(node) if isinstance(node, self._yaml.ScalarNode) else None
        return None if text is None or "," in text else text

    def _scalar(self, node: Any) -> str | None:  # noqa: ANN401 - a node of PyYAML, which is untyped
        """A value as text, `true` and `false` for a boolean; `None` for null."""
        tag, text = node.tag, str(node.value)
        if tag == _STR:
            text = self._substitute(text)
            is_reference = node.value.startswith("${") and node.value.find("}") == len(node.value) - 1
            if is_reference and node.style is None:  # then the type is that of the variable's value
                tag = self._loader.resolve(self._yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        if tag == _NULL:
            return None
        scalar = self._yaml.ScalarNode(tag, text)
        if tag == _BOOL:
            return str(self._loader.construct_yaml_bool(scalar)).lower()
        if tag == _INT:
            return str(self._loader.construct_yaml_int(scalar))
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
