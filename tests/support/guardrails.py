"""Guardrails of an application: with LiteLLM's decorator, with `apply_guardrail`, and with plain hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import litellm
from fastapi import HTTPException
from litellm.integrations import custom_guardrail

BLOCKED = "canary-forbidden"
"""A text that these guardrails block."""

_Guardrail: Any = custom_guardrail.CustomGuardrail
_logged: Any = custom_guardrail.log_guardrail_information


def check(content: object) -> None:
    """Raise as LiteLLM's guardrails do. The exception's text quotes the content."""
    if BLOCKED in str(content):
        raise HTTPException(status_code=400, detail={"error": f"canary-verdict about {content}"})


class Decorated(_Guardrail):  # type: ignore[misc]  # LiteLLM's class, without its types
    """Checks requests, and logs its verdicts with LiteLLM's decorator."""

    @_logged  # type: ignore[untyped-decorator]
    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> object:  # noqa: ANN401, ARG002
        check(data["messages"])
        return data

    @_logged  # type: ignore[untyped-decorator]
    async def async_moderation_hook(self, data: Any, user_api_key_dict: Any, call_type: Any) -> None:  # noqa: ANN401, ARG002
        check(data["messages"])

    @_logged  # type: ignore[untyped-decorator]
    async def async_post_call_success_hook(self, data: Any, user_api_key_dict: Any, response: Any) -> object:  # noqa: ANN401, ARG002
        check(data["messages"])
        return response


class Plain(_Guardrail):  # type: ignore[misc]
    """Checks requests without LiteLLM's decorator, so that LiteLLM has no record of its verdicts."""

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> object:  # noqa: ANN401, ARG002
        check(data["messages"])
        return data

    async def async_moderation_hook(self, data: Any, user_api_key_dict: Any, call_type: Any) -> None:  # noqa: ANN401, ARG002
        check(data["messages"])


class Masking(_Guardrail):  # type: ignore[misc]
    """Checks and masks texts with `apply_guardrail`."""

    async def apply_guardrail(
        self,
        inputs: Mapping[str, Any],
        request_data: Any,  # noqa: ANN401, ARG002
        input_type: Any,  # noqa: ANN401, ARG002
        logging_obj: Any = None,  # noqa: ANN401, ARG002
    ) -> object:
        check(inputs)
        return {**inputs, "texts": [text.replace("Ann", "<NAME>") for text in inputs.get("texts", ())]}


class RaisingValueError(_Guardrail):  # type: ignore[misc]
    """Blocks requests with one of Python's own exceptions, as in LiteLLM's documentation."""

    @_logged  # type: ignore[untyped-decorator]
    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> object:  # noqa: ANN401, ARG002
        raise ValueError(f"canary-verdict about {data['messages']}")


class Broken(_Guardrail):  # type: ignore[misc]
    """Cannot reach its service."""

    @_logged  # type: ignore[untyped-decorator]
    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> object:  # noqa: ANN401, ARG002
        raise ConnectionError("the guardrail's service is down")


class Judging(_Guardrail):  # type: ignore[misc]
    """Asks a model for its verdict."""

    judge: Mapping[str, Any]

    @_logged  # type: ignore[untyped-decorator]
    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> object:  # noqa: ANN401, ARG002
        await litellm.acompletion(**self.judge)
        return data
