"""Every function of the installed LiteLLM has an operation with a suitable name."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest

from agentops_otel_litellm import readers
from agentops_otel_litellm.operations import DEFAULT, OPERATIONS, operation_named
from support.operation_names import named_functions  # noqa: F401 - a fixture


def test_operations_named_for_functions_belong_to_one_module(named_functions: list[tuple[str, str, str]]) -> None:
    """A synchronous function and its asynchronous counterpart are in one module."""
    fixed_names = {row.name for row in OPERATIONS if row.name}
    places = defaultdict(set)
    for module, _, name in named_functions:
        if name not in fixed_names:
            places[name].add(module)
    # LiteLLM defines these twice: by hand, which it exports, and with its factory.
    twice = {"list_container_files", "upload_container_file"}
    assert {name for name, modules in places.items() if len(modules) > 1} <= twice


def test_synchronous_and_asynchronous_functions_are_one_operation(named_functions: list[tuple[str, str, str]]) -> None:
    operations = {(module, function): name for module, function, name in named_functions}
    pairs = [
        (name, operations[module, function[1:]])
        for (module, function), name in operations.items()
        if function.startswith("a") and (module, function[1:]) in operations
    ]
    assert len(pairs) > 15
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_operations_of_asynchronous_functions_have_no_prefix(named_functions: list[tuple[str, str, str]]) -> None:
    """Also with an irregular prefix, and without a synchronous counterpart."""
    operations = {(module.removeprefix("litellm."), function): name for module, function, name in named_functions}
    assert operations["assistants.main", "aget_assistants"] == "get_assistants"
    assert operations["assistants.main", "a_add_message"] == operations["assistants.main", "add_message"]
    assert operations["assistants.main", "arun_thread_stream"] == "run_thread_stream"
    if ("sandbox.main", "arun_code") in operations:
        assert operations["sandbox.main", "arun_code"] == "run_code"


def test_every_function_is_in_one_row() -> None:
    """The first of two rows would hide the second."""
    functions = [function for row in OPERATIONS for function in row.functions]
    assert sorted(functions) == sorted(set(functions))


@pytest.mark.parametrize("function", [function for row in OPERATIONS for function in row.functions])
def test_every_row_is_found_by_its_functions(function: str) -> None:
    """The operation has the name of the row, or else of the function."""
    row = next(row for row in OPERATIONS if function in row.functions)
    found = operation_named(function)
    assert found == replace(row, name=row.name or function)


def test_an_unknown_function_has_an_operation() -> None:
    """It has the name of the function."""
    operation = operation_named("something_new")
    assert operation == replace(DEFAULT, name="something_new")


def test_every_api_format_has_readers() -> None:
    assert {row.api_format for row in (*OPERATIONS, DEFAULT)} == readers.API_FORMATS.keys()


def test_operations_with_one_name_have_one_kind() -> None:
    """Conventions look up the kind by the name."""
    kinds = defaultdict(set)
    for row in OPERATIONS:
        for name in row.names:
            kinds[name].add((row.kind, row.unit))
    assert {name for name, found in kinds.items() if len(found) > 1} == set()
