"""Media in content, as base64: only their type and size are recorded, unless the user enables them."""

from __future__ import annotations

import re

from agentops_otel_litellm.call.content import Part
from agentops_otel_litellm.processors.limits import left_out

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_DATA_URL = re.compile(r"(data:[\w.+/;=-]{0,128};base64,)([A-Za-z0-9+/=_-]+)")
_ONLY_DATA_URL = re.compile(r"(data:(?:\w[\w.-]{0,64}/[\w.+-]{1,64})?(?:;[\w.+=-]{0,64}){0,8},)\S+")
_ONLY_BASE64 = re.compile(r"(?=[A-Za-z0-9]*[+/])[A-Za-z0-9+/]{256,}={0,2}")


def without_media(beginning: str, whole: int) -> tuple[str, int]:
    """Replace media by marks in the beginning of a text that has `whole` characters: `data:` URLs, or base64 that is
    the whole text. Returns the beginning, and the length of the whole text afterwards.

    If the beginning ends within media, the rest of the text is left out with it.
    """
    if beginning.startswith("data:"):
        only = _ONLY_DATA_URL.fullmatch(beginning)
        if only is not None:
            return _all_of(f"{only[1]}{left_out(whole - len(only[1]))}")
    if "base64," in beginning:
        return _without_data_urls(beginning, whole)
    if _ONLY_BASE64.fullmatch(beginning):
        return _all_of(left_out(whole))
    return beginning, whole


def _without_data_urls(beginning: str, whole: int) -> tuple[str, int]:
    remaining = whole - len(beginning)
    ends_in_one = False

    def mark(found: re.Match[str]) -> str:
        nonlocal ends_in_one
        ends_in_one = found.end() == len(beginning)
        return f"{found[1]}{left_out(len(found[2]) + (remaining if ends_in_one else 0))}"

    edited = _DATA_URL.sub(mark, beginning)
    return _all_of(edited) if ends_in_one else (edited, len(edited) + remaining)


def _all_of(edited: str) -> tuple[str, int]:
    return edited, len(edited)


def medium(part: Part, limit: int) -> str | None:
    """The base64 of a blob, if it is valid and has at most `limit` characters."""
    content = part.content or ""
    begin = content.find(",") + 1 if content.startswith("data:") else 0
    if not limit or len(content) - begin > limit:
        return None
    data = content[begin:]
    return data if _BASE64.fullmatch(data) else None
