"""Requests to MCP servers, and tools that LiteLLM executes, in the proxy and without it.

A tool that LiteLLM executes is a span `execute_tool {name}`, which includes the proxy's own checks. Within it, the
request to the MCP server is a span `tools/call {name}`. A list of tools is a span `tools/list`.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace
from time import time_ns
from typing import Any

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.proxy.traced_work import Arguments, traced_work
from agentops_otel_litellm.readers.values import field, text
from agentops_otel_litellm.work import ToolUse, Work

_LIST, _CALL = "tools/list", "tools/call"
_TOOL_ERROR = "tool_error"


def _start_list(arguments: Arguments) -> Work:
    """A request for the tools of one MCP server."""
    facts = ToolUse(method=_LIST, server=text(field(arguments.get("server"), "name")))
    return Work(kind="mcp", name=_LIST, is_client=True, tool_use=facts, started_at=time_ns())


def _end_list(work: Work, result: object, error: BaseException | None) -> Work:
    tools: Any = field(result, "tools") if not isinstance(result, Sized) else result
    if error is not None or not isinstance(tools, Sized) or work.tool_use is None:
        return work
    return replace(work, tool_use=replace(work.tool_use, count=len(tools)))


def _start_call(arguments: Arguments) -> Work:
    """A request to an MCP server to call a tool. The arguments of the tool are not read."""
    request: Any = arguments.get("call_tool_request_params")
    name = text(field(request, "name"))
    facts = ToolUse(method=_CALL, name=name)
    return Work(
        kind="mcp",
        name=_CALL if name is None else f"{_CALL} {name}",
        is_client=True,
        tool_use=facts,
        started_at=time_ns(),
    )


def _start_execution(arguments: Arguments) -> Work | None:
    """A tool that LiteLLM executes."""
    name = text(arguments.get("name"))
    if name is None:
        return None
    facts = ToolUse(name=name, server=text(arguments.get("server_name")))
    return Work(
        kind="tool", name=f"execute_tool {name}", operation="execute_tool", tool_use=facts, started_at=time_ns()
    )


def _end_call(work: Work, result: object, error: BaseException | None) -> Work:
    """Whether the tool returned an error: its result has a field for that, by MCP. OpenTelemetry's convention for MCP
    calls this error `tool_error`.
    """
    failed: Any = field(result, "isError")
    failed = field(result, "is_error") if failed is None else failed
    if error is not None or not isinstance(failed, bool) or work.tool_use is None:
        return work
    failure = Failure(type=_TOOL_ERROR, ancestry=(), message="The tool has returned an error.") if failed else None
    return replace(work, failure=failure, tool_use=replace(work.tool_use, is_error=failed))


trace_list = traced_work("recording a list of MCP tools", _start_list, _end_list)
trace_call = traced_work("recording a call of an MCP tool", _start_call, _end_call)
trace_execution = traced_work("recording the execution of a tool", _start_execution, _end_call)
