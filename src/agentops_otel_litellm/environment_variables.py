"""Loaded by `opentelemetry-instrument` before the app starts: chooses our distro where the user has not.

With several distros installed OpenTelemetry takes the first that it finds on disk. The `opentelemetry-distro`
package then asks for gRPC, which is not installed with this package, and nothing would be traced.

What OpenTelemetry's SDK cannot use is dropped before the application starts, which then does not log it again. What
the launcher starts is an application of its own, also if another one that is traced starts the launcher.
"""

import os

from agentops_otel_litellm.processes import FIRST_PROCESS
from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.sdk.sdk_variables import drop_unusable_variables

VARIABLE = "OTEL_PYTHON_DISTRO"

os.environ.pop(FIRST_PROCESS, None)
drop_unusable_variables(os.environ)
os.environ[VARIABLE] = os.environ.get(VARIABLE) or DEFAULTS[VARIABLE].values[0]
