"""The instrumentor: early or late, once, and undone; and what the app finds in its place."""

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


def test_public_names() -> None:
    """What the package offers at its top."""
    records = {each.name for each in fields(Call)} - {"name", "operation", "trace_cost", "answered_by_another"}
    assert {name.lower() for name in agentops_otel_litellm.__all__} == {
        *("litellminstrumentor", "__version__", "call", *records, "attempt", "message", "part", "tool", "document"),
        *("vocabularies", "vocabulary", "table", "several", "always", "init", "flush"),
    }
    assert all(getattr(agentops_otel_litellm, name) is not None for name in agentops_otel_litellm.__all__)
    assert dir(agentops_otel_litellm) == sorted(agentops_otel_litellm.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'canary'"):
        getattr(agentops_otel_litellm, "canary")  # noqa: B009 - type checkers know that it is not there


def test_a_module_under_two_names_is_patched_once(
    instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM moves modules, and goes on to give them under the names that they had."""
    module, name = next(
        (module, seam.module)
        for seam in PATCH_POINTS
        if seam.name == "anthropic_messages_handler" and (module := sys.modules.get(seam.module)) is not None
    )
    former = next(
        seam.module for seam in PATCH_POINTS if seam.name == "anthropic_messages_handler" and seam.module != name
    )
    monkeypatch.setitem(sys.modules, former, module)
    with instrumented_with(Recorder()):
        assert wrapping._originals[module.anthropic_messages_handler] not in wrapping._originals


@pytest.mark.parametrize("name", ["completion", "acompletion", "text_completion", "embedding"])
def test_functions_keep_their_looks(name: str) -> None:
    """Signature, documentation, kind and pickling are those of LiteLLM's function."""
    function = getattr(litellm.main, name)
    original = inspect.unwrap(function)
    assert inspect.signature(function) == inspect.signature(original)
    assert (function.__doc__, function.__name__) == (original.__doc__, original.__name__)
    assert inspect.iscoroutinefunction(function) == name.startswith("a")
    assert pickle.loads(pickle.dumps(function)) is function
