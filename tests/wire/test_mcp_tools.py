"""Tools of an MCP server, which an application calls with LiteLLM's functions: a span for each request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

pytest.importorskip("mcp.server.mcpserver", reason="this release of the package `mcp` has other servers")
client = pytest.importorskip("litellm.mcp_client", reason="this LiteLLM's client of MCP is another package")

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from support import mcp_server
from support.recorder import Recorder, attributes_of

SERVER = StdioServerParameters(command=sys.executable, args=[str(Path(str(mcp_server.__file__)))])


def in_session(use: Callable[[ClientSession], Awaitable[Any]]) -> Any:  # noqa: ANN401 - the result of `use`
    """Run a function with a session of the MCP server."""

    async def scenario() -> Any:  # noqa: ANN401
        async with stdio_client(SERVER) as streams, ClientSession(*streams) as session:
            await session.initialize()
            return await use(session)

    return asyncio.run(scenario())


def tool_call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_list_of_tools(telemetry: Recorder) -> None:
    tools = in_session(lambda session: client.load_mcp_tools(session, format="openai"))
    assert [tool["function"]["name"] for tool in tools] == ["add", "fail"]
    (span,) = (span for span in telemetry.spans() if span.name == "tools/list")
    assert span.kind is SpanKind.CLIENT
    assert attributes_of(span) == {"mcp.method.name": "tools/list", "litellm.mcp.tools_count": 2}


def test_a_call_of_a_tool(telemetry: Recorder) -> None:
    """Neither the arguments nor the result are recorded."""
    call = tool_call("add", '{"first": 1, "second": 2}')
    result = in_session(lambda session: client.call_openai_tool(session, call))
    assert "canary-result 3" in str(result)
    (span,) = (span for span in telemetry.spans() if span.name == "tools/call add")
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert attributes_of(span) == {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "add",
        "litellm.tool.is_error": False,
    }
    assert "canary" not in telemetry.everything()


def test_a_tool_that_returns_an_error(telemetry: Recorder) -> None:
    call = tool_call("fail", '{"text": "canary-argument"}')
    result = in_session(lambda session: client.call_openai_tool(session, call))
    assert "Error executing tool" in str(result)
    (span,) = (span for span in telemetry.spans() if span.name == "tools/call fail")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == "tool_error"
    assert attributes_of(span)["litellm.tool.is_error"] is True
    assert "canary" not in telemetry.everything()
