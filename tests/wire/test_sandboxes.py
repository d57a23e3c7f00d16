"""Code run in sandboxes, held against what the sandbox received and put out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import litellm
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import CALL_ID
from support.expected import target_attributes
from support.recorder import Attributes, Recorder
from support.servers.wire import Reply, WireProvider, events

sandbox = pytest.importorskip("litellm.sandbox.main", reason="this LiteLLM has no sandboxes")

SECRET = "confidential"
CODE = f"print('{SECRET}')"
OUTPUT = f"{SECRET}\n"
WARNING = f"Warning: {SECRET}!"
PRINTED = (
    {"type": "stdout", "text": OUTPUT},
    {"type": "stderr", "text": WARNING},
    {"type": "result", "results": {"text/plain": SECRET}},
    {"type": "result", "results": {"text/plain": SECRET}},
)
RAISED = {"type": "error", "error": {"ename": SECRET, "evalue": SECRET, "traceback": [SECRET]}}
# What the sandbox sends → what the span says of it.
RUNS: dict[str, tuple[tuple[object, ...], Attributes]] = {
    "well": (
        PRINTED,
        {
            "llm.response.content_length": len(OUTPUT),
            "llm.response.error_length": len(WARNING),
            "llm.response.results_count": 2,
            "llm.response.code_failed": False,
        },
    ),
    "with an error": (
        (RAISED,),
        {
            "llm.response.content_length": 0,
            "llm.response.error_length": 0,
            "llm.response.results_count": 0,
            "llm.response.code_failed": True,
        },
    ),
}


@pytest.fixture
def reached(wire: WireProvider) -> dict[str, Any]:
    """How a server of sandboxes is reached."""
    wire.reply("/sandboxes", Reply(body={"id": "sbx-1", "status": {"state": "Running"}}))
    wire.reply("/endpoints/44772", Reply(body={"endpoint": f"{wire.url}/in"}))
    wire.reply("/sandboxes/sbx-1", Reply(status=204, body=b""))
    return {"provider": "opensandbox", "api_key": "sk-test", "api_base": wire.url, "litellm_call_id": CALL_ID}


def run(function: Callable[..., Awaitable[Any]], **parameters: object) -> Any:  # noqa: ANN401 - LiteLLM's
    async def scenario() -> object:
        return await function(**parameters)

    return asyncio.run(scenario())


def identity(function: str, wire: WireProvider) -> Attributes:
    return target_attributes(function, "opensandbox", wire, call_type=f"a{function}")


@pytest.mark.parametrize("case", RUNS)
def test_code_that_is_run_is_measured(
    wire: WireProvider, reached: dict[str, Any], telemetry: Recorder, case: str
) -> None:
    """Of code and what it puts out the lengths are told, and whether it failed, which is no failure of the call's."""
    sent, told = RUNS[case]
    wire.reply("/code", Reply(pieces=events(*sent)))
    result = run(litellm.arun_code, container="sbx-1", code=CODE, **reached)
    assert type(result) is sandbox.CodeExecutionResult
    (span,) = telemetry.spans()
    assert (span.name, span.kind, span.status.status_code) == ("run_code", SpanKind.CLIENT, StatusCode.UNSET)
    assert telemetry.attributes() == {
        **identity("run_code", wire),
        "llm.request.resource_id": "sbx-1",
        "llm.request.content_length": len(CODE),
        **told,
    }
    assert SECRET not in telemetry.everything()


def test_a_sandbox_is_told_of_from_its_beginning_to_its_end(
    wire: WireProvider, reached: dict[str, Any], telemetry: Recorder
) -> None:
    """A sandbox has its id; the app may give it to the next function by that or as it came."""
    made = run(litellm.acreate_sandbox, **reached)
    assert telemetry.attributes() == {
        **identity("create_sandbox", wire),
        "gen_ai.response.id": "sbx-1",
        "llm.response.id": "sbx-1",
    }
    telemetry.forget()
    assert run(litellm.adelete_sandbox, container=made, **reached) is True
    assert telemetry.attributes() == {
        **identity("delete_sandbox", wire),
        "llm.request.resource_id": "sbx-1",
        "llm.response.deleted": True,
    }


def test_a_sandbox_for_once_is_one_call(wire: WireProvider, reached: dict[str, Any], telemetry: Recorder) -> None:
    """A tool that makes a sandbox, runs code in it and takes it down is one call with what came of the code."""
    wire.reply("/code", Reply(pieces=events(*PRINTED)))
    run(litellm.acode_interpreter_tool, code=CODE, **reached)
    assert [exchange.method for exchange in wire.ledger] == ["POST", "GET", "POST", "DELETE"]
    (span,) = telemetry.spans()
    assert span.name == "code_interpreter_tool"
    assert telemetry.attributes() == {
        **identity("code_interpreter_tool", wire),
        "llm.request.content_length": len(CODE),
        **RUNS["well"][1],
    }
    assert SECRET not in telemetry.everything()


def test_a_sandbox_that_is_refused(wire: WireProvider, telemetry: Recorder) -> None:
    """Where there is no sandbox the call has failed."""
    wire.reply("/sandboxes", Reply(status=429, body={"message": SECRET}))
    with pytest.raises(Exception, match="429"):
        run(litellm.acreate_sandbox, provider="opensandbox", api_key="sk-test", api_base=wire.url)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert (attributes["llm.error.status_code"], attributes["llm.error.category"]) == (429, "rate_limit")
    assert SECRET not in telemetry.everything()
