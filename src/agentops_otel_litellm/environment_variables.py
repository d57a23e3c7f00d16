"""Loaded by `opentelemetry-instrument` before the app starts: chooses our distro where the user has not.

With several distros installed OpenTelemetry takes the first that it finds on disk. The `opentelemetry-distro`
package then asks for gRPC, which is not installed with this package, and nothing would be traced.
"""

import os

os.environ.setdefault("OTEL_PYTHON_DISTRO", "agentops")
