"""Parts of this package that raise."""

from __future__ import annotations

from typing import NoReturn

import litellm

from support.servers.openai_provider import OpenAIProvider


class Broken(Exception):  # noqa: N818 - a fault, whatever it is called
    """The exception of a fault in this package."""


def raise_broken(*_args: object, **_kwargs: object) -> NoReturn:
    raise Broken("sk-canary")


def call(provider: OpenAIProvider, *, stream: bool) -> str:
    response = litellm.completion(
        model="openai/gpt-4o",
        messages=[{"role": "user", "content": "hi"}],
        stream=stream,
        stream_options={"include_usage": True} if stream else None,
        api_base=provider.base_url,
        api_key="sk-x",
    )
    if stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in response if chunk.choices)
    return str(response.choices[0].message.content)
