"""What is taken out of what was said: secrets and personal data.

A rule's pattern is looked for in texts of any length, on the app's thread: each begins with something rare, and none
can backtrack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

Redactor = Callable[[str], str]
"""Given a text, gives it without what is not to be told. Where it raises, all that was said is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a kind of secret looks like, and how to tell it from what only looks alike."""

    kind: str
    signs: tuple[str, ...] = ()
    """One of these is in every text that has such a secret, in lower case: a text without them is not searched."""
    pattern: re.Pattern[str]
    """What it calls `before` stays."""
    is_one: Callable[[str], bool] = bool


def _digits(found: str) -> list[int]:
    return [int(digit) for digit in found if digit.isdecimal()]


def _has_card_checksum(found: str) -> bool:
    """Luhn's: every second digit from the right, doubled, adds up to a multiple of ten."""
    digits = _digits(found)
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0  # noqa: PLR2004 - ISO 7812


def _has_phone_length(found: str) -> bool:
    return 8 <= len(_digits(found)) <= 15  # noqa: PLR2004 - E.164


def _begins(first: str, others: str) -> str:
    """Where one of the `first` characters comes, and none of the `others` is before it. (The letter that ends an escape
    of JSON's is none of them.)
    """
    return rf"(?=[{first}])(?:(?<![{others}])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{{4}}))"


_KEYS = (
    r"(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter, LiteLLM, Langfuse
    r"|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}"  # Stripe, and those that write likewise
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|gsk_[A-Za-z0-9]{20,}"  # Groq
    r"|xai-[A-Za-z0-9_-]{20,}"
    r"|hf_[A-Za-z0-9]{20,}"  # Hugging Face
    r"|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    r"|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}"
)
RULES: tuple[Rule, ...] = (
    Rule(kind="key", pattern=re.compile(rf"{_begins('sprwAgxhnS', 'A-Za-z0-9_-')}(?:{_KEYS})")),
    # JSON web tokens, what `Authorization` carries, and credentials in URLs.
    Rule(
        kind="token",
        signs=("eyj",),
        pattern=re.compile(
            _begins("e", "A-Za-z0-9_-") + r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+)?"
        ),
    ),
    Rule(
        kind="token",
        signs=("bearer ", "basic "),
        pattern=re.compile(r"(?P<before>(?i:bearer|basic) )[A-Za-z0-9._~+/=-]{16,}"),
    ),
    Rule(kind="token", pattern=re.compile(r"(?P<before>://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)")),
    Rule(
        kind="email",
        signs=("@",),
        pattern=re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?![\w-])"),
    ),
    # With a country's code, or in the ways in which only phone numbers are written.
    Rule(
        kind="phone",
        pattern=re.compile(
            _begins(r"+(\d", r"\w+.-")
            + r"(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-])"
            r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-]))"
        ),
        is_one=_has_phone_length,
    ),
    Rule(
        kind="card",
        pattern=re.compile(_begins(r"\d", r"\w.-") + r"\d(?:[ -]?\d){12,18}(?![\w-])"),
        is_one=_has_card_checksum,
    ),
    # What has no end of its own comes last: it would take with it how others begin, and leave the rest of them.
    # What follows a name that says so: `api_key=…`, `"password": "…"`.
    Rule(
        kind="key",
        signs=("password", "passwd", "secret", *(f"{of}{by}key" for of in ("api", "access") for by in ("", "_", "-"))),
        pattern=re.compile(
            r"""(?P<before>(?i:password|passwd|secret|api[_-]?key|access[_-]?key)"""
            r"""\\{0,31}["']?\s{0,3}[:=]\s{0,3}\\{0,31}["']?)"""
            r"""(?!-----BEGIN)[^\s"',;}]{6,}"""
        ),
    ),
    # To its end, or what was cut of one, with what was found in it.
    Rule(
        kind="key",
        pattern=re.compile(
            r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\:,\[\]]|-(?!----END)){16,}"
            r"(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
        ),
    ),
)
"""In the order in which they are looked for."""


def redactor(kinds: Collection[str]) -> Redactor:
    """One that takes out what is of these kinds, of `RULES`, and says in its place of which kind it was."""
    chosen = [(rule.signs, rule.pattern, _marking(rule)) for rule in RULES if rule.kind in kinds]

    def redact(text: str) -> str:
        folded = text.casefold()
        for signs, pattern, mark in chosen:
            if not signs or any(sign in folded for sign in signs):
                text = pattern.sub(mark, text)
        return text

    return redact


def _marking(rule: Rule) -> Callable[[re.Match[str]], str]:
    def mark(found: re.Match[str]) -> str:
        if not rule.is_one(found[0]):
            return found[0]
        return f"{found.groupdict().get('before') or ''}[{rule.kind}]"

    return mark
