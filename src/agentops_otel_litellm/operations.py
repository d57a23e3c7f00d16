"""What can be called: one row per kind of operation, and a default row for everything else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace

from agentops_otel_litellm import readers


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A kind of operation: its `gen_ai.operation.name`, LiteLLM's functions for it, and how they are read."""

    name: str
    functions: tuple[str, ...] = ()
    """Without LiteLLM's leading `a`: `completion` stands for `acompletion` too."""
    shape: readers.Shape = readers.DEFAULT


OPERATIONS: tuple[Operation, ...] = (
    Operation(name="chat", functions=("completion",), shape=readers.CHAT),
    Operation(name="text_completion", functions=("text_completion",), shape=readers.TEXT),
    Operation(name="embeddings", functions=("embedding",), shape=readers.EMBEDDING),
)
DEFAULT = Operation(name="")


def operation_of(function: Callable[..., object]) -> Operation:
    """The row of a LiteLLM function; an unknown one gets the default row under its own name."""
    name = _synchronous_name(function)
    for row in OPERATIONS:
        if name in row.functions:
            return row
    return replace(DEFAULT, name=name)


def parameter_names(function: Callable[..., object]) -> tuple[str, ...]:
    """The names of the parameters that may be given by position.

    Some of LiteLLM's asynchronous functions take `*args` and hand them to their synchronous twin: its names count.
    """
    parameters = inspect.signature(function).parameters
    twin = _twin(function)
    if twin is not None and any(each.kind is each.VAR_POSITIONAL for each in parameters.values()):
        parameters = inspect.signature(twin).parameters
    return tuple(parameters)


def _synchronous_name(function: Callable[..., object]) -> str:
    """`aembedding` → `embedding`, where the module has that too: `anthropic_messages` keeps its `a`."""
    return function.__name__ if _twin(function) is None else function.__name__[1:]


def _twin(function: Callable[..., object]) -> Callable[..., object] | None:
    """The synchronous function that an asynchronous one is named after."""
    name, original = function.__name__, inspect.unwrap(function)
    twin = getattr(original, "__globals__", {}).get(name[1:]) if name.startswith("a") else None
    return twin if callable(twin) else None
