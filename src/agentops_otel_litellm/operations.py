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


OPERATIONS: tuple[Operation, ...] = (
    Operation(name="chat", functions=("completion",), shape=readers.CHAT),
    Operation(name="text_completion", functions=("text_completion",), shape=readers.TEXT),
    Operation(name="embeddings", functions=("embedding",), shape=readers.EMBEDDING),
    Operation(
        name="route",
        functions=("function_with_fallbacks", "async_function_with_fallbacks"),
        shape=readers.ROUTE,
        calls_a_model=False,
    ),
    Operation(
        functions=("batch_completion", "batch_completion_models", "batch_completion_models_all_responses"),
        shape=readers.BATCH,
        calls_a_model=False,
    ),
)
DEFAULT = Operation()


def operation_of(function: Callable[..., object]) -> Operation:
    """The row of a LiteLLM function; an unknown one gets the default row under its own name."""
    name = _synchronous_name(function)
    names = {name, f"{_package(function)}.{name}"}
    row = next((row for row in OPERATIONS if not names.isdisjoint(row.functions)), DEFAULT)
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


def _package(function: Callable[..., object]) -> str:
    """`litellm.vector_stores.main` → `vector_stores`."""
    return function.__module__.removeprefix("litellm.").removesuffix(".main")


def _synchronous_name(function: Callable[..., object]) -> str:
    """`aembedding` → `embedding`, where the module has that too: `anthropic_messages` keeps its `a`."""
    return function.__name__ if _twin(function) is None else function.__name__[1:]


def _twin(function: Callable[..., object]) -> Callable[..., object] | None:
    """The synchronous function that an asynchronous one is named after."""
    name, original = function.__name__, inspect.unwrap(function)
    twin = getattr(original, "__globals__", {}).get(name[1:]) if name.startswith("a") else None
    return twin if callable(twin) else None
