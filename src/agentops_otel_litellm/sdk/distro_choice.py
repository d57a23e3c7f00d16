"""Chooses this package's distro, unless the user has chosen one. `opentelemetry-instrument` imports this module first.

If several distros are installed, OpenTelemetry loads the first one that it finds on disk. That could be the one of the
package `opentelemetry-distro`, which selects OTLP over gRPC. The exporter for gRPC is not installed with this package,
so nothing would be exported.

This module also removes values that the SDK cannot use, so that the launcher logs them, and the application does not
log them again. And it removes the variable `FIRST_PROCESS`: the launcher starts a new application, which must log its
own start-up warnings, even if a traced application has run the launcher.
"""

import os

from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.settings.parsing import FIRST_PROCESS
from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables

VARIABLE = "OTEL_PYTHON_DISTRO"

os.environ.pop(FIRST_PROCESS, None)
drop_unusable_variables(os.environ)
os.environ[VARIABLE] = os.environ.get(VARIABLE) or DEFAULTS[VARIABLE].values[0]
