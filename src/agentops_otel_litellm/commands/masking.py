"""What is shown of the value of a variable: nothing of a secret, and nothing of one that is in a URL."""

from __future__ import annotations

import re

MASK = "***"
_SECRET = re.compile(r"HEADERS$|_KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL")
_PUBLIC = re.compile(r"_(?:CREDENTIAL_PROVIDER|CLIENT_KEY)$")
"""The name of an entry point, and the path of a file."""
_SCHEME = re.compile(r"\w+://|")


def masked(variable: str, text: str) -> str:
    """The text without secrets, on one line."""
    if not text:
        return ""
    if is_secret(variable):
        return MASK
    before, at, plain = text.rpartition("@")  # in a URL, a user and a password
    if at:
        scheme = _SCHEME.match(before)
        plain = f"{scheme[0] if scheme else ''}{MASK}@{plain}"
    if "://" in plain or "ENDPOINT" in variable:
        base, query, _ = plain.partition("?")
        plain = f"{base}?{MASK}" if query else base
    return plain if plain.isprintable() else ascii(plain)


def is_secret(variable: str) -> bool:
    return bool(_SECRET.search(variable)) and not _PUBLIC.search(variable)
