"""The package's public names, and the functions that the instrumentor replaces."""

from __future__ import annotations

import inspect
import pickle
import sys
from dataclasses import fields

import litellm
import litellm.main
import pytest

import agentops_otel_litellm
from agentops_otel_litellm.call import Call
from agentops_otel_litellm.patching import wrapping
from agentops_otel_litellm.patching.patch_points import PATCH_POINTS
from support.instrumented import Reinstrument
from support.recorder import Recorder


def test_public_names_of_the_package() -> None:
    records = {each.name for each in fields(Call)} - {
        "name",
        "operation",
        "trace_cost",
        "answered_by_another",
        "is_inner",
    }
    names = {name.lower() for name in agentops_otel_litellm.__all__}
    assert names == {
        *(
            "litellminstrumentor",
            "__version__",
            "call",
            *(each.replace("_", "") for each in records),
            "attempt",
            "message",
            "part",
            "tool",
            "document",
        ),
        *("vocabularies", "vocabulary", "table", "several", "always", "init", "flush"),
    }
    assert all(getattr(agentops_otel_litellm, name) is not None for name in agentops_otel_litellm.__all__)
    assert dir(agentops_otel_litellm) == sorted(agentops_otel_litellm.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'canary'"):
        getattr(agentops_otel_litellm, "canary")  # noqa: B009 - type checkers know that it is not there


def test_a_module_under_two_names_is_patched_once(
    instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM moves modules and keeps their former names as aliases."""
    module, name = next(
        (module, point.module)
        for point in PATCH_POINTS
        if point.name == "anthropic_messages_handler" and (module := sys.modules.get(point.module)) is not None
    )
    former = next(
        point.module for point in PATCH_POINTS if point.name == "anthropic_messages_handler" and point.module != name
    )
    monkeypatch.setitem(sys.modules, former, module)
    with instrumented_with(Recorder()):
        assert wrapping._originals[module.anthropic_messages_handler] not in wrapping._originals


@pytest.mark.parametrize("name", ["completion", "acompletion", "text_completion", "embedding"])
def test_functions_keep_signature_and_documentation(name: str) -> None:
    """They are also coroutine functions if LiteLLM's are, and can be pickled."""
    function = getattr(litellm.main, name)
    original = inspect.unwrap(function)
    assert inspect.signature(function) == inspect.signature(original)
    assert (function.__doc__, function.__name__) == (original.__doc__, original.__name__)
    assert inspect.iscoroutinefunction(function) == name.startswith("a")
    assert pickle.loads(pickle.dumps(function)) is function
