"""Values of variables without secrets, for logs and `doctor`."""

from __future__ import annotations

import re

MASK = "***"
_SECRET = re.compile(r"HEADERS$|_KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL")
_PUBLIC = re.compile(r"_(?:CREDENTIAL_PROVIDER|CLIENT_KEY)$")
"""Variables whose names look secret, but whose values are the name of an entry point or the path of a file."""
_ADDRESS = re.compile(r"\w+://|[\w.-]+:\d{1,5}(?:/|$)")
"""The beginning of a URL, or a host and a port, which gRPC accepts."""
_SCHEME = re.compile(r"\w+://|")


def masked(variable: str, text: str) -> str:
    """The text without secrets, on one line."""
    plain = without_secrets(variable, text)
    return plain if plain.isprintable() else ascii(plain)


def without_secrets(variable: str, text: str) -> str:
    """The value `text` of a variable, in which a mask replaces keys, passwords, and other values that may be secret."""
    if not text:
        return ""
    if is_secret(variable):
        return MASK
    if variable == "OTEL_RESOURCE_ATTRIBUTES":
        return ",".join(map(_attribute, text.split(",")))
    before, at, plain = text.rpartition("@")  # in a URL, a user and a password
    if "ENDPOINT" in variable and not _ADDRESS.match(text if "://" in text else plain):
        return MASK  # a key can be there by mistake
    if at:
        scheme = _SCHEME.match(before)
        plain = f"{scheme[0] if scheme else ''}{MASK}@{plain}"
    if "://" in plain or "ENDPOINT" in variable:
        base, query, _ = plain.partition("?")
        plain = f"{base}?{MASK}" if query else base
    return plain


def _attribute(pair: str) -> str:
    """Resource attributes of the application can contain anything: only the value of `service.name` is displayed."""
    name, equals, _ = pair.partition("=")
    if not equals:
        return MASK
    return pair.strip() if name.strip() == "service.name" else f"{name.strip()}={MASK}"


def is_secret(variable: str) -> bool:
    return bool(_SECRET.search(variable)) and not _PUBLIC.search(variable)
