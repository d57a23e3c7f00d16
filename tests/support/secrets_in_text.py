"""Texts with secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from random import Random

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


CAPITALS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


SECRETS_PER_KIND = 1_000
"""Of each kind."""


def _random_text(random: Random, letters: str, least: int, most: int) -> str:
    return "".join(random.choices(letters, k=random.randint(least, most)))


def _random_word(random: Random, least: int, most: int) -> str:
    return _random_text(random, LETTERS + "0123456789", least, most)


def random_key(random: Random) -> str:
    name = random.choice(["password", "API_KEY", "client_secret", "apikey", "access_key"])
    return random.choice(
        [
            f"sk-{_random_word(random, 20, 60)}",
            f"sk-ant-api03-{_random_word(random, 40, 90)}-{_random_word(random, 6, 6)}",
            f"sk-proj-{_random_word(random, 20, 80)}_{_random_word(random, 10, 20)}",
            f"sk_live_{_random_word(random, 24, 24)}",
            f"AKIA{_random_text(random, CAPITALS_AND_DIGITS, 16, 16)}",
            f"AIza{_random_word(random, 35, 35)}",
            f"gsk_{_random_word(random, 48, 52)}",
            f"xai-{_random_word(random, 40, 80)}",
            f"hf_{_random_word(random, 34, 34)}",
            f"ghp_{_random_word(random, 36, 36)}",
            f"github_pat_{_random_word(random, 22, 22)}_{_random_word(random, 40, 59)}",
            f"glpat-{_random_word(random, 20, 20)}",
            f"xoxb-{random.randrange(10**11)}-{_random_word(random, 24, 24)}",
            f"SG.{_random_word(random, 22, 22)}.{_random_word(random, 43, 43)}",
            f"{name}=⟨{_random_word(random, 8, 40)}⟩",
            f'"{name}": "⟨{_random_word(random, 8, 40)}⟩"',
            f"-----BEGIN RSA PRIVATE KEY-----\n⟨{base64.b64encode(random.randbytes(600)).decode()}⟩",
        ]
    )


def random_token(random: Random) -> str:
    def part() -> str:
        return base64.urlsafe_b64encode(random.randbytes(random.randint(20, 60))).decode().rstrip("=")

    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": _random_word(random, 2, 8)}).encode())
    return random.choice(
        [
            f"{header.decode().rstrip('=')}.{part()}.{part()}",
            f"Bearer ⟨{part()}⟩",
            f"Basic ⟨{base64.b64encode(random.randbytes(18)).decode()}⟩",
            f"https://{_random_word(random, 3, 12)}:⟨{_random_word(random, 8, 20)}⟩@example.com/",
        ]
    )


def random_email(random: Random) -> str:
    local = random.choice(["{}", "{}.{}", "{}+{}", "{}_{}"]).format(
        _random_word(random, 2, 12), _random_word(random, 2, 12)
    )
    return f"{local}@{_random_word(random, 2, 12)}.{random.choice(['com', 'org', 'co.uk', 'museum', 'x1.io'])}"


def random_phone_number(random: Random) -> str:
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


def random_card_number(random: Random) -> str:
    length = random.choice([13, 15, 16, 16, 16, 19])
    digits = [int(digit) for digit in random.choice(["4", "51", "37", "6011"])]
    digits += random.choices(range(10), k=length - 1 - len(digits))
    total = sum(sum(divmod(2 * digit, 10)) if at % 2 == 0 else digit for at, digit in enumerate(digits[::-1]))
    number = "".join(map(str, [*digits, -total % 10]))
    gap = random.choice(["", " ", "-"])
    return gap.join(number[at : at + 4] for at in range(0, length, 4))


KINDS = {
    "key": random_key,
    "token": random_token,
    "email": random_email,
    "phone": random_phone_number,
    "card": random_card_number,
}


def random_hex(random: Random, length: int) -> str:
    return _random_text(random, "0123456789abcdef", length, length)


KEY_FORMATS: dict[str, Callable[[Random], str]] = {
    prefix: lambda random, prefix=prefix: f"{prefix}⟨{_random_word(random, 32, 60)}⟩"  # type: ignore[misc]  # a default binds it
    for prefix in (
        *("sk-", "sk-proj-", "sk-svcacct-", "sk-ant-api03-", "sk-or-v1-", "sk-lf-", "csk-", "gsk_", "xai-", "tgp_v1_"),
        *(
            "fw_",
            "r8_",
            "pplx-",
            "hf_",
            "api_org_",
            "nvapi-",
            "jina_",
            "tvly-",
            "pcsk_",
            "lsv2_pt_",
            "GOCSPX-",
            "ya29.",
        ),
        *("ghp_", "github_pat_", "gho_", "glpat-", "gldt-", "glrt-", "ATATT3", "xoxb-", "xapp-", "SG.", "ya29."),
        *("lin_api_", "ntn_", "npm_", "pypi-", "rubygems_", "dckr_pat_", "dop_v1_", "HRKU-", "hvs.", "dp.pt.", "figd_"),
        *(
            "sbp_",
            "sb_secret_",
            "pscale_tkn_",
            "napi_",
            "NRAK-",
            "glsa_",
            "hcaik_",
            "shpat_",
            "sq0csp-",
            "whsec_",
            "rk_live_",
        ),
        *("rk_live_", "AGE-SECRET-KEY-1", "PMAK-", "pul-", "1//0"),
    )
}
"""Prefix of keys of a provider → function that creates one."""

NAMED_VALUES = (
    *('{{"password": "⟨{}⟩"}}', '{{"access_token": "⟨{}⟩"}}', '{{"secretKey": "⟨{}⟩"}}', '{{"accessKey": "⟨{}⟩"}}'),
    *("DB_PASS=⟨{}⟩", "PASSWORD=⟨{}⟩", "AUTH_TOKEN=⟨{}⟩", "ENCRYPTION_KEY=⟨{}⟩", "aws_secret_access_key = ⟨{}⟩"),
    *("Authorization: ApiKey ⟨{}⟩", "Authorization: Token ⟨{}⟩", "x-api-key: ⟨{}⟩", "Cookie: session=⟨{}⟩"),
    *("Ocp-Apim-Subscription-Key: ⟨{}⟩", "Proxy-Authorization: Basic ⟨{}⟩", "Set-Cookie: auth=⟨{}⟩; HttpOnly"),
    *(
        "https://x/y?access_token=⟨{}⟩&z=1",
        "https://maps/api?key=⟨{}⟩&x=1",
        "jdbc:sqlserver://h;user=sa;password=⟨{}⟩;",
    ),
    *("Server=h;Uid=sa;Pwd=⟨{}⟩;", "password: ⟨{}⟩", "password: '⟨{}⟩'", 'connect(password="⟨{}⟩")', "credential=⟨{}⟩"),
    *('$password = "⟨{}⟩"', "my api key is ⟨{}⟩", "APIKEY: ⟨{}⟩", "api.key=⟨{}⟩", "<password>⟨{}⟩</password>"),
    *("mysql --password ⟨{}⟩ -u root", 'password: str = "⟨{}⟩"', "passphrase=⟨{}⟩", "AccountKey=⟨{}⟩;EndpointSuffix=x"),
    *("postgres://u:⟨p@s{}⟩@h/db", "postgres://u:⟨pa/s{}⟩@h/db", "redis://:⟨{}⟩@h:6379/0", "https://⟨{}⟩@github.com/x"),
    *("private_key: ⟨{}⟩", 'headers = {{"authorization": "Bearer ⟨{}⟩"}}', '"password": "⟨two words, {}⟩"'),
)
"""Spellings of a secret's name and its value."""


SURROUNDINGS = ["{}", "It is {}.", "use {}, please", '{{"it": "{}"}}', "({})", "it's\n{}\nthere", "<{}>", "«{}»"]


ENCODED: list[Callable[[str], str]] = [str, json.dumps, lambda text: json.dumps(json.dumps(text))]
"""As plain text, JSON, and JSON within JSON."""


def secret_part(secret: str) -> str:
    """The part that must be redacted: the text in angle brackets, or all of it."""
    marked = re.search(r"⟨(.*)⟩", secret, re.DOTALL)
    return marked[1] if marked else secret
