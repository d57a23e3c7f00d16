"""What an outage of AgentOps does to an app: a run of a minute in which it is down for half of it.

    PYTHONPATH=tests python benchmarks/outage.py [seconds]

The runs are at the same time, so that what else the machine does touches all of them. It prints a line for each:
how AgentOps was, calls, spans that came, and how long calls took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support.servers.agentops_platform import DOWN, AgentOpsPlatform, Fault
from support.servers.openai_provider import OpenAIProvider

LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
APP = """
import json, os, sys, time
import litellm
call = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
call |= {"api_base": os.environ["PROVIDER"], "api_key": "sk-a-key"}
for _ in range(20):
    litellm.completion(**call)
print("begun", flush=True)
took, until = [], time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    began = time.perf_counter()
    litellm.completion(**call)
    took.append(time.perf_counter() - began)
    time.sleep(0.08)
print(json.dumps(took), flush=True)
"""
# How AgentOps is in the middle half of a run: as ever, hanging up, saying nothing, or not asked for at all.
RUNS: dict[str, Fault | None] = {
    "not exported": None,
    "up": None,
    "down, hangs up": DOWN,
    "down, silent": Fault(delay=SECONDS),
}


def run(name: str, fault: Fault | None) -> str:
    with AgentOpsPlatform() as platform, OpenAIProvider() as provider:
        platform.token_lifetime = SECONDS / 6
        variables = {**os.environ, **platform.environment, "PROVIDER": provider.base_url}
        variables |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OTEL_SERVICE_NAME": "app"}
        if name == "not exported":
            variables |= {"AGENTOPS_API_KEY": "", "OTEL_TRACES_EXPORTER": "none"}
        command = [str(LAUNCHER), sys.executable, "-c", APP, str(SECONDS)]
        quiet: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with subprocess.Popen(command, env=variables, **quiet) as app:  # noqa: S603 - our own program
            assert app.stdout is not None
            assert app.stdout.readline() == "begun\n"
            timers = [threading.Timer(SECONDS * 0.75, platform.recover)]
            if fault is not None:
                timers.append(threading.Timer(SECONDS * 0.25, platform.fail, [fault]))
            for timer in timers:
                timer.start()
            took = json.loads(app.stdout.readline())
        spans = len(platform.spans), len({span.span_id for span in platform.spans})
    took.sort()
    p50, p99 = (took[int(len(took) * share)] * 1_000 for share in (0.5, 0.99))
    return (
        f"{name:15} {len(took) + 20} calls, {spans[0]} spans ({spans[1]} different), {len(platform.tokens)} tokens; "
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, slowest {took[-1] * 1_000:.1f} ms"
    )


with ThreadPoolExecutor(len(RUNS)) as pool:
    print(*pool.map(run, RUNS, RUNS.values()), sep="\n")
