"""Removes unusable values. Imported before OpenTelemetry, which reads some variables on import and raises for such
values.
"""

import os

from agentops_otel_litellm.sdk.sdk_variables import drop_unusable_variables

drop_unusable_variables(os.environ)
