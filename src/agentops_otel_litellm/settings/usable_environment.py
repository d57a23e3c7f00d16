"""Importing this module removes invalid values of OpenTelemetry's variables from the environment.

OpenTelemetry reads some variables on import, and raises an exception if a value is invalid. So a module of this package
that an application may import first imports this module before OpenTelemetry. (It is a module rather than a function,
because linters reject a function call between imports.)
"""

import os

from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables

drop_unusable_variables(os.environ)
