"""What can be called: one row per kind of operation, and a default row for everything else."""

from __future__ import annotations

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


def _synchronous_name(function: Callable[..., object]) -> str:
    """`aembedding` → `embedding`, where the module has that too: `anthropic_messages` keeps its `a`."""
    name = function.__name__
    original = getattr(function, "__wrapped__", function)
    is_twin = name.startswith("a") and name[1:] in getattr(original, "__globals__", {})
    return name[1:] if is_twin else name
