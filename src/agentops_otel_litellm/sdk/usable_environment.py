"""Removes invalid values of OpenTelemetry's variables from the environment. This module is imported before
OpenTelemetry, which reads some variables on import, and raises if a value is invalid.
"""

import os

from agentops_otel_litellm.sdk.sdk_variables import drop_unusable_variables

drop_unusable_variables(os.environ)
