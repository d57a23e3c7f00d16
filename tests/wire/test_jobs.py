"""What providers run or keep for the app, held against what they received and sent."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import litellm
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import CALL_ID, AsyncCaller, Caller, SyncCaller
from support.expected import (
    STREAMED,
    TIMING_ATTRIBUTES,
    cost_attributes,
    response_id_attributes,
    target_attributes,
    without_timings,
)
from support.recorder import Attributes, Recorder, attributes_of
from support.servers import openai_resources
from support.servers.wire import Reply, WireProvider, events

SECRET = "confidential.jsonl"


def asked(**parameters: object) -> Attributes:
    return {f"llm.request.{name}": value for name, value in parameters.items()}


def listed(*entries: object, more: bool = False) -> dict[str, object]:
    return {"object": "list", "data": list(entries), "has_more": more, "first_id": "a", "last_id": "z"}


BATCH = {
    **openai_resources.BATCH,
    "output_file_id": "file-2",
    # What the batch used, whoever asks how it went: no call that asks has used it.
    "usage": {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
BATCH_TOLD = response_id_attributes(
    "batch_1", status="in_progress", requests_count=5, requests_completed=3, requests_failed=2
)
FILE = {**openai_resources.FILE, "filename": SECRET, "status": "processed"}
FILE_TOLD = response_id_attributes("file-1", status="processed", size=12)
TUNING = {**openai_resources.TUNING, "trained_tokens": 77}
TUNING_TOLD: Attributes = {
    **response_id_attributes("ftjob-1", status="queued", trained_tokens=77, model="gpt-4o-mini"),
    "gen_ai.response.model": "gpt-4o-mini",
}
CONTAINER = {"id": "cntr_1", "object": "container", "created_at": 1, "status": "running", "name": SECRET}
CONTAINED = {
    "id": "cfile_1",
    "object": "container.file",
    "container_id": "cntr_1",
    "bytes": 9,
    "created_at": 1,
    "path": f"/mnt/{SECRET}",
    "source": "user",
}
EVALUATION = {
    "id": "eval_1",
    "object": "eval",
    "created_at": 1,
    "name": SECRET,
    "data_source_config": {"type": "custom", "schema": {}},
    "testing_criteria": [],
}
RUN = {
    "id": "run_1",
    "object": "eval.run",
    "eval_id": "eval_1",
    "status": "queued",
    "created_at": 1,
    "data_source": {"type": "completions"},
}
SKILL = {
    "id": "skill_1",
    "type": "skill",
    "created_at": "then",
    "updated_at": "now",
    "display_title": SECRET,
    "latest_version": "1",
    "source": "custom",
}
Parameters = dict[str, Any]
BATCH_ID: Parameters = {"batch_id": "batch_1"}
FILE_ID: Parameters = {"file_id": "file-1"}
TUNING_ID: Parameters = {"fine_tuning_job_id": "ftjob-1"}
CONTAINER_ID: Parameters = {"container_id": "cntr_1"}
EVALUATION_ID: Parameters = {"eval_id": "eval_1"}
SKILL_ID: Parameters = {"skill_id": "skill_1"}
AGENT_NAME: Parameters = {"name": "analyst"}
AGENT = {"id": "analyst", "base_agent": "waverunner", "system_instruction": SECRET}
AGENT_ASKED: Attributes = {**asked(agent_id="analyst"), "gen_ai.agent.id": "analyst"}
INTERACTION_ID: Parameters = {"interaction_id": "int_1"}
INTERACTION = {
    "id": "int_1",
    "object": "interaction",
    "status": "completed",
    "model": "gemini-2.5-flash",
    "outputs": [{"type": "text", "text": "Hello!"}],
    "usage": {"total_input_tokens": 11, "total_output_tokens": 7, "total_tokens": 18},
}
INTERACTION_TOLD: Attributes = {
    **response_id_attributes("int_1", status="completed", model="gemini-2.5-flash"),
    "gen_ai.response.model": "gemini-2.5-flash",
}

INTERACTION_USED: Attributes = {
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "llm.usage.prompt_tokens": 11,
    "llm.usage.completion_tokens": 7,
    "llm.usage.total_tokens": 18,
}

Job = tuple[Parameters, str, object, Attributes]
# Operation → its parameters, the end of the path it asks, the answer, and what the span says of them.
JOBS: dict[str, Job] = {
    "create_batch": (
        {"completion_window": "24h", "endpoint": "/v1/embeddings", "input_file_id": "file-1"},
        "/batches",
        BATCH,
        {**asked(completion_window="24h", endpoint="/v1/embeddings", input_file_id="file-1"), **BATCH_TOLD},
    ),
    "retrieve_batch": (BATCH_ID, "/batch_1", BATCH, {**asked(resource_id="batch_1"), **BATCH_TOLD}),
    "list_batches": (
        {"limit": 3},
        "/batches",
        listed(BATCH, BATCH),
        {**asked(page_size=3), "llm.response.results_count": 2, "llm.response.has_more": False},
    ),
    "create_file": (
        {"file": (SECRET, b"twelve bytes"), "purpose": "batch"},
        "/files",
        FILE,
        {**asked(file_size=12, purpose="batch"), **FILE_TOLD},
    ),
    "file_retrieve": (FILE_ID, "/file-1", FILE, {**asked(resource_id="file-1"), **FILE_TOLD}),
    "file_list": (
        {"purpose": "batch"},
        "/files",
        listed(FILE, more=True),
        {**asked(purpose="batch"), "llm.response.results_count": 1, "llm.response.has_more": True},
    ),
    "file_delete": (
        FILE_ID,
        "/file-1",
        {"id": "file-1", "object": "file", "deleted": True},
        {**asked(resource_id="file-1"), **response_id_attributes("file-1", deleted=True)},
    ),
    "file_content": (
        FILE_ID,
        "/content",
        b"12345",
        {**asked(resource_id="file-1"), "llm.response.size": 5, "llm.response.http_status": 200},
    ),
    "create_fine_tuning_job": (
        {"model": "gpt-4o-mini", "training_file": "file-1"},
        "/jobs",
        TUNING,
        {
            **asked(model="gpt-4o-mini", input_file_id="file-1"),
            "gen_ai.request.model": "gpt-4o-mini",
            **TUNING_TOLD,
        },
    ),
    "retrieve_fine_tuning_job": (TUNING_ID, "/ftjob-1", TUNING, {**asked(resource_id="ftjob-1"), **TUNING_TOLD}),
    "cancel_fine_tuning_job": (TUNING_ID, "/cancel", TUNING, {**asked(resource_id="ftjob-1"), **TUNING_TOLD}),
    "create_container": (
        {"name": SECRET, "file_ids": ["file-1"]},
        "/containers",
        CONTAINER,
        {**asked(files_count=1), **response_id_attributes("cntr_1", status="running")},
    ),
    "retrieve_container": (
        CONTAINER_ID,
        "/cntr_1",
        CONTAINER,
        {**asked(resource_id="cntr_1"), **response_id_attributes("cntr_1", status="running")},
    ),
    "list_containers": (
        {"limit": 2},
        "/containers",
        listed(CONTAINER),
        {**asked(page_size=2), "llm.response.results_count": 1, "llm.response.has_more": False},
    ),
    "delete_container": (
        CONTAINER_ID,
        "/cntr_1",
        {"id": "cntr_1", "object": "container.deleted", "deleted": True},
        {**asked(resource_id="cntr_1"), **response_id_attributes("cntr_1", deleted=True)},
    ),
    "list_container_files": (
        CONTAINER_ID,
        "/files",
        listed(CONTAINED),
        {**asked(resource_id="cntr_1"), "llm.response.results_count": 1, "llm.response.has_more": False},
    ),
    "containers.retrieve_container_file": (
        {**CONTAINER_ID, "file_id": "cfile_1"},
        "/cfile_1",
        CONTAINED,
        {**asked(resource_id="cfile_1"), **response_id_attributes("cfile_1", size=9)},
    ),
    "containers.retrieve_container_file_content": (
        {**CONTAINER_ID, "file_id": "cfile_1"},
        "/content",
        b"123",
        {**asked(resource_id="cfile_1"), "llm.response.size": 3},
    ),
    "upload_container_file": (
        {**CONTAINER_ID, "file": (SECRET, b"nine byte")},
        "/files",
        CONTAINED,
        {**asked(resource_id="cntr_1", file_size=9), **response_id_attributes("cfile_1", size=9)},
    ),
    "containers.delete_container_file": (
        {**CONTAINER_ID, "file_id": "cfile_1"},
        "/cfile_1",
        {"id": "cfile_1", "object": "container.file.deleted", "deleted": True},
        {**asked(resource_id="cfile_1"), **response_id_attributes("cfile_1", deleted=True)},
    ),
    "create_eval": (
        {"data_source_config": {"type": "custom"}, "testing_criteria": []},
        "/evals",
        EVALUATION,
        response_id_attributes("eval_1"),
    ),
    "get_eval": (
        EVALUATION_ID,
        "/eval_1",
        EVALUATION,
        {**asked(resource_id="eval_1"), **response_id_attributes("eval_1")},
    ),
    "list_evals": (
        {"limit": 2},
        "/evals",
        listed(EVALUATION),
        {**asked(page_size=2), "llm.response.results_count": 1, "llm.response.has_more": False},
    ),
    "update_eval": (
        {**EVALUATION_ID, "name": SECRET},
        "/eval_1",
        EVALUATION,
        {**asked(resource_id="eval_1"), **response_id_attributes("eval_1")},
    ),
    "cancel_eval": (
        EVALUATION_ID,
        "/cancel",
        {"id": "eval_1", "object": "eval", "status": "cancelled"},
        {**asked(resource_id="eval_1"), **response_id_attributes("eval_1", status="cancelled")},
    ),
    "delete_eval": (
        EVALUATION_ID,
        "/eval_1",
        {"eval_id": "eval_1", "object": "eval.deleted", "deleted": True},
        {**asked(resource_id="eval_1"), **response_id_attributes("eval_1", deleted=True)},
    ),
    "create_run": (
        {**EVALUATION_ID, "data_source": {"type": "completions"}},
        "/runs",
        RUN,
        {**asked(resource_id="eval_1"), **response_id_attributes("run_1", status="queued")},
    ),
    "get_run": (
        {**EVALUATION_ID, "run_id": "run_1"},
        "/run_1",
        RUN,
        {**asked(resource_id="run_1"), **response_id_attributes("run_1", status="queued")},
    ),
    "list_runs": (
        {**EVALUATION_ID, "limit": 2},
        "/runs",
        listed(RUN, RUN, more=True),
        {
            **asked(resource_id="eval_1", page_size=2),
            "llm.response.results_count": 2,
            "llm.response.has_more": True,
        },
    ),
    "cancel_run": (
        {**EVALUATION_ID, "run_id": "run_1"},
        "/cancel",
        {"id": "run_1", "object": "eval.run", "status": "cancelled"},
        {**asked(resource_id="run_1"), **response_id_attributes("run_1", status="cancelled")},
    ),
    "delete_run": (
        {**EVALUATION_ID, "run_id": "run_1"},
        "/run_1",
        {"run_id": "run_1", "object": "eval.run.deleted", "deleted": True},
        {**asked(resource_id="run_1"), **response_id_attributes("run_1", deleted=True)},
    ),
}
ANTHROPICS: dict[str, Job] = {
    "list_skills": (
        {"limit": 2},
        "/skills",
        {"data": [SKILL], "has_more": True},
        {**asked(page_size=2), "llm.response.results_count": 1, "llm.response.has_more": True},
    ),
    "create_skill": (
        {"files": [("mine/SKILL.md", SECRET.encode(), "text/markdown")], "display_title": SECRET},
        "/skills",
        SKILL,
        {**asked(files_count=1), **response_id_attributes("skill_1")},
    ),
    "get_skill": (SKILL_ID, "/skill_1", SKILL, {**asked(resource_id="skill_1"), **response_id_attributes("skill_1")}),
    "delete_skill": (
        SKILL_ID,
        "/skill_1",
        {"id": "skill_1", "type": "skill_deleted"},
        {**asked(resource_id="skill_1"), **response_id_attributes("skill_1", deleted=True)},
    ),
}
GEMINIS: dict[str, Job] = {
    # What it used was counted when it was created.
    "interactions.get": (INTERACTION_ID, "/int_1", INTERACTION, {**asked(resource_id="int_1"), **INTERACTION_TOLD}),
    "interactions.cancel": (
        INTERACTION_ID,
        "cancel",
        {"id": "int_1", "status": "cancelled"},
        {**asked(resource_id="int_1"), **response_id_attributes("int_1", status="cancelled")},
    ),
    "interactions.delete": (
        INTERACTION_ID,
        "/int_1",
        {},
        {**asked(resource_id="int_1"), **response_id_attributes("int_1", deleted=True)},
    ),
    "interactions.agents.create": (
        {**AGENT_NAME, "base_agent": "waverunner", "instructions": SECRET},
        "/agents",
        AGENT,
        {**AGENT_ASKED, **response_id_attributes("analyst")},
    ),
    "interactions.agents.get": (AGENT_NAME, "/analyst", AGENT, {**AGENT_ASKED, **response_id_attributes("analyst")}),
    "interactions.agents.list": ({}, "/agents", {"agents": [AGENT]}, {"llm.response.results_count": 1}),
    "interactions.agents.delete": (AGENT_NAME, "/analyst", {}, {**AGENT_ASKED, "llm.response.deleted": True}),
    "interactions.agents.list_versions": (
        AGENT_NAME,
        "/versions",
        {"agentVersions": [AGENT, AGENT], "nextPageToken": SECRET},
        {**AGENT_ASKED, "llm.response.results_count": 2, "llm.response.has_more": True},
    ),
}
EVERY = {
    **{operation: (("openai", "/v1"), job) for operation, job in JOBS.items()},
    **{operation: (("anthropic", ""), job) for operation, job in ANTHROPICS.items()},
    **{operation: (("gemini", ""), job) for operation, job in GEMINIS.items()},
}
"""With the provider that knows such jobs, and where its API begins."""


def function_of(operation: str) -> tuple[object, str]:
    package, _, function = operation.rpartition(".")
    return import_module(f"litellm.{package}" if package else "litellm"), function


@pytest.mark.parametrize("operation", EVERY)
def test_a_job_is_described_in_full(caller: Caller, wire: WireProvider, telemetry: Recorder, operation: str) -> None:
    """Whatever is asked of a provider about what it runs or keeps has its ids, states, counts and sizes, no names, and
    neither tokens nor a price, in one span.
    """
    (name, base), (parameters, path_end, answer, told) = EVERY[operation]
    module, function = function_of(operation)
    wire.reply(path_end, Reply(body=answer))
    caller.call(
        module,
        function,
        **parameters,
        custom_llm_provider=name,
        api_key="sk-test",
        api_base=wire.url + base,
        litellm_call_id=CALL_ID,
    )
    assert len(wire.ledger) == 1
    (span,) = telemetry.spans()
    operation = operation.removeprefix("containers.")
    assert (span.name.partition(" ")[0], span.kind) == (operation, SpanKind.CLIENT)
    attributes = telemetry.attributes()
    # LiteLLM's logging knows the functions of containers by other names.
    assert attributes.pop("litellm.call_type") in {caller.name(function), function, f"{caller.prefix}endpoint_func"}
    assert attributes == {**target_attributes(operation, name, wire), "litellm.call_id": CALL_ID, **told}
    assert SECRET not in telemetry.everything()


# What is uploaded → how many bytes are known beforehand.
UPLOADS: dict[str, tuple[object, int | None]] = {
    "bytes": (b"12345", 5),
    "a named file": ((SECRET, b"1234"), 4),
    "a buffer": (io.BytesIO(b"123"), 3),
    "a named buffer": ((SECRET, io.BytesIO(b"12")), 2),
}


@pytest.mark.parametrize(("file", "size"), UPLOADS.values(), ids=UPLOADS.keys())
def test_an_upload_is_measured(wire: WireProvider, telemetry: Recorder, file: object, size: int) -> None:
    """The bytes of an upload are counted where they are at hand, and all of them arrive."""
    wire.reply("/files", Reply(body=FILE))
    litellm.create_file(file=file, purpose="batch", api_key="sk-test", api_base=wire.url, custom_llm_provider="openai")
    assert telemetry.attributes()["llm.request.file_size"] == size
    (exchange,) = wire.ledger
    assert b"12345"[:size] in exchange.data


def test_an_id_that_is_a_path_is_not_told(wire: WireProvider, telemetry: Recorder) -> None:
    """Some providers' ids of files are paths or URLs, which name them."""
    wire.reply("", Reply(body={**FILE, "id": f"gs://bucket/{SECRET}"}))
    for file_id in (f"gs://bucket/{SECRET}", f"gs%3A%2F%2Fbucket%2F{SECRET}"):
        litellm.file_retrieve(file_id, api_key="sk-test", api_base=wire.url, custom_llm_provider="openai")
    assert SECRET not in telemetry.everything()


# --- interactions -----------------------------------------------------------------------------------------


INTERACTED: Parameters = {"model": "gemini/gemini-2.5-flash", "input": "Say hello."}


def test_an_interaction_is_described_in_full(caller: Caller, wire: WireProvider, telemetry: Recorder) -> None:
    """An interaction is a call of a model: it has tokens and a price, too."""
    wire.reply("/interactions", Reply(body=INTERACTION))
    result = caller.call(
        litellm.interactions, "create", **INTERACTED, api_key="sk-test", api_base=wire.url, litellm_call_id=CALL_ID
    )
    assert telemetry.attributes() == {
        **target_attributes(
            "interactions.create", "gemini", wire, model="gemini-2.5-flash", call_type=caller.name("create")
        ),
        **asked(stream=False, content_length=len("Say hello.")),
        **INTERACTION_TOLD,
        **INTERACTION_USED,
        **cost_attributes(
            result._hidden_params["response_cost"],  # type: ignore[attr-defined]  # LiteLLM's own
            "gemini/gemini-2.5-flash",
            input=11,
            output=7,
        ),
    }


def streamed(caller: Caller, module: object, function: str, **parameters: object) -> list[Any]:
    """What comes of a stream, whichever way it is read."""
    if isinstance(caller, SyncCaller):
        return list(getattr(module, function)(**parameters))

    async def scenario() -> list[Any]:
        stream = await getattr(module, caller.name(function))(**parameters)
        return [chunk async for chunk in (stream.aiter_bytes() if hasattr(stream, "aiter_bytes") else stream)]

    return asyncio.run(scenario())


def test_an_interaction_with_an_agent_says_with_which(caller: Caller, wire: WireProvider, telemetry: Recorder) -> None:
    """An interaction may be with an agent, and has no model then."""
    wire.reply("/interactions", Reply(body={"id": "int_1", "object": "interaction", "status": "in_progress"}))
    caller.call(
        litellm.interactions,
        "create",
        agent="analyst",
        input=SECRET,
        background=True,
        custom_llm_provider="gemini",
        api_key="sk-test",
        api_base=wire.url,
        litellm_call_id=CALL_ID,
    )
    assert telemetry.attributes() == {
        **target_attributes("interactions.create", "gemini", wire, call_type=caller.name("create")),
        **asked(stream=False, content_length=len(SECRET)),
        **AGENT_ASKED,
        **response_id_attributes("int_1", status="in_progress"),
    }


def test_a_streamed_interaction_is_described_in_full(caller: Caller, wire: WireProvider, telemetry: Recorder) -> None:
    """A streamed interaction has what its last event says, and the text of the others is measured."""
    pieces = events(
        {"event_type": "interaction.start", "interaction": {**INTERACTION, "status": "in_progress", "usage": None}},
        {"event_type": "content.delta", "index": 0, "delta": {"type": "text", "text": "Hel"}},
        {"event_type": "content.delta", "index": 0, "delta": {"type": "text", "text": "lo!"}},
        {"event_type": "interaction.complete", "interaction": INTERACTION},
    )
    wire.reply("/interactions", Reply(pieces=pieces))
    chunks = streamed(
        caller,
        litellm.interactions,
        "create",
        **INTERACTED,
        stream=True,
        api_key="sk-test",
        api_base=wire.url,
        litellm_call_id=CALL_ID,
    )
    attributes = telemetry.attributes()
    assert attributes.keys() >= TIMING_ATTRIBUTES
    assert {name: value for name, value in without_timings(attributes).items() if "cost" not in name} == {
        **target_attributes(
            "interactions.create", "gemini", wire, model="gemini-2.5-flash", call_type=caller.name("create")
        ),
        **asked(content_length=len("Say hello.")),
        **STREAMED,
        **INTERACTION_TOLD,
        **INTERACTION_USED,
        "llm.response.content_length": len("Hello!"),
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
    }


# --- passing through --------------------------------------------------------------------------------------


PASSED: Parameters = {"method": "post", "endpoint": "v1/score", "model": "hosted_vllm/mine", "litellm_call_id": CALL_ID}


def told_of_passing(caller: Caller, wire: WireProvider) -> Attributes:
    return {
        **target_attributes(
            "llm_passthrough_route",
            "hosted_vllm",
            wire,
            model="mine",
            call_type=caller.name("llm_passthrough_route"),
        ),
        **asked(http_method="POST"),
        "llm.response.http_status": 200,
    }


def test_what_is_passed_through_has_its_status(caller: Caller, wire: WireProvider, telemetry: Recorder) -> None:
    """Of what is passed through to a provider's API the method, the status and the size are told, and no content."""
    wire.reply("/v1/score", Reply(body={"secret": SECRET}))
    result: Any = caller.call(litellm, "llm_passthrough_route", **PASSED, json={"text": SECRET}, api_base=wire.url)
    assert result.json() == {"secret": SECRET}
    (span,) = telemetry.spans()
    assert span.name == "llm_passthrough_route mine"
    assert telemetry.attributes() == {
        **told_of_passing(caller, wire),
        "llm.response.size": len(result.content),
    }
    assert SECRET not in telemetry.everything()


def test_what_is_passed_through_as_a_stream_is_seen_to_its_end(
    caller: Caller, wire: WireProvider, telemetry: Recorder
) -> None:
    """A stream that is passed through has its status, and is over with its last byte, by whichever name it is read."""
    wire.reply("/v1/score", Reply(pieces=[b"one", b"two"], delay=0.01))
    chunks = streamed(caller, litellm, "llm_passthrough_route", **PASSED, json={"stream": True}, api_base=wire.url)
    assert b"".join(chunks) == b"onetwo"
    assert without_timings(telemetry.attributes()) == {
        **told_of_passing(caller, wire),
        "llm.response.is_streaming": True,
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
    }


# --- asking with documents --------------------------------------------------------------------------------


def test_a_question_about_documents_is_made_of_calls(wire: WireProvider, telemetry: Recorder) -> None:
    """The search and the chat that a question about documents takes are calls beneath it, and each is counted once."""
    found = {
        "file_id": "f",
        "filename": "n",
        "score": 0.9,
        "attributes": {},
        "content": [{"type": "text", "text": "t"}],
    }
    wire.reply("/vs_1/search", Reply(body={"object": "vector_store.search_results.page", "data": [found]}))
    wire.reply(
        "/chat/completions",
        Reply(
            body={
                "id": "chat-1",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o",
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Rome."}}
                ],
                "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
            }
        ),
    )
    AsyncCaller().call(
        litellm.rag,
        "query",
        model="openai/gpt-4o",
        messages=[{"role": "user", "content": "Which city?"}],
        retrieval_config={"vector_store_id": "vs_1", "custom_llm_provider": "openai", "top_k": 3},
        api_key="sk-test",
        api_base=f"{wire.url}/v1",
    )
    search, chat, query = telemetry.spans()
    assert [(span.name.partition(" ")[0], span.kind) for span in (search, chat, query)] == [
        ("retrieval", SpanKind.CLIENT),
        ("chat", SpanKind.CLIENT),
        ("rag.query", SpanKind.INTERNAL),
    ]
    assert (chat.attributes or {})["gen_ai.usage.input_tokens"] == 11
    assert query.context is not None
    for span in (search, chat):
        assert span.parent is not None
        assert span.parent.span_id == query.context.span_id
    assert [name for name in query.attributes or {} if "usage" in name or "cost" in name] == []


@pytest.fixture
def event_loop() -> Iterator[None]:
    """LiteLLM's synchronous function wants one that does not run."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("event_loop")
@pytest.mark.parametrize("failing", [False, True], ids=["well", "refused"])
def test_a_document_that_is_taken_in_is_made_of_calls(
    caller: Caller, wire: WireProvider, telemetry: Recorder, *, failing: bool
) -> None:
    """Calls of their own upload a document and put it in a store. How that went LiteLLM says in its answer only."""
    refusal = Reply(status=403, body={"error": {"message": SECRET}})
    wire.reply("/vs_1/files", refusal if failing else Reply(body={"id": "file-1", "object": "vector_store.file"}))
    wire.reply("/files", Reply(body=FILE))
    options = {
        "vector_store": {
            "custom_llm_provider": "openai",
            "vector_store_id": "vs_1",
            "api_key": "sk-test",
            "api_base": f"{wire.url}/v1",
        }
    }
    result: Any = caller.call(
        import_module("litellm.rag.main"),
        "ingest",
        ingest_options=options,
        file_data=(SECRET, b"twelve bytes", "text/plain"),
        litellm_call_id=CALL_ID,
    )
    assert result["status"] == ("failed" if failing else "completed")
    *parts, whole = telemetry.spans()
    assert [span.name for span in parts] == ["create_file", "vector_store_files.create"]
    assert [exchange.path for exchange in wire.ledger] == ["/v1/files", "/v1/vector_stores/vs_1/files"]
    assert whole.context is not None
    for span in parts:
        assert span.parent is not None
        assert span.parent.span_id == whole.context.span_id
    assert (whole.name, whole.kind) == ("rag.ingest", SpanKind.INTERNAL)
    assert attributes_of(whole) == {
        "gen_ai.provider.name": "openai",
        "gen_ai.data_source.id": "vs_1",
        "litellm.call_id": CALL_ID,
        "litellm.call_type": caller.name("ingest"),
        "litellm.provider": "openai",
        "llm.provider": "openai",
        "llm.vendor": "litellm",
        **asked(file_size=12, data_source_id="vs_1"),
        **response_id_attributes(result["id"], status=result["status"]),
    }
    assert SECRET not in telemetry.everything()


# --- refusals ---------------------------------------------------------------------------------------------


REFUSED: dict[str, tuple[Parameters, str]] = {
    "retrieve_batch": (BATCH_ID, "openai"),
    "file_retrieve": (FILE_ID, "openai"),
    "retrieve_fine_tuning_job": (TUNING_ID, "openai"),
    "retrieve_container": (CONTAINER_ID, "openai"),
    "containers.retrieve_container_file": ({**CONTAINER_ID, "file_id": "cfile_1"}, "openai"),
    "get_eval": (EVALUATION_ID, "openai"),
    "get_skill": (SKILL_ID, "anthropic"),
    "interactions.get": (INTERACTION_ID, "gemini"),
}


@pytest.mark.parametrize("operation", REFUSED)
def test_a_refusal_is_told(caller: Caller, wire: WireProvider, telemetry: Recorder, operation: str) -> None:
    """Where the provider refuses, the call's one span has failed, and says who and why but not in whose words."""
    parameters, provider = REFUSED[operation]
    module, function = function_of(operation)
    wire.reply("", Reply(status=404, body={"error": {"message": f"no such thing: {SECRET}"}}))
    with pytest.raises(Exception, match=SECRET) as raised:
        caller.call(
            module,
            function,
            **parameters,
            custom_llm_provider=provider,
            api_key="sk-test",
            api_base=wire.url,
            max_retries=0,
        )
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    attributes = telemetry.attributes()
    assert attributes["error.type"] == type(raised.value).__name__
    assert (attributes["llm.error.status_code"], attributes["llm.error.category"]) == (404, "not_found")
    assert SECRET not in telemetry.everything()
