"""Draws `console.svg`: the console output of `examples/quickstart.py`. Run it when either has changed."""

import io
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from rich.console import Console

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.exporters.console import ConsoleSpanExporter

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"

console = Console(file=io.StringIO(), record=True, width=118)
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(console=console)))
LiteLLMInstrumentor().instrument(tracer_provider=provider)

sys.path.insert(0, str(EXAMPLES))
with redirect_stdout(io.StringIO()):
    runpy.run_path(str(EXAMPLES / "quickstart.py"))
provider.shutdown()

console.save_svg(str(HERE / "console.svg"), title="opentelemetry-instrument python examples/quickstart.py")
