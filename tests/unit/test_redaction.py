"""Redaction of the built-in kinds of secrets in any surroundings; ordinary text is unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel_litellm.redaction import RULES, redactor
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.parsing import REDACTED
from support.logged_warnings import LoggedWarnings
from support.secrets_in_text import (
    ENCODED,
    KEY_FORMATS,
    KINDS,
    NAMED_VALUES,
    SECRETS_PER_KIND,
    SURROUNDINGS,
    random_hex,
    secret_part,
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_secret_is_redacted(kind: str) -> None:
    """Alone, in sentences, brackets, JSON and nested JSON; with all kinds enabled, or only this one."""
    random = Random(kind)
    for redact in (redactor(REDACTED), redactor([kind])):
        for _ in range(SECRETS_PER_KIND):
            secret = KINDS[kind](random)
            text = random.choice(SURROUNDINGS).format(re.sub("[⟨⟩]", "", secret))
            assert secret_part(secret) in text
            for encoded in ENCODED:
                encoded_text = encoded(f"\n{text}")
                assert secret_part(secret) not in redact(encoded_text), encoded_text


@pytest.mark.parametrize("encode", ENCODED)
def test_adjacent_secrets_are_all_redacted(encode: Callable[[str], str]) -> None:
    """The match of a secret must not include the start of the next one. A single space does not separate numbers."""
    random = Random(0)
    redact = redactor(REDACTED)
    for _ in range(SECRETS_PER_KIND):
        secrets = [KINDS[random.choice(sorted(KINDS))](random) for _ in range(5)]
        text = encode(random.choice(["\n", "; ", ", "]).join(re.sub("[⟨⟩]", "", each) for each in secrets))
        assert [each for each in secrets if secret_part(each) in redact(text)] == [], text


def test_a_password_in_nested_json_is_redacted() -> None:
    """Each level of JSON doubles the backslashes before a quote and adds one."""
    text = json.dumps({"password": "hunter2-canary"})
    for _ in range(5):
        text = json.dumps({"result": text})
        assert "canary" not in redactor(REDACTED)(text)


def test_a_private_key_is_redacted_up_to_its_end_marker() -> None:
    """Without an end marker, everything that may belong to the key is redacted."""
    key = f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n{'aB3/' * 16}\n{'cD4+' * 8}==\n"
    end = "-----END RSA PRIVATE KEY-----\n"
    for encode in ENCODED[:2]:
        assert redactor(["key"])(encode(f"{key}{end}and more")) == encode("[key]\nand more")
        assert redactor(["key"])(encode(f'"secret": "{key}and more')) == encode('"secret": "[key]')


@pytest.mark.parametrize("prefix", KEY_FORMATS)
def test_keys_of_known_providers_are_redacted(prefix: str) -> None:
    """No part of the key remains."""
    random = Random(prefix)
    for before in ("", "K=", "(", "_", "--", "%3D", "\\n", "\\u0022"):
        secret = KEY_FORMATS[prefix](random)
        redacted = redactor(REDACTED)(f"use {before}{re.sub('[⟨⟩]', '', secret)}, please")
        assert secret_part(secret)[-8:] not in redacted
        assert redacted.endswith(", please")


@pytest.mark.parametrize("spelling", NAMED_VALUES)
def test_values_named_as_secrets_are_redacted(spelling: str) -> None:
    """In the spellings of JSON, environments, headers, URLs, YAML and Python; to the end of the value."""
    random = Random(spelling)
    for _ in range(20):
        secret = spelling.format(random_hex(random, 24))
        redacted = redactor(REDACTED)(f"use {re.sub('[⟨⟩]', '', secret)} please")
        assert secret_part(secret)[-8:] not in redacted
        assert redacted.endswith(" please")


ORDINARY = [
    "def login(password: str, token: Token | None = None) -> None: self.password = password",
    'headers = {"Authorization": f"Bearer {api_key}", "x-api-key": os.environ["KEY"]}',
    "client = Client(api_key=api_key, token=settings.token, password=get_password())",
    "max_tokens=1000, total_tokens: 12345678, token_count=5, input_cost_per_token: 0.00000012",
    "password: The password of the user. Cookies: they are small. cookies: RequestsCookieJar",
    "git clone ssh://git@host/a/b; https://medium.com/@name/post; http://localhost:8080/@vite/client",
    "2026-12-01T02:41:30.123Z INFO 10.0.0.1 - GET /v1/users/550e8400-e29b-41d4-a716-446655440000 200 12ms",
    ".sk-fading-circle-container { animation: sk-bouncedelay }",
    "commit 4a1f0c9be1d2f3a4b5c6d7e8f90123456789abcd, sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15",
    "The quick brown fox, 12 of 345, on 2026-11-23 at 18:22:53.123456.",
    "Order 1234567890123456 of 9 items at 19.99, invoice 2024-0042-17.",
    "Version 3.11.7, ISBN 978-3-16-148410-0, UUID 550e8400-e29b-41d4-a716-446655440000.",
    "def sort(items): return sorted(items, key=lambda item: item.name)",
    "ask-me-anything-about-task-management; risk-adjusted returns; desk-based research",
    "She said the secret is to listen. The password is changed by the admin. A token of love.",
    "https://example.com/a/b?page=2#top and http://localhost:8080/path",
    "@alice mentioned #topic; a@b; x @ y; 5 + 49 = 54; +1 for that",
    "3.14159265358979323846 and 6.02214076e23 and 0x1F and 1_000_000",
    "日本語のテキスト, émigré, Ελλάδα, 👍🏽, and a tab\tand\nnew lines.",
    "The bearer of this letter; basic understanding of economics; Bearer bonds.",
    "call_abc123, chatcmpl-9xYz, msg_01ABC, file-1, gpt-4o-2024-08-06, claude-sonnet-4-6",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_unchanged(text: str) -> None:
    """Words with `sk-` in them, dates, and numbers without a valid checksum are no secrets."""
    assert redactor(REDACTED)(text) == text


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(categories=["L", "Zs", "Po"], exclude_characters="@:=/\"'"), max_size=200))
def test_letters_and_punctuation_are_unchanged(text: str) -> None:
    """Letters, spaces and punctuation of any script."""
    assert redactor(REDACTED)(text) == text


@pytest.mark.parametrize("character", ["a", "1", " ", "+", "@", "-", ".", "a@", "1-", "sk-", "(1", "://a:", "=' "])
def test_redaction_takes_linear_time(character: str) -> None:
    """Patterns do not backtrack over a text that nearly matches everywhere."""
    assert len(redactor(REDACTED)(character * 200_000)) > 0


@pytest.mark.parametrize(
    "repeated",
    [
        *(" +99999999999999999999x", "+1234567890123456789012x ", "://a:", "://a/", "://a@", "sk-", "-eyJ", "@", "a@"),
        *("password:", "secret   =   ", 'api_key="\\"\'', "-----BEGIN PRIVATE KEY-----", "xoxb-aaaaaaaaa.", "bearer "),
        *(
            "<password>",
            "cookie: a=b;",
            "authorization: a a=b,",
            "token is ",
            "1 2 3 4 5 6 7 8 9 0 ",
            "(123) 123-123x ",
        ),
    ],
)
def test_each_rule_is_fast_on_its_worst_text(repeated: str) -> None:
    """The longest text that is redacted at once, with the text of an anchor everywhere. The limit is several times the
    time that the slowest rule needs, because the machine that runs the test may be busy.
    """
    text = (repeated * 41_000)[:41_000]
    redact = redactor(REDACTED)
    times = []
    for _ in range(3):
        begin = process_time()
        redact(text)
        times.append(process_time() - begin)
    assert min(times) < 0.06


def test_each_kind_can_be_disabled() -> None:
    assert {rule.kind for rule in RULES} == set(REDACTED) == set(KINDS)
    assert redactor(["email"])("ada@example.com, +1 212 555 0100") == "[email], +1 212 555 0100"
    assert redactor(())("ada@example.com") == "ada@example.com"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", REDACTED),
        ("none", ()),
        ("email, CARD", ("email", "card")),
        ("email,faces", REDACTED),
        ("none,key", REDACTED),
    ],
)
def test_the_setting_agentops_redact(
    value: str, expected: tuple[str, ...], logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid value is reported, and then every kind is redacted."""
    monkeypatch.setattr("agentops_otel_litellm.settings.parsing.warned", set())
    assert Settings.from_environment({"AGENTOPS_REDACT": value}).redact == expected
    assert len(logged.take()) == ("faces" in value or value == "none,key")
