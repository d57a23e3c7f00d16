"""Calls whose attempts fail."""

from __future__ import annotations

from collections.abc import Iterator

import litellm
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from support.recorder import attributes_of


@pytest.fixture(autouse=True)
def restored_num_retries() -> Iterator[None]:
    """Restores `litellm.num_retries`, which LiteLLM's wrapper changes permanently."""
    before = litellm.num_retries
    yield
    litellm.num_retries = before


def assert_failed(span: ReadableSpan, error: BaseException) -> None:
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == type(error).__name__
