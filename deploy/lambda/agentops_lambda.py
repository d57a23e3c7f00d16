"""The handler of a traced AWS Lambda function: calls the function's own handler, and delivers its telemetry.

Lambda freezes the process as soon as the handler has returned, so everything is exported before. The wrapper script
`agentops-handler` names the function's own handler in ORIG_HANDLER.
"""

import os
from importlib import import_module

from agentops_otel_litellm import flush, init

TIMEOUT = float(os.environ.get("AGENTOPS_LAMBDA_FLUSH_TIMEOUT", "3"))
"""Maximum seconds for which the export delays the response of an invocation."""

init()

_module, _, _name = os.environ["ORIG_HANDLER"].rpartition(".")
_handler = getattr(import_module(_module.replace("/", ".")), _name)


def handler(event, context):
    try:
        return _handler(event, context)
    finally:
        flush(timeout=TIMEOUT)
