"""The distro's defaults: what each environment of a user's becomes."""

from __future__ import annotations

import subprocess
import sys

from support.destinations import ALL, WITH_KEY
from support.launching import environment

ALL += [(given, {"AGENTOPS_API_KEY": "a-key"}, expected) for given, expected in WITH_KEY]


def test_they_cost_the_launcher_nothing() -> None:
    """The module that chooses our distro before the app starts loads no SDK, and leaves the user's choice alone."""
    code = (
        "import os, sys, agentops_otel_litellm.sdk.distro_choice\n"
        "print(os.environ['OTEL_PYTHON_DISTRO'], 'opentelemetry.sdk' in sys.modules)"
    )
    for given, chosen in (
        ({}, "agentops"),
        ({"OTEL_PYTHON_DISTRO": ""}, "agentops"),
        ({"OTEL_PYTHON_DISTRO": "distro"}, "distro"),
    ):
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(**given))
        assert ran.stdout == f"{chosen} False\n"
