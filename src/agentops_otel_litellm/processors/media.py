"""Media in content, as base64: only their type and size are recorded, unless the user enables them."""

from __future__ import annotations

import re

from agentops_otel_litellm.call.content import Part
from agentops_otel_litellm.processors.limits import omission_mark

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_DATA_URL = re.compile(r"(data:[\w.+/;=-]{0,128};base64,)([A-Za-z0-9+/=_-]+)")
_ONLY_DATA_URL = re.compile(r"(data:(?:\w[\w.-]{0,64}/[\w.+-]{1,64})?(?:;[\w.+=-]{0,64}){0,8},)\S+")
_ONLY_BASE64 = re.compile(r"(?=[A-Za-z0-9]*[+/])[A-Za-z0-9+/]{256,}={0,2}")


def remove_media(beginning: str, full_length: int) -> tuple[str, int]:
    """Replace media in a text by marks. Media are `data:` URLs anywhere in the text, or base64 as the whole text.

    `beginning` is the beginning of a text that has `full_length` characters. Returns the changed beginning, and the
    length that the text would have with this beginning. If the beginning ends within media, the rest of the text is
    assumed to be media as well, and is replaced by the same mark.
    """
    if beginning.startswith("data:"):
        data_url = _ONLY_DATA_URL.fullmatch(beginning)
        if data_url is not None:
            return _with_length(f"{data_url[1]}{omission_mark(full_length - len(data_url[1]))}")
    if "base64," in beginning:
        return _without_data_urls(beginning, full_length)
    if _ONLY_BASE64.fullmatch(beginning):
        return _with_length(omission_mark(full_length))
    return beginning, full_length


def _without_data_urls(beginning: str, full_length: int) -> tuple[str, int]:
    """Replace the base64 of each `data:` URL in a text by a mark."""
    remaining = full_length - len(beginning)
    ends_in_media = False

    def mark(found: re.Match[str]) -> str:
        nonlocal ends_in_media
        ends_in_media = found.end() == len(beginning)
        return f"{found[1]}{omission_mark(len(found[2]) + (remaining if ends_in_media else 0))}"

    edited = _DATA_URL.sub(mark, beginning)
    return _with_length(edited) if ends_in_media else (edited, len(edited) + remaining)


def _with_length(edited: str) -> tuple[str, int]:
    return edited, len(edited)


def base64_within_limit(part: Part, limit: int) -> str | None:
    """The base64 of a blob, if it is valid and has at most `limit` characters."""
    content = part.content or ""
    begin = content.find(",") + 1 if content.startswith("data:") else 0
    if not limit or len(content) - begin > limit:
        return None
    data = content[begin:]
    return data if _BASE64.fullmatch(data) else None
