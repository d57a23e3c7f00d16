"""OpenTelemetry for LiteLLM: traces, metrics and costs of every call, without a change to the application.

Importing this package imports neither litellm nor the OpenTelemetry SDK, because each public name is imported only when
it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from agentops_otel_litellm.version import __version__

if TYPE_CHECKING:
    from agentops_otel_litellm.call import (
        App,
        Attempt,
        Attempts,
        Call,
        Cost,
        Estimate,
        Failure,
        Request,
        Response,
        Routing,
        Saved,
        Stream,
        Target,
        Timing,
        Usage,
    )
    from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
    from agentops_otel_litellm.records import Content, Document, Message, Part, Tool
    from agentops_otel_litellm.response_headers import ResponseHeaders
    from agentops_otel_litellm.sdk.application import flush, init
    from agentops_otel_litellm.semconv import VOCABULARIES
    from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary, always

__all__ = [
    "VOCABULARIES",
    "App",
    "Attempt",
    "Attempts",
    "Call",
    "Content",
    "Cost",
    "Document",
    "Estimate",
    "Failure",
    "LiteLLMInstrumentor",
    "Message",
    "Part",
    "Request",
    "Response",
    "ResponseHeaders",
    "Routing",
    "Saved",
    "Several",
    "Stream",
    "Table",
    "Target",
    "Timing",
    "Tool",
    "Usage",
    "Vocabulary",
    "__version__",
    "always",
    "flush",
    "init",
]
_HOMES = ("instrumentor", "sdk.application", "call", "response_headers", "records", "semconv", "semconv.convention")
"""Modules that define the public names."""


def __getattr__(name: str) -> object:
    """Import a public name. Python calls this when a module lacks an attribute."""
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"{__name__}.{home}")
            if name in vars(module):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
