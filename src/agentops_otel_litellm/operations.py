"""The catalogue of operations: a row describes one or more functions of LiteLLM. Other functions have a default row.

This catalogue does not decide which functions get a span: those with LiteLLM's decorator `client` do, and those with a
row in `patching/patch_points.py`. It decides on the span's kind: INTERNAL for work around calls (`Kind.CHAIN`), CLIENT
for everything else.

A row has the facts about an operation that do not depend on a convention. Each convention maps `Kind` to its own names.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache


class Kind(Enum):
    """The kind of an operation, independent of any convention."""

    CHAT = auto()
    """A model responds to a conversation."""
    TEXT = auto()
    """A model completes a text."""
    MODEL = auto()
    """Other calls of a model or an agent: sessions, stored conversations, OCR, requests that are passed through."""
    MEDIA = auto()
    """A model creates or transcribes images, audio or video."""
    EMBEDDING = auto()
    RERANKING = auto()
    SEARCH = auto()
    DECISION = auto()
    """A model chooses among given options."""
    MODERATION = auto()
    CHAIN = auto()
    """Work of LiteLLM around calls, such as routing. Each call inside it is a separate operation with its own span."""
    OTHER = auto()
    """Management of files, batches, vector stores and so on."""


BILLED = frozenset(Kind) - {Kind.MODERATION, Kind.CHAIN, Kind.OTHER}
"""Kinds of operations for which providers charge, by tokens or by other units."""


class Unit(Enum):
    """The unit by which an operation is priced, if not by tokens."""

    CHARACTER = auto()
    SECOND = auto()
    QUERY = auto()
    IMAGE = auto()
    PAGE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation: its name, LiteLLM's functions for it, and the API format of their requests and responses."""

    name: str = ""
    """The operation in span names and `gen_ai.operation.name`. If it is empty, the name of the function is used."""
    functions: tuple[str, ...] = ()
    """The names of LiteLLM's functions. Name only the synchronous function: `completion` also covers `acompletion`. A
    name that several packages use is written with the package: `vector_stores.search`.
    """
    api_format: str = "default"
    """How requests and responses are read: a key of `readers.API_FORMATS`."""
    kind: Kind = Kind.OTHER
    unit: Unit | None = None
    calls_a_model: bool = field(init=False)
    """Whether the operation is a call of a model or a provider, and not LiteLLM's work around calls (`Kind.CHAIN`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "calls_a_model", self.kind is not Kind.CHAIN)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that calls of this operation can have, as in `Call.name`."""
        return (self.name,) if self.name else self.functions

    def is_logged_as(self, call_type: object) -> bool:
        """Whether LiteLLM logs calls of this operation with this `call_type`, the name of a function."""
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
"""Functions that create, read, change or delete resources that providers store for the application."""
_AGENTS = ("create", "get", "list", "delete", "list_versions")
"""Functions of LiteLLM's package `interactions.agents`."""
_ONLY_ASYNCHRONOUS = {
    **dict.fromkeys(("create_sandbox", "delete_sandbox"), "sandbox"),
    **dict.fromkeys(("run_code", "code_interpreter_tool"), "code"),
    "count_tokens": "token_count",
    **dict.fromkeys(("create_realtime_client_secret", "create_realtime_transcription_session"), "admission"),
    "realtime_calls": "connection",
}
"""Function that has no synchronous twin, without its leading `a` → its API format."""
AMBIGUOUS_NAMES = frozenset(
    {"create", "retrieve", "get", "list", "update", "delete", "cancel", "search", "query", "ingest"}
    | {"list_versions", "retrieve_content"}
)
"""Names of functions that several packages of LiteLLM use. The rows have them with their package."""

_ROUTING = ("async_function_with_fallbacks", "_generic_api_call_with_fallbacks", "_drive", "_call_sync")
"""The functions through which all methods of `litellm.Router` run. Only releases since 1.110 have the last two."""

OPERATIONS: tuple[Operation, ...] = (
    # Chats, in several API formats
    Operation(name="chat", functions=("completion",), api_format="chat", kind=Kind.CHAT),
    Operation(name="chat", functions=("responses",), api_format="responses", kind=Kind.CHAT),
    Operation(
        name="chat",
        functions=("anthropic_messages", "anthropic_messages_handler"),
        api_format="messages",
        kind=Kind.CHAT,
    ),
    Operation(name="generate_content", functions=("generate_content",), api_format="generate_content", kind=Kind.CHAT),
    Operation(
        name="generate_content",
        functions=("generate_content_stream",),
        api_format="generate_content_stream",
        kind=Kind.CHAT,
    ),
    Operation(name="text_completion", functions=("text_completion",), api_format="text", kind=Kind.TEXT),
    # Other calls of models and agents
    Operation(functions=("compact_responses",), api_format="responses", kind=Kind.MODEL),
    Operation(functions=("interactions.create",), api_format="interaction", kind=Kind.MODEL),
    Operation(functions=("run_thread",), api_format="run", kind=Kind.MODEL),
    Operation(name="realtime", functions=("_arealtime",), api_format="realtime", kind=Kind.MODEL),
    Operation(
        name="responses_websocket",
        functions=("_aresponses_websocket",),
        api_format="responses_socket",
        kind=Kind.MODEL,
    ),
    Operation(functions=("ocr",), api_format="ocr", kind=Kind.MODEL, unit=Unit.PAGE),
    Operation(functions=("llm_passthrough_route", "pass_through_endpoint"), api_format="passthrough", kind=Kind.MODEL),
    Operation(functions=("decisions", "systemone"), api_format="decisions", kind=Kind.DECISION),
    # Embeddings, rerankings, searches, moderation
    Operation(name="embeddings", functions=("embedding",), api_format="embedding", kind=Kind.EMBEDDING),
    Operation(functions=("rerank",), api_format="rerank", kind=Kind.RERANKING, unit=Unit.QUERY),
    Operation(name="search", functions=("search.search",), api_format="search", kind=Kind.SEARCH),
    Operation(name="retrieval", functions=("vector_stores.search",), api_format="search", kind=Kind.SEARCH),
    Operation(name="moderation", functions=("moderation",), api_format="moderation", kind=Kind.MODERATION),
    # Images, audio, video
    Operation(
        name="image_generation",
        functions=("image_generation",),
        api_format="image",
        kind=Kind.MEDIA,
        unit=Unit.IMAGE,
    ),
    Operation(functions=("image_edit", "image_variation"), api_format="image", kind=Kind.MEDIA, unit=Unit.IMAGE),
    Operation(name="speech", functions=("speech",), api_format="speech", kind=Kind.MEDIA, unit=Unit.CHARACTER),
    Operation(
        name="transcription",
        functions=("transcription",),
        api_format="transcription",
        kind=Kind.MEDIA,
        unit=Unit.SECOND,
    ),
    Operation(
        functions=("video_generation", "video_edit", "video_extension", "video_remix"),
        api_format="video",
        kind=Kind.MEDIA,
    ),
    # Work of LiteLLM around calls
    Operation(name="route", functions=_ROUTING, api_format="route", kind=Kind.CHAIN),
    Operation(
        functions=("batch_completion", "batch_completion_models", "batch_completion_models_all_responses"),
        api_format="batch",
        kind=Kind.CHAIN,
    ),
    Operation(functions=("rag.query",), api_format="rag_query", kind=Kind.CHAIN),
    Operation(functions=("rag.ingest",), api_format="ingestion", kind=Kind.CHAIN),
    # Management
    Operation(name="fetch_response", functions=("get_responses",), api_format="stored_response"),
    Operation(functions=("cancel_responses", "delete_responses", "list_input_items"), api_format="stored_response"),
    Operation(functions=("vector_store_files.retrieve_content",), api_format="stored_content"),
    Operation(functions=("interactions.delete",), api_format="deleted_interaction"),
    Operation(functions=tuple(f"interactions.agents.{name}" for name in _AGENTS), api_format="agent"),
    Operation(functions=("file_content", "retrieve_container_file_content"), api_format="file_content"),
    Operation(
        functions=("video_status", "video_content", "video_list", "video_create_character", "video_get_character"),
        api_format="video",
    ),
    *(Operation(name=name, functions=(f"a{name}",), api_format=each) for name, each in _ONLY_ASYNCHRONOUS.items()),
    Operation(functions=_JOBS, api_format="job"),
)
DEFAULT = Operation()

_BY_NAME = {name: row for row in OPERATIONS for name in row.names}


def names_of(*kinds: Kind) -> frozenset[str]:
    """The names of the operations of these kinds."""
    return frozenset(name for name, row in _BY_NAME.items() if row.kind in kinds)


def kind_named(name: str) -> Kind:
    """The kind of the operation with that name."""
    return _BY_NAME.get(name, DEFAULT).kind


def unit_of(name: str | None) -> Unit | None:
    """The unit by which the operation with that name is priced; `None` if it is priced by tokens, or not at all."""
    return _BY_NAME.get(name or "", DEFAULT).unit


def operation_of(function: Callable[..., object]) -> Operation:
    """The row of a LiteLLM function. A function without a row gets a default row with the function's name."""
    return _operation_in(id(OPERATIONS), function)


@lru_cache(maxsize=1_024)
def _operation_in(_rows: int, function: Callable[..., object]) -> Operation:
    """The row of a function in `OPERATIONS`. `_rows` is the id of that table, so that no row of another one is used."""
    name = _name(function)
    qualified = f"{_package(function)}.{name}"
    return operation_named(qualified if name in AMBIGUOUS_NAMES else name, qualified)


def operation_named(name: str, qualified: str = "") -> Operation:
    """The row of the LiteLLM function with that name, or with the `qualified` name, which includes the package.

    A row without an operation's name gets `name`.
    """
    row = next((row for row in OPERATIONS if not {name, qualified}.isdisjoint(row.functions)), DEFAULT)
    return row if row.name else replace(row, name=name)


def operation_logged_as(call_type: object) -> Operation:
    """The row of the LiteLLM function whose name a logging object has as its `call_type`."""
    name = str.__str__(call_type) if isinstance(call_type, str) else "unknown"
    function = getattr(sys.modules.get("litellm"), name, None)
    if inspect.isfunction(function):
        return operation_of(function)
    return operation_named(name)


def parameter_names(function: Callable[..., object]) -> tuple[str, ...]:
    """The names of a function's parameters, in their order.

    Some of LiteLLM's asynchronous functions have `*args`, which they pass to their synchronous twin. The names are then
    those of the twin.
    """
    parameters = inspect.signature(function).parameters
    twin = _twin(function)
    if twin is not None and any(each.kind is each.VAR_POSITIONAL for each in parameters.values()):
        parameters = inspect.signature(twin).parameters
    return tuple(parameters)


def by_name(names: tuple[str, ...], args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
    """All arguments of a call by name. `names` are the names of the function's parameters, in their order."""
    return {**dict(zip(names, args, strict=False)), **kwargs} if args else kwargs


def _name(function: Callable[..., object]) -> str:
    """The name of a LiteLLM function, without the leading `a` of an asynchronous twin."""
    made_for = _factory_endpoint(function)
    return made_for or _synchronous_name(function)


def _factory_endpoint(function: Callable[..., object]) -> str | None:
    """The endpoint's name of a function that LiteLLM's factory for endpoints has created; `None` for other functions.

    All functions of the factory have the same `__name__`. The endpoint's name is a variable in their closure; an
    asynchronous one has its synchronous twin there.
    """
    original = inspect.unwrap(function)
    cells = getattr(original, "__closure__", None) or ()
    closed_over = dict(zip(original.__code__.co_freevars, cells, strict=False)) if cells else {}
    twin, endpoint = closed_over.get("sync_func"), closed_over.get("endpoint_name")
    if twin is not None:
        return _factory_endpoint(twin.cell_contents)
    return endpoint.cell_contents if endpoint is not None else None


def _package(function: Callable[..., object]) -> str:
    """`litellm.vector_stores.main` → `vector_stores`."""
    return function.__module__.removeprefix("litellm.").removesuffix(".main")


def _synchronous_name(function: Callable[..., object]) -> str:
    """`aembedding` → `embedding`, if the module has both functions. `anthropic_messages` keeps its `a`."""
    twin = _twin(function)
    return function.__name__ if twin is None else twin.__name__


def _twin(function: Callable[..., object]) -> Callable[..., object] | None:
    """The synchronous twin of an asynchronous function: the function in the same module that has its name without the
    leading `a` or `a_`. `None` if there is none.
    """
    namespace = getattr(inspect.unwrap(function), "__globals__", {})
    for prefix in ("a_", "a"):
        name = function.__name__.removeprefix(prefix)
        twin = namespace.get(name) if name != function.__name__ else None
        if inspect.isfunction(twin) and twin.__name__ == name:
            return twin
    return None
