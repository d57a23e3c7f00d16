"""Chooses this package's distro, unless the user has chosen one. `opentelemetry-instrument` imports this module first.

If several distros are installed, OpenTelemetry loads the first one that it finds on disk. The distro of the package
`opentelemetry-distro` selects OTLP over gRPC, which is not installed with this package, so nothing would be traced.

Values that the SDK cannot use are removed here as well, so that the application does not log them a second time. The
mark of the first process is removed, because the launcher starts a new application, which logs start-up lines of its
own even if a traced application runs the launcher.
"""

import os

from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.settings.parsing import FIRST_PROCESS
from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables

VARIABLE = "OTEL_PYTHON_DISTRO"

os.environ.pop(FIRST_PROCESS, None)
drop_unusable_variables(os.environ)
os.environ[VARIABLE] = os.environ.get(VARIABLE) or DEFAULTS[VARIABLE].values[0]
