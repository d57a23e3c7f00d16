"""Requirements of some tests: packages and configuration files."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

import pytest

from agentops_otel_litellm.settings.config_file import is_configured_by_file


def is_installed(*modules: str) -> bool:
    try:
        return all(importlib.util.find_spec(module) is not None for module in modules)
    except ModuleNotFoundError:
        return False


FILE = "OTEL_CONFIG_FILE"


GRPC = "OTLP over gRPC needs a package that is not installed."


HAS_GRPC = is_installed("opentelemetry.exporter.otlp.proto.grpc")


def needs_files(variables: Iterable[str]) -> None:
    """Skip tests of a configuration file if the SDK does not support it."""
    if FILE in variables and not is_configured_by_file({FILE: "a.yaml"}):
        pytest.skip("this release of OpenTelemetry's SDK reads no file")


def needs_no_grpc(lines: Iterable[str]) -> None:
    """Skip tests of warnings about a missing gRPC package if it is installed."""
    if HAS_GRPC and any(line.startswith(GRPC) for line in lines):
        pytest.skip("OTLP over gRPC is installed")
