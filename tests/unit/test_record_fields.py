"""Each field of a record has a reader, and OpenInference's parameters have all parameters of a chat."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Request, Response, Usage
from agentops_otel_litellm.readers import api_format, chat
from agentops_otel_litellm.semconv import openinference

NOT_A_PARAMETER = {"tools_count", "output_type", "guardrail_id"}
"""Fields of a chat's request that OpenInference's `llm.invocation_parameters` leaves out: it has other attributes for
tools and formats, and none for guardrails.
"""

READ_ELSEWHERE = {"partial_cache_hit"}
"""Fields that patched functions inside LiteLLM set."""


def names_in_readers() -> set[str]:
    """All string constants and names of keyword arguments in the source of the readers."""
    names = set(api_format._ROLE_COUNTS.values())
    for path in Path(readers.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg:
                names.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
    return names


@pytest.mark.parametrize("record", [Request, Response, Usage])
def test_each_field_has_a_reader(record: type) -> None:
    assert {field.name for field in fields(record)} - names_in_readers() <= READ_ELSEWHERE


def test_each_parameter_of_a_chat_is_an_invocation_parameter() -> None:
    read = {field for field, _ in chat._REQUEST.values()}
    assert read - openinference._PARAMETERS.keys() == NOT_A_PARAMETER
