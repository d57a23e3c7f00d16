"""An MCP server on stdin and stdout, whose tools, arguments and results have the word `canary`."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer

server = MCPServer("calculator")


@server.tool()
def add(first: int, second: int) -> str:
    return f"canary-result {first + second}"


@server.tool()
def fail(text: str) -> str:
    raise ValueError(f"canary-failure {text}")


if __name__ == "__main__":
    server.run(transport="stdio")
