"""Redaction of secrets and personal data in content: by the built-in rules, then by the user's redactors.

The patterns of the rules run on texts of any length, on the application's thread. So each begins with a rare character,
and none can backtrack without limit.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from agentops_otel_litellm.settings import Settings

logger = logging.getLogger(__name__)

Redactor = Callable[[str], str]
"""A function that returns a text without its secrets. If it raises, all content of the call is dropped."""
ENTRY_POINTS = "agentops_otel_litellm_redactor"
"""The entry point group for redactors of installed packages. All of them are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pattern for one kind of secret, and a check that excludes similar texts."""

    kind: str
    required_texts: tuple[str, ...] = ()
    """Texts in lower case. A text is searched for the pattern only if it contains one of them."""
    pattern: re.Pattern[str]
    """The group `before` of the pattern, if there is one, stays in the text."""
    is_secret: Callable[[str], bool] = bool
    """Whether a text that matches the pattern is a secret."""


def _digits(found: str) -> list[int]:
    return [int(digit) for digit in found if digit.isdecimal()]


def _has_card_checksum(found: str) -> bool:
    """Luhn's checksum: with every second digit from the right doubled, the sum is a multiple of ten."""
    digits = _digits(found)
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0  # noqa: PLR2004 - ISO 7812


def _has_phone_length(found: str) -> bool:
    return 8 <= len(_digits(found)) <= 15  # noqa: PLR2004 - E.164


def _begins(first: str, others: str) -> str:
    """A pattern for the beginning of a secret. The next character must be one of `first`, and the previous one must
    not be one of `others`, except as the last letter of an escape sequence of JSON, such as the `n` of a
    line break.
    """
    return rf"(?=[{first}])(?:(?<![{others}])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{{4}}))"


_KEYS = (
    r"(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter, LiteLLM, Langfuse
    r"|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}"  # Stripe, and others with the same format
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
    # JSON web tokens, the value of `Authorization`, and credentials in URLs.
    Rule(
        kind="token",
        required_texts=("eyj",),
        pattern=re.compile(
            _begins("e", "A-Za-z0-9_-") + r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+)?"
        ),
    ),
    Rule(
        kind="token",
        required_texts=("bearer ", "basic "),
        pattern=re.compile(r"(?P<before>(?i:bearer|basic) )[A-Za-z0-9._~+/=-]{16,}"),
    ),
    Rule(kind="token", pattern=re.compile(r"(?P<before>://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)")),
    Rule(
        kind="email",
        required_texts=("@",),
        pattern=re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?![\w-])"),
    ),
    # With a country code, or in formats that only phone numbers have.
    Rule(
        kind="phone",
        pattern=re.compile(
            _begins(r"+(\d", r"\w+.-")
            + r"(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-])"
            r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-]))"
        ),
        is_secret=_has_phone_length,
    ),
    Rule(
        kind="card",
        pattern=re.compile(_begins(r"\d", r"\w.-") + r"\d(?:[ -]?\d){12,18}(?![\w-])"),
        is_secret=_has_card_checksum,
    ),
    # The last two patterns have no fixed end. If they were applied first, they would match the beginning of other
    # secrets, and leave the rest in the text.
    # A value after a name that identifies it as a secret: `api_key=…`, `"password": "…"`.
    Rule(
        kind="key",
        required_texts=(
            "password",
            "passwd",
            "secret",
            *(f"{of}{by}key" for of in ("api", "access") for by in ("", "_", "-")),
        ),
        pattern=re.compile(
            r"""(?P<before>(?i:password|passwd|secret|api[_-]?key|access[_-]?key)"""
            r"""\\{0,31}["']?\s{0,3}[:=]\s{0,3}\\{0,31}["']?)"""
            r"""(?!-----BEGIN)[^\s"',;}]{6,}"""
        ),
    ),
    # A private key to its end, or the beginning of one that was cut. It may contain marks of the rules above.
    Rule(
        kind="key",
        pattern=re.compile(
            r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\:,\[\]]|-(?!----END)){16,}"
            r"(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
        ),
    ),
)
"""In the order in which they are applied."""


def redactor(kinds: Collection[str]) -> Redactor:
    """A redactor for these kinds of `RULES`, which replaces each secret by the name of its kind in brackets."""
    chosen = [(rule.required_texts, rule.pattern, _create_mark(rule)) for rule in RULES if rule.kind in kinds]

    def redact(text: str) -> str:
        folded = text.casefold()
        for required_texts, pattern, mark in chosen:
            if not required_texts or any(sign in folded for sign in required_texts):
                text = pattern.sub(mark, text)
        return text

    return redact


def _create_mark(rule: Rule) -> Callable[[re.Match[str]], str]:
    def mark(found: re.Match[str]) -> str:
        if not rule.is_secret(found[0]):
            return found[0]
        return f"{found.groupdict().get('before') or ''}[{rule.kind}]"

    return mark


class Redactors:
    """Loads and returns all redactors. The user's redactors are loaded when the first text is redacted, not earlier:
    their modules may import LiteLLM, and LiteLLM's own import must be complete by then.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: tuple[Redactor, ...] | None = None
        self._has_failed = False
        self._failures = count()
        self._thread = threading.local()

    def __call__(self) -> tuple[Redactor, ...] | None:
        """Return the redactors; `None` if a redactor of the user's cannot be loaded. That is logged once, and then no
        content is recorded.
        """
        if self._all is not None or self._has_failed or self._is_loading:
            return self._all
        # Without a lock, because the imported module may call LiteLLM or wait for a thread that does. Threads that load
        # at the same time wait for each other in Python's import system.
        self._thread.is_loading = True
        try:
            self._all = (redactor(self._settings.redact), *_load_user_redactors(self._settings))
        except _CannotBeLoaded as reason:
            self._fail(reason)
        finally:
            self._thread.is_loading = False
        return self._all

    @property
    def _is_loading(self) -> bool:
        """Whether this thread is importing a redactor's module, which calls LiteLLM during its import."""
        return getattr(self._thread, "is_loading", False)

    def _fail(self, reason: _CannotBeLoaded) -> None:
        # `next` is atomic. A lock could deadlock: a signal handler may interrupt the code that owns it.
        is_first = next(self._failures) == 0
        self._has_failed = True
        if is_first and self._all is None:
            logger.warning("%s. No content is recorded.", reason)


class _CannotBeLoaded(Exception):  # noqa: N818 - an error of the user's redactor, not of this package
    """A redactor of the user's cannot be loaded. The message states which one, and why."""


def _load_user_redactors(settings: Settings) -> Iterator[Redactor]:
    """Load the redactors of installed packages, and the one that AGENTOPS_REDACTOR names."""
    named = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if settings.redactor:
        named["AGENTOPS_REDACTOR"] = settings.redactor
    for name, reference in named.items():
        try:
            loaded = _resolve(reference)
        except (Exception, SystemExit) as fault:  # a program that is imported may exit
            raise _CannotBeLoaded(
                f"The redactor {name}={reference!r} cannot be loaded ({type(fault).__name__})"
            ) from fault
        if not callable(loaded):
            raise _CannotBeLoaded(f"The redactor {name}={reference!r} is not a function (expected `module:function`)")
        yield loaded


def _resolve(reference: str) -> Any:  # noqa: ANN401 - any object can have the name
    module, colon, name = reference.partition(":")
    return resolve_name(f"__main__:{name}" if colon and _is_program(module) else reference)


def _is_program(module: str) -> bool:
    """Whether the module is the running program, which an import would run a second time."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if program is None or module in sys.modules or Path(program).stem != module.rpartition(".")[2]:
        return False
    spec = find_spec(module)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(program).resolve()
