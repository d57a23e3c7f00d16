"""Texts with secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from random import Random

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


CAPITALS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


SECRETS = 1_000
"""Of each kind."""


def _some(random: Random, letters: str, least: int, most: int) -> str:
    return "".join(random.choices(letters, k=random.randint(least, most)))


def _word(random: Random, least: int, most: int) -> str:
    return _some(random, LETTERS + "0123456789", least, most)


def a_key(random: Random) -> str:
    name = random.choice(["password", "API_KEY", "client_secret", "apikey", "access_key"])
    return random.choice(
        [
            f"sk-{_word(random, 20, 60)}",
            f"sk-ant-api03-{_word(random, 40, 90)}-{_word(random, 6, 6)}",
            f"sk-proj-{_word(random, 20, 80)}_{_word(random, 10, 20)}",
            f"sk_live_{_word(random, 24, 24)}",
            f"AKIA{_some(random, CAPITALS_AND_DIGITS, 16, 16)}",
            f"AIza{_word(random, 35, 35)}",
            f"gsk_{_word(random, 48, 52)}",
            f"xai-{_word(random, 40, 80)}",
            f"hf_{_word(random, 34, 34)}",
            f"ghp_{_word(random, 36, 36)}",
            f"github_pat_{_word(random, 22, 22)}_{_word(random, 40, 59)}",
            f"glpat-{_word(random, 20, 20)}",
            f"xoxb-{random.randrange(10**11)}-{_word(random, 24, 24)}",
            f"SG.{_word(random, 22, 22)}.{_word(random, 43, 43)}",
            f"{name}=⟨{_word(random, 8, 40)}⟩",
            f'"{name}": "⟨{_word(random, 8, 40)}⟩"',
            f"-----BEGIN RSA PRIVATE KEY-----\n⟨{base64.b64encode(random.randbytes(600)).decode()}⟩",
        ]
    )


def a_token(random: Random) -> str:
    def part() -> str:
        return base64.urlsafe_b64encode(random.randbytes(random.randint(20, 60))).decode().rstrip("=")

    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": _word(random, 2, 8)}).encode())
    return random.choice(
        [
            f"{header.decode().rstrip('=')}.{part()}.{part()}",
            f"Bearer ⟨{part()}⟩",
            f"Basic ⟨{base64.b64encode(random.randbytes(18)).decode()}⟩",
            f"https://{_word(random, 3, 12)}:⟨{_word(random, 8, 20)}⟩@example.com/",
        ]
    )


def an_email(random: Random) -> str:
    local = random.choice(["{}", "{}.{}", "{}+{}", "{}_{}"]).format(_word(random, 2, 12), _word(random, 2, 12))
    return f"{local}@{_word(random, 2, 12)}.{random.choice(['com', 'org', 'co.uk', 'museum', 'x1.io'])}"


def a_phone_number(random: Random) -> str:
    def digits(count: int) -> str:
        return "".join(random.choices("0123456789", k=count))

    return random.choice(
        [
            f"+1 {digits(3)} {digits(3)} {digits(4)}",
            f"+49 {digits(3)} {digits(4)} {digits(3)}",
            f"+44-{digits(4)}-{digits(3)}-{digits(3)}",
            f"+{digits(2).replace('0', '3')}{digits(10)}",
            f"+1 ({digits(3)}) {digits(3)}-{digits(4)}",
            f"({digits(3)}) {digits(3)}-{digits(4)}",
            f"{digits(3)}-{digits(3)}-{digits(4)}",
            f"{digits(3)}.{digits(3)}.{digits(4)}",
        ]
    )


def a_card_number(random: Random) -> str:
    length = random.choice([13, 15, 16, 16, 16, 19])
    digits = [int(digit) for digit in random.choice(["4", "51", "37", "6011"])]
    digits += random.choices(range(10), k=length - 1 - len(digits))
    total = sum(sum(divmod(2 * digit, 10)) if at % 2 == 0 else digit for at, digit in enumerate(digits[::-1]))
    number = "".join(map(str, [*digits, -total % 10]))
    gap = random.choice(["", " ", "-"])
    return gap.join(number[at : at + 4] for at in range(0, length, 4))


KINDS = {"key": a_key, "token": a_token, "email": an_email, "phone": a_phone_number, "card": a_card_number}


SURROUNDINGS = ["{}", "It is {}.", "use {}, please", '{{"it": "{}"}}', "({})", "it's\n{}\nthere", "<{}>", "«{}»"]


ENCODED: list[Callable[[str], str]] = [str, json.dumps, lambda text: json.dumps(json.dumps(text))]
"""As an app has it that hands on JSON, or JSON within JSON."""


def revealing(secret: str) -> str:
    """The part of it that must not be there any more: what is in angle brackets, or all of it."""
    marked = re.search(r"⟨(.*)⟩", secret, re.DOTALL)
    return marked[1] if marked else secret
