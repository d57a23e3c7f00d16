"""The console exporter, driven by the real SDK: whole texts, as a reader would see them."""

from __future__ import annotations

import subprocess
import sys

from agentops_otel_litellm.exporters.console import HINT
from support.console_environment import plain_environment  # noqa: F401 - a fixture


def test_import_is_cheap() -> None:
    """Neither the import nor the hint, which every process pays for, loads rich."""
    program = """if True:
        import sys
        from agentops_otel_litellm.exporters.console import ConsoleSpanExporter
        exporter = ConsoleSpanExporter()
        exporter.export([])
        exporter.shutdown()
        print([name for name in sys.modules if name.split(".")[0] == "rich"])
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("[]\n", f"{HINT}\n")


def test_first_call_at_exit() -> None:
    """A program shorter than the batch delay has its calls printed as it exits."""
    program = """if True:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind
        from agentops_otel_litellm.exporters.console import ConsoleSpanExporter
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
        provider.get_tracer("agentops_otel_litellm").start_span("chat", kind=SpanKind.CLIENT).end()
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [line[:6].rstrip() for line in ran.stderr.removeprefix(HINT).splitlines()[1:]] == [
        "call",
        "chat",
        "",
        "1 call",
    ]
