"""Generated objects for readers, and a check of their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from agentops_otel_litellm.call import Call, Target, Timing
from agentops_otel_litellm.readers import chat, text_and_embeddings
from agentops_otel_litellm.semconv.convention import Vocabulary
from support.vocabularies import GENERAL

NO_DEADLINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


MERGED = Vocabulary.merged(GENERAL)


# The names that readers look for.
PARAMETERS = (
    *sorted({*chat._REQUEST, *text_and_embeddings._EMBEDDING}),
    *("model", "messages", "prompt", "input", "stream"),
    *("api_base", "base_url", "custom_llm_provider", "metadata", "litellm_metadata", "model_info", "litellm_call_id"),
)


MESSAGE = ("role", "content", "tool_calls", "function_call", "reasoning_content")


PART = ("type", "text")


CHOICE = ("index", "finish_reason", "message", "delta", "text", "embedding")


RESPONSE = (
    *("id", "model", "choices", "data", "usage", "service_tier", "system_fingerprint"),
    *("response_cost", "cache_hit", "provider_response_model"),
)


USAGE = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")


DETAILS = ("custom_llm_provider", "model", "additional_args", "litellm_params", "litellm_call_id")


HEADERS = ("retry-after", "x-request-id", "request-id")


OTHERS = ("api_base", "model_group", "model_info", "id", "total_cost", "cached_tokens", "reasoning_tokens")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["text", "user", "json_object", "auto", "stop", "http://example.com:1", "openai/gpt-4o", "7"])
)


KEYS = st.sampled_from([*PARAMETERS, *MESSAGE, *PART, *CHOICE, *RESPONSE, *USAGE, *DETAILS, *HEADERS, *OTHERS])


JSON = SCALARS | st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def objects_with(*names: str) -> st.SearchStrategy[dict[str, object]]:
    """Dicts with some of these keys, and any values."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON))


def is_attribute(value: object) -> bool:
    """Whether it is a valid attribute value: a scalar, or a tuple of scalars of one type."""
    if isinstance(value, tuple):
        return len({type(each) for each in value}) == 1 and is_attribute(value[0])
    return type(value) in {str, bool, int, float}


def check_reader(read: Callable[[], Mapping[str, object]], *inputs: object) -> None:
    """Readers may raise, since they are guarded, but must not change their inputs; results must be valid."""
    before = repr(inputs)
    records: Mapping[str, object] = {}
    with suppress(Exception):
        records = read()
    assert repr(inputs) == before
    known = {"operation": "chat", "target": Target(), "timing": Timing(started_at=1), **records}
    attributes = MERGED.attributes(Call(**known))  # type: ignore[arg-type]  # one record of each kind
    assert {name: value for name, value in attributes.items() if not is_attribute(value)} == {}
