"""Names of LiteLLM's functions and their operations."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# In a separate process, so that the decorator is replaced before LiteLLM uses it.
WALK = """
import json, logging, os, warnings
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
warnings.simplefilter("ignore")
import wrapt
from agentops_otel_litellm.operations import operation_of

built = []

def watch(utils):
    decorator = utils.client

    def client(function):
        built.append(decorator(function))
        return built[-1]

    utils.client = client

wrapt.register_post_import_hook(watch, "litellm.utils")
import litellm
import litellm.assistants.main
from importlib import import_module

for package in (
    "batches", "containers", "evals", "files", "fine_tuning", "google_genai", "interactions", "interactions.agents",
    "passthrough", "rag", "realtime_api", "sandbox", "search", "skills", "vector_store_files", "vector_stores",
):
    try:  # not every release has each
        import_module(f"litellm.{package}.main")
    except ModuleNotFoundError:
        pass

undecorated = [
    getattr(litellm.assistants.main, name)
    for name in ("aget_assistants", "a_add_message", "add_message", "arun_thread_stream")
]
print(json.dumps([[each.__module__, each.__name__, operation_of(each).name] for each in built + undecorated]))
"""


@pytest.fixture(scope="module")
def named_functions() -> list[tuple[str, str, str]]:
    """Module, function and operation."""
    ran = subprocess.run([sys.executable, "-c", WALK], capture_output=True, text=True, timeout=120, check=True)
    return [tuple(each) for each in json.loads(ran.stdout.splitlines()[-1])]
