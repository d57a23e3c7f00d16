"""Every function that the installed LiteLLM builds has an operation, whose name says what is done."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest

from agentops_otel_litellm import readers
from agentops_otel_litellm.operations import DEFAULT, OPERATIONS, operation_named
from support.operation_names import named_functions  # noqa: F401 - a fixture


def test_no_two_functions_share_a_name_that_are_not_twins(named_functions: list[tuple[str, str, str]]) -> None:
    """An operation that has its name from its function is of one module: there are its two functions, if two."""
    given = {row.name for row in OPERATIONS if row.name}
    places = defaultdict(set)
    for module, _, name in named_functions:
        if name not in given:
            places[name].add(module)
    # LiteLLM has these twice itself: built by hand, which is what it exports, and by its factory.
    twice = {"list_container_files", "upload_container_file"}
    assert {name for name, modules in places.items() if len(modules) > 1} <= twice


def test_a_function_and_its_twin_are_one_operation(named_functions: list[tuple[str, str, str]]) -> None:
    """The asynchronous function of a pair has the operation of the synchronous one."""
    operations = {(module, function): name for module, function, name in named_functions}
    pairs = [
        (name, operations[module, function[1:]])
        for (module, function), name in operations.items()
        if function.startswith("a") and (module, function[1:]) in operations
    ]
    assert len(pairs) > 15
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_the_name_of_an_asynchronous_function_loses_its_a(named_functions: list[tuple[str, str, str]]) -> None:
    """Also where LiteLLM writes it otherwise, and where there is no synchronous one."""
    operations = {(module.removeprefix("litellm."), function): name for module, function, name in named_functions}
    assert operations["assistants.main", "aget_assistants"] == "get_assistants"
    assert operations["assistants.main", "a_add_message"] == operations["assistants.main", "add_message"]
    assert operations["assistants.main", "arun_thread_stream"] == "run_thread_stream"
    if ("sandbox.main", "arun_code") in operations:
        assert operations["sandbox.main", "arun_code"] == "run_code"


def test_every_function_is_in_one_row() -> None:
    """No function is described twice: the first row would hide the second."""
    functions = [function for row in OPERATIONS for function in row.functions]
    assert sorted(functions) == sorted(set(functions))


@pytest.mark.parametrize("function", [function for row in OPERATIONS for function in row.functions])
def test_every_row_is_found_by_its_functions(function: str) -> None:
    """A function's row is found by its name, and gives the operation that, or its own."""
    row = next(row for row in OPERATIONS if function in row.functions)
    found = operation_named(function)
    assert found == replace(row, name=row.name or function)


def test_an_unknown_function_has_an_operation() -> None:
    """A function that no row describes is an operation by its own name."""
    operation = operation_named("something_new")
    assert operation == replace(DEFAULT, name="something_new")


def test_every_api_format_has_readers() -> None:
    assert {row.api_format for row in (*OPERATIONS, DEFAULT)} == readers.API_FORMATS.keys()


def test_operations_of_one_name_are_of_one_kind() -> None:
    """Conventions look up the kind by the name."""
    kinds = defaultdict(set)
    for row in OPERATIONS:
        for name in row.names:
            kinds[name].add((row.kind, row.unit))
    assert {name for name, found in kinds.items() if len(found) > 1} == set()
