"""Calls that only LiteLLM's callbacks report."""

from __future__ import annotations

from datetime import datetime

from litellm.litellm_core_utils.litellm_logging import Logging

from support.apps import CALL_ID, MESSAGES
from support.servers.openai_provider import OpenAIProvider


def now() -> datetime:
    """The current local time, as in LiteLLM's log."""
    return datetime.now()  # noqa: DTZ005 - LiteLLM uses local time


def logging_object(provider: OpenAIProvider, handler: str) -> Logging:
    """A logging object of the app's own, as the proxy has one for a request it passes through."""
    logging = Logging(
        model="gpt-4o",
        messages=MESSAGES,
        stream=False,
        call_type="pass_through_endpoint",
        start_time=now(),
        litellm_call_id=CALL_ID,
        function_id=handler,
    )
    logging.update_environment_variables(
        model="gpt-4o",
        user="",
        optional_params={},
        litellm_params={"api_base": provider.base_url},
        custom_llm_provider="openai",
    )
    return logging
