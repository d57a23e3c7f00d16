"""Patching LiteLLM's functions, and restoring them."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import litellm
import pytest

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.patching import wrapping
from agentops_otel_litellm.patching.traced_functions import Tracing
from support.instrumented import Reinstrument
from support.recorder import Recorder


def module_with(**members: object) -> ModuleType:
    module = ModuleType("a_module_of_the_test")
    vars(module).update(members)
    return module


@pytest.fixture
def isolated_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches of the test are forgotten at its end."""
    for name in ("_originals", "_patched", "_built"):
        monkeypatch.setattr(wrapping, name, type(getattr(wrapping, name))())


class Holder:
    """A class with a method of each kind."""

    def plain(self, value: int) -> int:
        return value

    @staticmethod
    def static(value: int) -> int:
        return value

    @classmethod
    def of_class(cls, value: int) -> int:
        return value


@pytest.mark.usefixtures("isolated_patches")
@pytest.mark.parametrize("name", ["plain", "static", "of_class"])
def test_a_patched_method_keeps_its_kind(name: str) -> None:
    """Static methods and class methods remain so, and the original method is restored."""
    module = module_with(Holder=Holder)
    before = vars(Holder)[name]
    calls: list[object] = []

    def wrapper(function: wrapping.Function) -> wrapping.Function:
        def ours(*args: object) -> object:
            calls.append(args)
            return function(*args)

        return ours

    assert wrapping.patch(module, f"Holder.{name}", wrapper)
    assert getattr(Holder(), name)(3) == 3
    if name != "plain":
        assert getattr(Holder, name)(4) == 4
    assert len(calls) == (1 if name == "plain" else 2)
    wrapping.undo()
    assert vars(Holder)[name] is before


def test_a_patched_static_method_of_litellm_is_static() -> None:
    """LiteLLM may call it on an instance."""
    module = pytest.importorskip("litellm.google_genai.adapters.handler", reason="this LiteLLM has no generateContent")
    handler = vars(module.GenerateContentToCompletionHandler)
    assert isinstance(handler["_prepare_completion_kwargs"], staticmethod)


@pytest.mark.parametrize("replacement", [SimpleNamespace(), [], None])
def test_uninstrumenting_keeps_replacements_of_the_app(instrumented_with: Reinstrument, replacement: object) -> None:
    """LiteLLM's own functions are restored everywhere else."""
    with instrumented_with(Recorder()):
        main = sys.modules["litellm.batch_completion.main"]
        vars(main)["litellm"] = replacement
        LiteLLMInstrumentor().uninstrument()
        assert vars(main)["litellm"] is replacement
        assert not any(each in wrapping._originals for each in (litellm.main.acompletion, litellm.main.completion))
        vars(main)["litellm"] = litellm
        LiteLLMInstrumentor().instrument()


def test_a_decorator_may_have_other_parameters() -> None:
    """A release of LiteLLM whose decorator has parameters can be imported."""

    def client(**_parameters: object) -> object:
        return "a decorator"

    assert Tracing().trace_built(client)(call_type="chat") == "a decorator"  # type: ignore[arg-type]
