"""The table in docs/errors.md: each row is what a server sends, and what the span of the call says."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from typing import Any, cast

import litellm
import pytest

from support.recorder import Recorder
from support.servers.wire import Reply, WireProvider, events

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
Row = tuple[str, str, str, str, str, str]
ROWS: list[Row] = [
    cast("Row", cells)
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| ")
    and not line.startswith("| what")
    and len(cells := tuple(cell.strip() for cell in line.strip("|").split("|"))) == 6
]
MODELS = {"openai": "openai/gpt-4o-mini", "anthropic": "anthropic/claude-3-5-haiku-latest", "-": "nosuchprovider/x"}
PATHS = {"openai": "/chat/completions", "anthropic": "/messages", "openai (Responses)": "/responses", "-": "/none"}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}],
}
ANTHROPIC_START = (
    {
        "type": "message_start",
        "message": {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
)
FAILED = {
    "id": "r",
    "object": "response",
    "created_at": 1,
    "model": "gpt-4o-mini",
    "status": "failed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
}


def named_code(what: str) -> str | int | None:
    """The code or type in the first column: `code `429`` → 429."""
    found = re.search(r"(?:code|type) `([^`]+)`", what)
    if found is None:
        return None
    return int(found[1]) if found[1].isdecimal() else found[1].replace(" ", "_")


def error_body(what: str, provider: str, status: int | None) -> dict[str, object]:
    code = named_code(what)
    if provider == "anthropic":
        kind = code or ANTHROPIC_TYPES.get(status or 0, "api_error")
        return {"type": "error", "error": {"type": kind, "message": "No."}}
    return {"error": {"message": "No.", "type": "some_error", "param": None, "code": code}}


def stream_of(what: str, provider: str) -> Reply:
    first: tuple[object, ...] = ANTHROPIC_START if provider == "anthropic" else (CHUNK,)
    if what == "connection closed":
        return Reply(pieces=events(*first, first[-1], names=provider == "anthropic"), cut_after=len(first))
    return Reply(pieces=events(*first, error_body(what, provider, None), names=provider == "anthropic"))


def reply_of(what: str, provider: str, where: str) -> Reply:
    """The reply of the server in a row."""
    if where == "stream":
        return stream_of(what, provider)
    if what.startswith("HTTP 200, status"):
        return Reply(body={**FAILED, "error": {"code": named_code(what), "message": "No."}})
    if what.startswith("HTTP 200"):
        return Reply(body=b"hello" if "JSON" in what else {"unexpected": True})
    if what.startswith("HTTP"):
        status = int(what[5:8])
        return Reply(status=status, body=error_body(what, provider, status))
    return Reply(pieces=[b"{"], cut_after=0) if what == "connection closed" else Reply(first_delay=1)


def parameters_of(what: str, provider: str, url: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {"api_base": url, "api_key": "sk-test", "max_retries": 0}
    if what == "no connection":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            parameters["api_base"] = f"http://127.0.0.1:{free.getsockname()[1]}"
    elif what == "no response in time":
        parameters["timeout"] = 0.2
    elif "JSON" in what and what.startswith("none"):
        parameters["extra_body" if provider == "openai" else "metadata_of_request"] = {"a": {1}}
    elif "parameter" in what:
        parameters["logit_bias"] = {"1": 1}
    return parameters


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("row", ROWS, ids=[f"{what}-{provider}-{where}" for what, provider, where, *_ in ROWS])
def test_a_row_of_the_table(wire: WireProvider, telemetry: Recorder, row: Row, style: str) -> None:
    what, provider, where, category, status, retryable = row
    wire.reply(PATHS[provider], reply_of(what, provider, where))
    parameters = parameters_of(what, provider, wire.url)
    failed = "Responses" in provider
    if failed:
        call = litellm.responses if style == "sync" else litellm.aresponses
        parameters |= {"model": "openai/gpt-4o-mini", "input": "a"}
    else:
        call = litellm.completion if style == "sync" else litellm.acompletion
        parameters |= {"model": MODELS[provider], "messages": [{"role": "user", "content": "hi"}]}
    if where == "stream":
        parameters["stream"] = True

    async def scenario() -> None:
        result = cast("Any", call)(**parameters)
        if style == "async":
            result = await result
            if where == "stream":
                assert [each async for each in result]
        elif where == "stream":
            assert list(result)

    if failed:
        asyncio.run(scenario())
    else:
        with pytest.raises(Exception):  # noqa: B017, PT011 - any of LiteLLM's
            asyncio.run(scenario())
    attributes = telemetry.attributes()
    found = (
        attributes.get("llm.error.category"),
        attributes.get("llm.error.status_code"),
        attributes.get("llm.error.retryable"),
    )
    assert found == (category.strip("`"), None if status == "-" else int(status), retryable == "yes")
    if what.startswith("none"):
        assert not wire.was_called


def test_every_category_is_in_the_table_or_below() -> None:
    page = PAGE.read_text("utf-8")
    for category in ("auth", "cancelled", "connection", "content_filter", "context_length", "invalid_request"):
        assert f"`{category}`" in page
    assert len(ROWS) > 60
