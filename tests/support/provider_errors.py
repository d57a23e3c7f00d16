"""Errors as providers send them."""

from __future__ import annotations

from support.recorder import Attributes


def errors(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if "error" in name}
