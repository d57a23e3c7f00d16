"""Removes invalid values of OpenTelemetry's variables from the environment, when this module is imported.

OpenTelemetry reads some variables on import, and raises if a value is invalid. So the modules of this package that
applications import first, import this module before OpenTelemetry. A function call between imports would be an error of
style in each of them.
"""

import os

from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables

drop_unusable_variables(os.environ)
