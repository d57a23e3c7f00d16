"""Loaded by `opentelemetry-instrument` before the app starts: chooses our distro where the user has not.

With several distros installed OpenTelemetry takes the first that it finds on disk. The `opentelemetry-distro`
package then asks for gRPC, which is not installed with this package, and nothing would be traced.
"""

import os

from agentops_otel_litellm.launch.defaults import DEFAULTS

VARIABLE = "OTEL_PYTHON_DISTRO"

os.environ[VARIABLE] = os.environ.get(VARIABLE) or DEFAULTS[VARIABLE].values[0]
