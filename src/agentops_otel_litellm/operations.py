"""What can be called: one row per kind of operation, and a default row for everything else."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from agentops_otel_litellm import readers


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A kind of operation: its name, LiteLLM's functions for it, and how they are read."""

    name: str = ""
    """Where it is empty: the function's."""
    functions: tuple[str, ...] = ()
    """Without LiteLLM's leading `a`: `completion` stands for `acompletion` too. Where LiteLLM has several functions of
    one name, with their package: `vector_stores.search`.
    """
    shape: readers.Shape = readers.DEFAULT
    calls_a_model: bool = True
    """Whether it is an operation of generative AI; else it is what LiteLLM does around such calls."""

    def is_logged_as(self, call_type: object) -> bool:
        """Whether LiteLLM logs one of the functions by that name."""
        bare = {function.rpartition(".")[2] for function in self.functions}
        return isinstance(call_type, str) and not bare.isdisjoint({call_type, call_type.removeprefix("a")})


_JOBS = (
    *("create_batch", "retrieve_batch", "list_batches", "cancel_batch"),
    *("create_file", "file_retrieve", "file_list", "file_delete"),
    *("create_fine_tuning_job", "retrieve_fine_tuning_job", "list_fine_tuning_jobs", "cancel_fine_tuning_job"),
    *("vector_stores.create", "vector_stores.retrieve", "vector_stores.list", "vector_stores.update"),
    *("vector_stores.delete", "vector_store_files.create", "vector_store_files.retrieve", "vector_store_files.list"),
    *("vector_store_files.update", "vector_store_files.delete"),
    *("create_container", "retrieve_container", "list_containers", "delete_container"),
    *("upload_container_file", "retrieve_container_file", "list_container_files", "delete_container_file"),
    *("create_eval", "get_eval", "list_evals", "update_eval", "delete_eval", "cancel_eval"),
    *("create_run", "get_run", "list_runs", "cancel_run", "delete_run"),
    *("create_skill", "get_skill", "list_skills", "delete_skill"),
    *("create_assistants", "get_assistants", "delete_assistant"),
    *("create_thread", "get_thread", "add_message", "get_messages"),
    *("interactions.get", "interactions.cancel"),
)
"""What providers run or keep for the app: set up, asked about and taken down."""
_AGENTS = ("create", "get", "list", "delete", "list_versions")
_ONLY_ASYNCHRONOUS = {
    **dict.fromkeys(("create_sandbox", "delete_sandbox"), readers.SANDBOX),
    **dict.fromkeys(("run_code", "code_interpreter_tool"), readers.CODE),
    "count_tokens": readers.TOKEN_COUNT,
    **dict.fromkeys(("create_realtime_client_secret", "create_realtime_transcription_session"), readers.ADMISSION),
    "realtime_calls": readers.CONNECTION,
}
SAYING_LITTLE = frozenset(
    {"create", "retrieve", "get", "list", "update", "delete", "cancel", "search", "query", "ingest"}
    | {"list_versions", "retrieve_content"}
)
"""Names of functions that need their package's to say what is created, listed or searched."""

_ROUTING = ("async_function_with_fallbacks", "_generic_api_call_with_fallbacks", "_drive", "_call_sync")
"""What `litellm.Router` calls for each of its methods; releases since 1.110 have the last two."""

OPERATIONS: tuple[Operation, ...] = (
    Operation(name="chat", functions=("completion",), shape=readers.CHAT),
    Operation(name="text_completion", functions=("text_completion",), shape=readers.TEXT),
    Operation(name="chat", functions=("responses",), shape=readers.RESPONSES),
    Operation(name="fetch_response", functions=("get_responses",), shape=readers.STORED_RESPONSE),
    Operation(
        functions=("cancel_responses", "delete_responses", "list_input_items"),
        shape=readers.STORED_RESPONSE,
    ),
    Operation(functions=("compact_responses",), shape=readers.RESPONSES),
    Operation(name="chat", functions=("anthropic_messages", "anthropic_messages_handler"), shape=readers.MESSAGES),
    Operation(name="generate_content", functions=("generate_content",), shape=readers.GENERATE_CONTENT),
    Operation(name="generate_content", functions=("generate_content_stream",), shape=readers.GENERATE_CONTENT_STREAM),
    Operation(name="embeddings", functions=("embedding",), shape=readers.EMBEDDING),
    Operation(name="route", functions=_ROUTING, shape=readers.ROUTE, calls_a_model=False),
    Operation(
        functions=("batch_completion", "batch_completion_models", "batch_completion_models_all_responses"),
        shape=readers.BATCH,
        calls_a_model=False,
    ),
    Operation(functions=("rerank",), shape=readers.RERANK),
    Operation(name="search", functions=("search.search",), shape=readers.SEARCH),
    Operation(name="retrieval", functions=("vector_stores.search",), shape=readers.SEARCH),
    Operation(functions=("vector_store_files.retrieve_content",), shape=readers.STORED_CONTENT),
    Operation(functions=("ocr",), shape=readers.OCR),
    Operation(functions=("rag.query",), shape=readers.RAG_QUERY, calls_a_model=False),
    Operation(functions=("rag.ingest",), shape=readers.INGESTION, calls_a_model=False),
    Operation(functions=("interactions.create",), shape=readers.INTERACTION),
    Operation(functions=("interactions.delete",), shape=readers.DELETED_INTERACTION),
    Operation(functions=tuple(f"interactions.agents.{name}" for name in _AGENTS), shape=readers.AGENT),
    Operation(functions=("decisions", "systemone"), shape=readers.DECISIONS),
    Operation(functions=("run_thread",), shape=readers.RUN),
    Operation(functions=("file_content", "retrieve_container_file_content"), shape=readers.FILE_CONTENT),
    Operation(functions=("llm_passthrough_route",), shape=readers.PASSTHROUGH),
    *(Operation(name=name, functions=(f"a{name}",), shape=shape) for name, shape in _ONLY_ASYNCHRONOUS.items()),
    Operation(functions=_JOBS, shape=readers.JOB),
    # images, audio, moderation, video, realtime sessions
    Operation(name="image_generation", functions=("image_generation",), shape=readers.IMAGE),
    Operation(functions=("image_edit", "image_variation"), shape=readers.IMAGE),
    Operation(name="speech", functions=("speech",), shape=readers.SPEECH),
    Operation(name="transcription", functions=("transcription",), shape=readers.TRANSCRIPTION),
    Operation(name="moderation", functions=("moderation",), shape=readers.MODERATION),
    Operation(
        functions=(
            "video_generation",
            "video_status",
            "video_content",
            "video_remix",
            "video_list",
            "video_edit",
            "video_extension",
            "video_create_character",
            "video_get_character",
        ),
        shape=readers.VIDEO,
    ),
    Operation(name="realtime", functions=("_arealtime",), shape=readers.REALTIME),
    Operation(name="responses_websocket", functions=("_aresponses_websocket",), shape=readers.RESPONSES_SOCKET),
)
DEFAULT = Operation()


def operation_of(function: Callable[..., object]) -> Operation:
    """The row of a LiteLLM function; an unknown one gets the default row under its own name."""
    name = _name(function)
    qualified = f"{_package(function)}.{name}"
    return operation_named(qualified if name in SAYING_LITTLE else name, qualified)


def operation_named(name: str, qualified: str = "") -> Operation:
    """The row of LiteLLM's functions of that name; it is their operation's, too, where the row has none."""
    row = next((row for row in OPERATIONS if not {name, qualified}.isdisjoint(row.functions)), DEFAULT)
    return row if row.name else replace(row, name=name)


def operation_logged_as(call_type: object) -> Operation:
    """The row of the LiteLLM function that a logging object is for, by the name it has there."""
    name = str.__str__(call_type) if isinstance(call_type, str) else "unknown"
    function = getattr(sys.modules.get("litellm"), name, None)
    if inspect.isfunction(function):
        return operation_of(function)
    row = next((row for row in OPERATIONS if name in row.functions), DEFAULT)
    return row if row.name else replace(row, name=name)


def parameter_names(function: Callable[..., object]) -> tuple[str, ...]:
    """The names of the parameters that may be given by position.

    Some of LiteLLM's asynchronous functions take `*args` and hand them to their synchronous twin: its names count.
    """
    parameters = inspect.signature(function).parameters
    twin = _twin(function)
    if twin is not None and any(each.kind is each.VAR_POSITIONAL for each in parameters.values()):
        parameters = inspect.signature(twin).parameters
    return tuple(parameters)


def by_name(names: tuple[str, ...], args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
    """All arguments of a call by the names of its parameters."""
    return {**dict(zip(names, args, strict=False)), **kwargs} if args else kwargs


def _name(function: Callable[..., object]) -> str:
    """What LiteLLM calls the function, without the `a` of the asynchronous ones."""
    made_for = _made_for(function)
    return made_for or _synchronous_name(function)


def _made_for(function: Callable[..., object]) -> str | None:
    """The endpoint that LiteLLM's factory made the function for: it gives all that it makes one name."""
    original = inspect.unwrap(function)
    cells = getattr(original, "__closure__", None) or ()
    closed_over = dict(zip(original.__code__.co_freevars, cells, strict=False)) if cells else {}
    twin, endpoint = closed_over.get("sync_func"), closed_over.get("endpoint_name")
    if twin is not None:
        return _made_for(twin.cell_contents)
    return endpoint.cell_contents if endpoint is not None else None


def _package(function: Callable[..., object]) -> str:
    """`litellm.vector_stores.main` → `vector_stores`."""
    return function.__module__.removeprefix("litellm.").removesuffix(".main")


def _synchronous_name(function: Callable[..., object]) -> str:
    """`aembedding` → `embedding`, where the module has that too: `anthropic_messages` keeps its `a`."""
    twin = _twin(function)
    return function.__name__ if twin is None else twin.__name__


def _twin(function: Callable[..., object]) -> Callable[..., object] | None:
    """The synchronous function that an asynchronous one is named after."""
    namespace = getattr(inspect.unwrap(function), "__globals__", {})
    for prefix in ("a_", "a"):
        name = function.__name__.removeprefix(prefix)
        twin = namespace.get(name) if name != function.__name__ else None
        if inspect.isfunction(twin) and twin.__name__ == name:
            return twin
    return None
