"""What conventions call the providers that LiteLLM knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def named(provider: str, names: Mapping[str, str], families: Sequence[tuple[str, str]]) -> str:
    """A convention's name of the one that LiteLLM calls `provider`.

    It is that of `names`; else that of the first of the `families` with whose prefix LiteLLM's name begins; what is in
    neither keeps LiteLLM's name.
    """
    known = names.get(provider)
    if known is not None:
        return known
    return next((name for prefix, name in families if provider.startswith(prefix)), provider)
