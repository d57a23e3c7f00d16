"""Files for LiteLLM's proxy: its configuration, keys, guardrails, and an MCP server on loopback.

The proxy runs without a database. Its keys are those of `custom_auth`, and LiteLLM itself checks when they expire,
which models they may use, and their rate limits.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from support.launching import LAUNCHER, environment

CONFIGURATION = """\
model_list:
  - model_name: fast
    litellm_params: {{model: openai/gpt-4o, api_key: sk-canary-provider, api_base: "{provider}", max_retries: 0}}
  - model_name: reserved
    litellm_params: {{model: openai/gpt-4.1, api_key: sk-canary-provider, api_base: "{provider}", max_retries: 0}}
router_settings: {{num_retries: 0, disable_cooldowns: true}}
general_settings:
  master_key: sk-canary-master
  custom_auth: proxy_keys.authenticate
  custom_auth_run_common_checks: true
  pass_through_endpoints:
    - path: /passed
      target: "{provider}/chat/completions"
      auth: true
      headers: {{authorization: Bearer sk-canary-passed}}
litellm_settings:
  enable_post_custom_auth_checks: true
  cache: true
  cache_params: {cache}
guardrails:
  - guardrail_name: words
    litellm_params:
      guardrail: litellm_content_filter
      mode: pre_call
      blocked_words: [{{keyword: canary-forbidden, action: BLOCK}}, {{keyword: canary-masked, action: MASK}}]
  - guardrail_name: during
    litellm_params: {{guardrail: guardrails.Plain, mode: during_call}}
  - guardrail_name: after
    litellm_params: {{guardrail: guardrails.Masking, mode: post_call}}
mcp_servers:
  calculator: {{url: "http://127.0.0.1:{mcp}/mcp", transport: http, allow_all_keys: true}}
prompts:
  - prompt_id: greeting
    litellm_params:
      prompt_id: greeting
      prompt_integration: dotprompt
      dotprompt_content: |
        ---
        model: fast
        ---
        User: canary-template {{{{name}}}}
"""

KEYS = """\
from litellm.proxy._types import ProxyErrorTypes, ProxyException, UserAPIKeyAuth

KEYS = {
    "sk-canary-first": {
        "team_id": "first",
        "models": ["fast"],
        "metadata": {"allowed_passthrough_routes": ["/passed"]},
    },
    "sk-canary-second": {"team_id": "second", "rpm_limit": 1},
    "sk-canary-expired": {"team_id": "first", "expires": "2020-01-01T00:00:00Z"},
    "sk-canary-poor": {"team_id": "second", "spend": 2.0, "max_budget": 1.0},
}


async def authenticate(request, api_key):
    if api_key == "sk-canary-spent":
        import litellm

        raise litellm.BudgetExceededError(current_cost=2.0, max_budget=1.0)
    if api_key not in KEYS:
        message = f"Unknown key {api_key}"
        raise ProxyException(message=message, type=ProxyErrorTypes.token_not_found_in_db, param="key", code=401)
    return UserAPIKeyAuth(api_key=api_key, **KEYS[api_key])
"""

MCP_SERVER = """\
import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("calculator")


@server.tool()
def add(first: int, second: int) -> int:
    return first + second


@server.tool()
def fail(text: str) -> str:
    raise ValueError(f"canary-failure {text}")


server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def write_files(folder: Path, provider: str, mcp: int, redis: int | None) -> None:
    """Write everything that the proxy reads into a folder."""
    cache = "{type: local}" if redis is None else f"{{type: redis, host: 127.0.0.1, port: {redis}}}"
    (folder / "config.yaml").write_text(CONFIGURATION.format(provider=provider, mcp=mcp, cache=cache))
    (folder / "proxy_keys.py").write_text(KEYS)
    (folder / "mcp_server.py").write_text(MCP_SERVER)
    shutil.copy(Path(__file__).with_name("guardrails.py"), folder / "guardrails.py")


@contextmanager
def running(command: list[str], port: int, folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Run a server until the end of the block. It must accept connections within two minutes."""
    with (folder / f"{port}.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env={**environment(), **variables}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for(port, server)
            yield
        finally:
            server.terminate()
            server.wait(timeout=60)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server has ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("the server does not accept connections")


@contextmanager
def running_proxy(folder: Path, provider: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Run the proxy under the launcher, an MCP server, and Redis if it is installed. The value is the proxy's URL."""
    port, mcp = free_port(), free_port()
    redis_server, redis = shutil.which("redis-server"), free_port()
    write_files(folder, provider, mcp, None if redis_server is None else redis)
    command = [str(LAUNCHER), str(LAUNCHER.with_name("litellm")), "-c", "config.yaml", "--host", "127.0.0.1", "--port"]
    command.append(str(port))
    settings = {"PYTHONPATH": str(folder), **variables}
    with running([sys.executable, "mcp_server.py", str(mcp)], mcp, folder, {}):
        if redis_server is None:
            with running(command, port, folder, settings):
                wait_until_ready(port)
                yield f"http://127.0.0.1:{port}"
            return
        keep = ["--save", "", "--dir", os.fspath(folder), "--bind", "127.0.0.1", "--port", str(redis)]
        with running([redis_server, *keep], redis, folder, {}), running(command, port, folder, settings):
            wait_until_ready(port)
            yield f"http://127.0.0.1:{port}"


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while not is_ready(port):
        if time.monotonic() > deadline:
            raise TimeoutError("the proxy does not respond")
        time.sleep(0.2)


def is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5):
            return True
    except (URLError, OSError):
        return False
