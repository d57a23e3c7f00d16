"""What is put in LiteLLM's place, and taken away again."""

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
def own_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test patches is forgotten with it."""
    for name in ("_originals", "_patched", "_built"):
        monkeypatch.setattr(wrapping, name, type(getattr(wrapping, name))())


class Holder:
    """Has a method of each kind."""

    def plain(self, given: int) -> int:
        return given

    @staticmethod
    def static(given: int) -> int:
        return given

    @classmethod
    def of_class(cls, given: int) -> int:
        return given


@pytest.mark.usefixtures("own_patches")
@pytest.mark.parametrize("name", ["plain", "static", "of_class"])
def test_a_method_stays_what_it_was(name: str) -> None:
    """Wrapped, a static method is one still, and so is a class method; and each is put back."""
    module = module_with(Holder=Holder)
    before = vars(Holder)[name]
    seen: list[object] = []

    def wrapper(function: wrapping.Function) -> wrapping.Function:
        def ours(*args: object) -> object:
            seen.append(args)
            return function(*args)

        return ours

    assert wrapping.patch(module, f"Holder.{name}", wrapper)
    assert getattr(Holder(), name)(3) == 3
    if name != "plain":
        assert getattr(Holder, name)(4) == 4
    assert len(seen) == (1 if name == "plain" else 2)
    wrapping.undo()
    assert vars(Holder)[name] is before


def test_a_static_method_of_litellms_is_one_still() -> None:
    """LiteLLM may call it on an instance."""
    module = pytest.importorskip("litellm.google_genai.adapters.handler", reason="this LiteLLM has no generateContent")
    handler = vars(module.GenerateContentToCompletionHandler)
    assert isinstance(handler["_prepare_completion_kwargs"], staticmethod)


@pytest.mark.parametrize("instead", [SimpleNamespace(), [], None])
def test_uninstrumenting_leaves_what_the_app_put_there(instrumented_with: Reinstrument, instead: object) -> None:
    """Whatever the app has put in our place stays, and everything else is LiteLLM's own again."""
    with instrumented_with(Recorder()):
        main = sys.modules["litellm.batch_completion.main"]
        vars(main)["litellm"] = instead
        LiteLLMInstrumentor().uninstrument()
        assert vars(main)["litellm"] is instead
        assert not any(each in wrapping._originals for each in (litellm.main.acompletion, litellm.main.completion))
        vars(main)["litellm"] = litellm
        LiteLLMInstrumentor().instrument()


def test_a_decorator_may_take_what_it_likes() -> None:
    """A release whose decorator has parameters can be imported all the same."""

    def client(**_given: object) -> object:
        return "a decorator"

    assert Tracing().trace_built(client)(call_type="chat") == "a decorator"  # type: ignore[arg-type]
