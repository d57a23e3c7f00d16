"""What docs/security.md says about connections, files and the process, observed by Python's audit events."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from support.launching import run
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver

# The audit hook is installed before this package and LiteLLM are imported. It stops each look-up of a name, so that
# nothing leaves this machine.
PROGRAM = """
import json, os, socket, sys

reached, opened, written = set(), set(), set()
STDLIB, OURS = os.path.dirname(os.__file__), os.sep + "agentops_otel_litellm" + os.sep


def opener():
    # The file of the first frame outside the standard library; none while a module is imported.
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return ""
        if not file.startswith("<") and (not file.startswith(STDLIB) or "site-packages" in file):
            return file
        frame = frame.f_back
    return ""


def audit(event, arguments):
    if event == "socket.getaddrinfo":
        host, port = arguments[:2]
        host = host.decode() if isinstance(host, bytes) else host
        if host not in ("127.0.0.1", "localhost"):
            reached.add(host)
            raise socket.gaierror("stopped by the test")
    elif event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] in ("127.0.0.1", "::1"):
        reached.add(arguments[1][1])
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        reached.add(arguments[1][0])
        raise OSError("stopped by the test")
    elif event == "open" and isinstance(arguments[0], str) and OURS in opener():
        opened.add(arguments[0])
        if set(arguments[1] or "") & set("wax+"):
            written.add(arguments[0])


sys.addaudithook(audit)
from agentops_otel_litellm import flush, init

init()
import litellm

message = [{"role": "user", "content": "Hi"}]
litellm.completion("openai/gpt-4o", message, api_base=os.environ["PROVIDER"], api_key="sk-a")
if os.environ.get("WAIT_FOR"):
    import time

    end = time.monotonic() + 30
    while os.environ["WAIT_FOR"] not in reached and time.monotonic() < end:
        time.sleep(0.05)
flush()
from opentelemetry import trace

resource = list(getattr(trace.get_tracer_provider(), "resource").attributes)
observed = {"reached": sorted(map(str, reached)), "opened": sorted(opened - set(sys.path)), "written": sorted(written)}
print(json.dumps({**observed, "resource": resource}))
"""
NO_PROXY = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "")


def port(url: str) -> str:
    return url.split("/")[2].rpartition(":")[2]


def observe(provider: OpenAIProvider, **variables: str) -> dict[str, list[str]]:
    """Make one call. Returns the hosts and the local ports that the process has contacted besides the provider, the
    files that this package has opened and written, and the attributes of the resource.
    """
    ran = run(sys.executable, "-c", PROGRAM, PROVIDER=provider.base_url, **NO_PROXY, **variables)
    assert ran.returncode == 0, ran.stderr
    observed: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert port(provider.base_url) in observed["reached"]
    observed["reached"].remove(port(provider.base_url))
    return observed


def test_without_a_destination_only_the_provider_is_contacted(provider: OpenAIProvider) -> None:
    assert observe(provider)["reached"] == []


def test_with_an_endpoint_only_that_is_contacted_as_well(provider: OpenAIProvider) -> None:
    with OTLPReceiver() as receiver:
        observed = observe(provider, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert observed["reached"] == [port(receiver.url)]
        assert len(receiver.spans) == 1


def test_with_a_key_of_agentops_its_token_server_is_contacted_first(provider: OpenAIProvider) -> None:
    """No spans are sent without a token."""
    observed = observe(provider, AGENTOPS_API_KEY=AgentOpsPlatform.KEY)
    assert observed["reached"] == ["api.agentops.ai"]


def test_with_a_token_spans_are_sent_to_the_exporter_endpoint(provider: OpenAIProvider) -> None:
    with AgentOpsPlatform() as platform:
        without_export = {**platform.environment, "AGENTOPS_EXPORTER_ENDPOINT": ""}
        observed = observe(provider, **without_export)
    assert observed["reached"] == sorted([port(platform.url), "otlp.agentops.ai"])


def test_with_live_prices_their_host_is_contacted(provider: OpenAIProvider) -> None:
    host = "raw.githubusercontent.com"
    observed = observe(provider, AGENTOPS_LIVE_PRICES="true", WAIT_FOR=host)
    assert observed["reached"] == [host]


def test_only_the_files_of_settings_are_read(provider: OpenAIProvider, tmp_path: Path) -> None:
    """Besides the metadata of installed packages. A file `.env` in the current directory is not read."""
    prices = tmp_path / "prices.json"
    prices.write_text('{"gpt-4o": {"input_cost_per_token": 1, "output_cost_per_token": 1}}', "utf-8")
    observed = observe(provider, AGENTOPS_PRICES=str(prices))
    opened = observed["opened"]
    assert str(prices) in opened
    others = {os.path.basename(path) for path in opened if path != str(prices)}  # noqa: PTH119 - any system's path
    assert others <= {"METADATA", "entry_points.txt", "RECORD"}
    assert observed["written"] == []


def test_the_resource_has_nothing_of_the_machine(provider: OpenAIProvider) -> None:
    """Neither its name, nor the command line, nor the user."""
    telemetry = {f"telemetry.sdk.{name}" for name in ("language", "name", "version")}
    telemetry |= {"telemetry.distro.name", "telemetry.distro.version", "telemetry.auto.version"}
    resource = set(observe(provider, AGENTOPS_ENVIRONMENT="test")["resource"])
    assert resource - {"service.instance.id"} == {"service.name", "deployment.environment.name", *telemetry}
