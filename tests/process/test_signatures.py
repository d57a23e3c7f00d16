"""Functions that are traced look as they do without us: to `inspect`, `typing`, `pickle` and `copy`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FACTS = r"""
import asyncio, copy, functools, inspect, json, pickle, re, sys, typing, warnings
warnings.simplefilter("ignore")
if sys.argv[1] == "traced":
    from agentops_otel_litellm import LiteLLMInstrumentor
    if sys.argv[2] == "early":
        LiteLLMInstrumentor().instrument()
import litellm, litellm.router
from litellm.litellm_core_utils.litellm_logging import Logging
if sys.argv[1] == "traced" and sys.argv[2] == "late":
    LiteLLMInstrumentor().instrument()

def tried(what, function):
    try:
        return re.sub(r"0x[0-9a-f]+", "#", repr(what(function)))
    except Exception as error:
        return f"{type(error).__name__}: {re.sub('0x[0-9a-f]+', '#', str(error))}"

WHAT = {
    "getfullargspec": inspect.getfullargspec,
    "signature": inspect.signature,
    "parameters": lambda function: list(inspect.signature(function).parameters),
    "coroutine function": inspect.iscoroutinefunction,
    "asyncio's": asyncio.iscoroutinefunction,
    "generator function": inspect.isgeneratorfunction,
    "asynchronous generator function": inspect.isasyncgenfunction,
    "kind": lambda function: type(function).__name__,
    "names": lambda function: (function.__name__, function.__qualname__, function.__module__, function.__doc__),
    "hints": typing.get_type_hints,
    "source": lambda function: hash(inspect.getsource(function)) and inspect.getsource(function)[:200],
    "pickle": lambda function: pickle.loads(pickle.dumps(function)) is function,
    "pickled": pickle.dumps,
    "pickled with 0": lambda function: pickle.dumps(function, 0),
    "copy": lambda function: (copy.copy(function) is function, copy.deepcopy(function) is function),
    "wrapped": lambda function: inspect.getfullargspec(getattr(function, "__wrapped__", function)),
    "unwrapped": lambda function: inspect.unwrap(function).__qualname__,
    "partial": lambda function: inspect.signature(functools.partial(function)),
    "bound": lambda function: list(inspect.signature(function.__get__(object())).parameters),
}
places = {"litellm": litellm, "main": litellm.main, "Router": litellm.Router, "Logging": Logging,
          "CustomStreamWrapper": litellm.CustomStreamWrapper, "utils": litellm.utils}
for name in ("litellm.batches.main", "litellm.files.main", "litellm.assistants.main", "litellm.responses.main",
             "litellm.batch_completion.main", "litellm.caching.caching_handler"):
    places[name] = sys.modules[name]
facts = {}
for place, holder in places.items():
    for name in sorted(vars(holder)):
        try:
            function = getattr(holder, name)
        except Exception:
            continue
        if inspect.isfunction(function) or inspect.ismethod(function):
            if function.__module__.startswith("litellm"):
                facts[f"{place}.{name}"] = {key: tried(what, function) for key, what in WHAT.items()}
print(json.dumps(facts))
"""


INTERNAL = "maybe_run_chat_completion_agentic_loop"
"""A function that LiteLLM imports from another module of its own. It is traced only where LiteLLM calls it, so it is
not the function that `pickle` finds in its module."""


def facts(*how: str) -> dict[str, dict[str, str]]:
    """What a program finds out about each of LiteLLM's functions."""
    ran = subprocess.run([sys.executable, "-c", FACTS, *how], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    known: dict[str, dict[str, str]] = json.loads(ran.stdout.splitlines()[-1])
    return known


@pytest.fixture(scope="module")
def without() -> dict[str, dict[str, str]]:
    return facts("untraced", "")


@pytest.mark.parametrize("when", ["early", "late"])
def test_functions_look_as_they_do_without_us(when: str, without: dict[str, dict[str, str]]) -> None:
    """Those that LiteLLM decorates, those that it does not, batches, the Router's and other classes' methods."""
    traced = facts("traced", when)
    assert len(without) > 200
    differences = {
        (function, what): (known, traced[function][what])
        for function, of in without.items()
        for what, known in of.items()
        if traced[function][what] != known and not (function.endswith(INTERNAL) and what.startswith("pickle"))
    }
    assert differences == {}
