"""Every function that the installed LiteLLM builds has an operation, whose name says what is done."""

from __future__ import annotations

from agentops_otel_litellm.operations import AMBIGUOUS_NAMES
from support.operation_names import named_functions  # noqa: F401 - a fixture


def test_no_name_says_too_little(named_functions: list[tuple[str, str, str]]) -> None:
    """No operation is called a bare verb, or what LiteLLM's factory calls everything it makes."""
    assert len(named_functions) > 40
    bare = {name for *_, name in named_functions if name in AMBIGUOUS_NAMES - {"search"} or "endpoint_func" in name}
    assert bare == set()
    assert {module for module, _, name in named_functions if name == "search"} <= {"litellm.search.main"}
