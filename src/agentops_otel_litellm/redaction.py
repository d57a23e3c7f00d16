"""Functions that remove secrets and personal data from message content, names of models, and printed settings.

They run on long and on hostile texts, on the application's thread. So each rule first searches for its anchors, literal
texts that every secret of its kind contains. That is fast, and most texts have few anchors. Patterns are tried only
where an anchor is, and fail within a limited number of characters, so that a rule takes time linear in the text.
docs/decisions/0015-own-redaction-rules.md has the reasons for rules of this package instead of a library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

Redactor = Callable[[str], str]
"""A function that returns a text without its secrets. If it raises, all content of the call is dropped."""


# --- the position of secrets ------------------------------------------------------------------------------

Span = tuple[int, int]
"""The positions of the first character of a secret and of the one after its last."""

_LOWER = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789", b"abcdefghijklmnopqrstuvwxyz000000000")


def _marking(characters: bytes) -> bytes:
    """A table for `bytes.translate` that maps these characters and all letters and digits to `a`, others to a space."""
    return bytes(97 if bytes((each,)).isalnum() or each in characters else 32 for each in range(256))


_WORDS = _marking(b"_-")
_UNBROKEN = _marking(b"_-.~+/=%")
_RUN = b"a" * 16
"""Most secrets have at least this number of characters in a row without a space. Prose hardly ever has."""


def _shape(text: str) -> bytes:
    """The text with one ASCII character for each of its characters, in lower case and with `0` for every digit. Rules
    search it for their anchors, because a search of bytes is fast. A position in it is a position in the text.
    """
    return text.encode("ascii", "replace").translate(_LOWER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one kind of secret is found."""

    kind: str
    anchors: tuple[bytes, ...]
    """Only a text whose shape has one of them can contain the secret."""
    is_long: bool = True
    """Whether the secret has 16 characters or more in a row of those in `_UNBROKEN`."""
    find: Callable[[str, bytes], Iterator[Span]]
    """Yields the secrets in a text, of which it gets the shape as well. Takes time linear in the text's length."""


def _anchored(kind: str, anchors: tuple[bytes, ...], pattern: str, *, before: int = 0) -> Rule:
    """A rule that tries a pattern only `before` characters before an anchor. The secret is the pattern's group
    `secret`. The pattern must fail within a limited number of characters.
    """
    compiled = re.compile(pattern)

    def find(text: str, shape: bytes) -> Iterator[Span]:
        for anchor in anchors:
            at = shape.find(anchor)
            while at >= 0:
                found = compiled.match(text, at - before) if at >= before else None
                if found is not None:
                    yield found.span("secret")
                at = shape.find(anchor, max(at + 1, found.end() if found else 0))

    return Rule(kind=kind, anchors=anchors, find=find)


_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
"""A key begins after a character that cannot be part of a word, or after an escape sequence of JSON or of a URL."""
_PREFIXES = (
    *("sk-", "pk-", "rk-", "csk-", "gsk_", "xai-", "tgp_v1_", "fw_", "r8_", "pplx-", "hf_", "api_org_", "nvapi-"),
    *("jina_", "tvly-", "pcsk_", "lsv2_pt_", "lsv2_sk_", "bedrock-api-key-", "voyage-", "pa-", "ak-"),  # models, tools
    *("sk_", "pk_", "rk_", "sk_live_", "sk_test_", "rk_live_", "whsec_", "sq0csp-", "sq0atp-", "shpat_", "shpss_"),
    *("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "ATBB"),
    *("xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "xoxe.", "xapp-", "SG.", "lin_api_", "ntn_", "secret_"),
    *("npm_", "pypi-", "rubygems_", "dckr_pat_", "dop_v1_", "doo_v1_", "HRKU-", "hvs.", "hvb.", "dp.pt.", "dp.st."),
    *("figd_", "sbp_", "sb_secret_", "pscale_tkn_", "pscale_pw_", "napi_", "NRAK-", "glsa_", "glc_", "hcaik_"),
    *("GOCSPX-", "ya29.", "AGE-SECRET-KEY-1", "PMAK-", "pul-", "GR1348941", "v1.0-", "ATATT3", "ABSK"),
)
_FORMATS = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",  # AWS
    *(r"AIza[\w-]{35}", r"1//0[\w-]{30,}"),  # Google
    *(r"dapi[0-9a-f]{32}", r"fc-[0-9a-f]{32}", r"key-[0-9a-f]{32}", r"SK[0-9a-f]{32}", r"BSA[\w-]{28}"),
    *(r"EAA[A-Za-z0-9]{80,}", r"A{21}[\w%-]{60,}", r"xox[abeprs]-[A-Za-z0-9-]{10,}"),  # Facebook, Twitter, Slack
    *(r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}", r"s\.[A-Za-z0-9]{24}(?!\w)"),  # Discord, Vault
    r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",  # Airtable
)


def _by_first_letter(texts: Iterable[str]) -> str:
    """A pattern for one of the texts. Grouping by the first letter makes the search faster."""
    groups: dict[str, list[str]] = {}
    for each in sorted(texts, key=len, reverse=True):
        groups.setdefault(each[0], []).append(re.escape(each[1:]))
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items())


_KEY = re.compile(
    rf"{_START}(?:(?:{_by_first_letter(_PREFIXES)})(?P<rest>[\w-]{{16,}})|{'|'.join(_FORMATS)})", re.ASCII
)
_KEY_END = re.compile(r"\w*(?:[.~+/=:$%-]{1,2}\w+)*=*", re.ASCII)
"""What follows the recognised part of a key without a gap, and may belong to it."""
_LONGEST_PREFIX = 40
_WORDS_ONLY = re.compile(r"(?:[a-z]*|[a-z0-9]{1,4})(?:[_-](?:[a-z]*|[a-z0-9]{1,4}))+")


def _find_keys(text: str, shape: bytes) -> Iterator[Span]:
    """Keys with the prefix or the format of a known provider: searched only in long runs of word characters."""
    words = shape.translate(_WORDS)
    end = 0
    at = words.find(_RUN)
    while at >= 0:
        limit = words.find(b" ", at)
        limit = len(words) if limit < 0 else limit
        begin = max(at - _LONGEST_PREFIX, end)
        while (found := _KEY.search(text, begin, limit)) is not None:
            begin = end = found.end()
            # Words and short numbers with hyphens between them, such as `sk-fading-circle-2`, are a name.
            if not _WORDS_ONLY.fullmatch(found["rest"] or ""):
                begin = end = _KEY_END.match(text, end).end()  # type: ignore[union-attr]  # it matches an empty text
                yield found.start(), end
            if begin >= limit:
                break
        at = words.find(_RUN, max(limit, end))


_ADDRESS_END = re.compile(r"[\s\"'<>`\\]")
_AUTHORITY = re.compile(r"[^/?#]*")
_MIN_USER_TOKEN = 16
"""Length of a user name that is assumed to be a token. A shorter one, as in `ssh://git@host`, is no secret."""


def _find_url_passwords(text: str, shape: bytes) -> Iterator[Span]:
    """The user information of URLs, whatever characters the password contains."""
    at, end = shape.find(b"://"), 0
    while at >= 0:
        begin = at + 3
        if begin >= end:
            stop = _ADDRESS_END.search(text, begin, begin + 1_024)
            end = stop.start() if stop else min(begin + 1_024, len(text))
        last = text.rfind("@", begin, end)
        if last < 0:
            begin = end
        elif last > begin:
            authority = _AUTHORITY.match(text, begin, end)[0]  # type: ignore[index]  # it matches an empty text
            if "@" in authority:
                last = begin + authority.rindex("@")
            _, colon, port = authority.partition(":")
            is_host = "@" not in authority and (not port or port.isdecimal())
            if not is_host and (colon or last - begin >= _MIN_USER_TOKEN):
                yield begin, last
                begin = last
        at = shape.find(b"://", begin)


_PARAMETER = re.compile(
    r"=(?:(?<=[?&;]key=)|(?<=[?&;]sig=)|(?<=signature=)|(?<=Signature=)|(?<=-Credential=))([^&\s\"'#<>\\]{8,})"
)


def _find_url_parameters(text: str, shape: bytes) -> Iterator[Span]:  # noqa: ARG001 - a rule's signature
    """Keys and signatures in the query of a URL."""
    for found in _PARAMETER.finditer(text):
        yield found.span(1)


# --- values after a name that identifies them as secrets ---

_NAMES = {
    b"pass": re.compile(rb"pass(?:word|wd|phrase|code|wort)s?|(?<=[_.-])pass|(?<![a-z])pass(?==)"),
    b"pwd": re.compile(rb"pwd"),
    b"secret": re.compile(rb"secrets?"),
    b"token": re.compile(rb"token(?!s|iz)"),
    b"credential": re.compile(rb"credentials?"),
    b"authorization": re.compile(rb"authorization"),
    b"cookie": re.compile(rb"cookies?"),
    b"key": re.compile(rb"key(?!s?[a-z])"),
}
_KEYS_OF = (
    *(b"api", b"access", b"private", b"secret", b"account", b"encryption", b"signing", b"subscription", b"master"),
    *(b"auth", b"license", b"webhook", b"deploy", b"service", b"client", b"session", b"shared"),
)
_SEPARATOR = re.compile(
    rb"(?:[_.-]?(?:key|id|value|hash|string|base00|0{1,4}|prod|dev|test|live)){0,2}"
    rb"(?:(?P<quote>\\{0,31}[\"'])?\]?(?P<space>\s{0,3})(?P<sign>:=|=>|[:=](?!=)|%0d)\s{0,3}"
    rb"(?:(?:str|string|bytes|secretstr|any|optional\[str\])(?:\s?\|\s?(?:none|null|undefined))?\s{0,3}=\s{0,3})?"
    rb"|(?P<is>\s{1,3}is:?\s{1,3})|(?P<xml>>)|(?P<cli>\s))"
)
_ELEMENT = re.compile(r"[^<>]{1,1024}(?=</)")
_OPTION = re.compile(rb"(?:^|\s)--[\w-]*$")
_QUOTE = re.compile(rb"[rbuf]{0,2}(\\{0,31}[\"'`])")
_PLAIN_VALUE = re.compile(r"""(?:[^\s"'`<>&;,\\]|[;,](?!\s|$|[\w .-]{1,30}[=:])|\\(?![nrt"'\\]))+""")
_HEADER_VALUE = re.compile(
    r"""(?:[A-Za-z][\w-]{1,31} +)?[^\s,;"'`<>\\]+(?:[,;] *[\w.-]+=(?:\\*"[^"\n\\]*\\*"|[^\s,;"'`<>\\]*))*"""
)
_UNTIL_QUOTE = re.compile(r"[^\n\"'`]*")
_HEADERS = {
    b"authorization": re.compile(r"\d|^(?:bearer|basic|token|digest|apikey|negotiate) ", re.IGNORECASE),
    b"cookie": re.compile(r"[\w-]=[^\s=]"),
}
"""Name of a header → what its value must have to be one, rather than a word of prose or the type of a variable."""
_SCHEME = re.compile(r"\s*(?:bearer|basic|token|digest|apikey|negotiate)?\s*", re.IGNORECASE)
_FILLED_IN_LATER = re.compile(r"\$?\{[^}]*\}|\$\([^)]*\)|\$\w+|%s|%\(\w+\)s|<[^>]*>|\*{3,}|\.{3}|…")
_CODE = re.compile(r"[A-Za-z_][\w.]*[(\[]|[\[({$<%*|]|(?:self|os|settings|config|request|response|args)\.")
_WORD = re.compile(r"[A-Za-z_]?[a-z_]*(?:\.[a-z_]+)*")
_IDENTIFIER = re.compile(r"[A-Za-z_.]{1,40}|\w+_key\w*")
_REFERENCE = re.compile(r"pass|pwd|secret|token|credential|cookie|(?:api|[_.]|^)_?key", re.IGNORECASE)
"""A variable whose name says that its value is a secret, as in `password=new_password`."""
_RANDOM = re.compile(r"\d|[a-z][A-Z]")
_RANDOM_PART = re.compile(r"(?![A-Z0-9]{8})(?:[a-z+]{0,4}[A-Z0-9]){8}")
_NUMBER = re.compile(r"[\d.,_]+(?:[eE]-?\d+)?")
_LONG_NUMBER = 16
"""Number of digits of a secret that is a number. Shorter numbers may be counts or prices of tokens."""
_OF_PASSWORDS = frozenset({b"pass", b"pwd"})
_NO_SECRETS = frozenset(
    {
        *("str", "string", "bytes", "text", "int", "bool", "float", "number", "object", "array", "none", "null", "nil"),
        *("true", "false", "any", "optional", "required", "undefined", "hidden", "redacted", "changeme"),
        *("password", "token", "secret", "bearer", "basic"),
    }
)


def _find_named_values(text: str, shape: bytes) -> Iterator[Span]:
    """The values of `password=…`, `"api_key": "…"`, `Authorization: …` and so on, to the end of a quoted string."""
    for anchor, pattern in _NAMES.items():
        at = shape.find(anchor)
        while at >= 0:
            end = at + len(anchor)
            name = pattern.match(shape, at)
            if name is not None and (anchor != b"key" or _is_secret_key(shape, at)):
                separator = _SEPARATOR.match(shape, name.end())
                found = separator and _value_after(text, shape, separator, anchor, at)
                if found:
                    yield found
                    end = found[1]
            at = shape.find(anchor, end)


def _is_secret_key(shape: bytes, at: int) -> bool:
    return shape[max(at - 16, 0) : at].rstrip(b"_-. ").endswith(_KEYS_OF)


def _value_after(text: str, shape: bytes, separator: re.Match[bytes], anchor: bytes, at: int) -> Span | None:
    """The value after a name and a separator, unless it is a word, code, or a place to be filled in later."""
    begin = separator.end()
    before = shape[max(at - 24, 0) : at]
    quote = _QUOTE.match(shape, begin)
    if (separator["cli"] and not _OPTION.search(before)) or (separator["xml"] and b"<" not in before):
        return None
    if separator["xml"]:
        return _span(_ELEMENT.match(text, begin))
    if quote is not None:
        return _quoted_value(text, quote, is_end=separator["sign"] == b":" and not separator["quote"])
    if anchor in _HEADERS:
        header = _HEADER_VALUE.match(text, begin)
        return _span(header if header and _HEADERS[anchor].search(header[0]) else None)
    found = _PLAIN_VALUE.match(text, begin)
    if found is None or _CODE.match(found[0]) or (separator["is"] and not _RANDOM.search(found[0])):
        return None
    end = begin + len(found[0].rstrip(",;.:)]}!?"))
    is_assigned = bool(separator["sign"]) and separator["sign"] != b":" and not separator["space"]
    value, after = text[begin:end], text[end : end + 1]
    is_random = _RANDOM_PART.search(value, 0, 64) is not None
    return (begin, end) if is_random or _is_secret_value(value, after, anchor in _OF_PASSWORDS, is_assigned) else None


def _span(found: re.Match[str] | None) -> Span | None:
    return found.span() if found else None


def _quoted_value(text: str, quote: re.Match[bytes], *, is_end: bool) -> Span | None:
    begin = quote.end()
    end = _closing_quote(text, quote[1].decode(), begin)
    value, filled_in = _FILLED_IN_LATER.subn("", text[begin:end])
    if filled_in and not any(map(str.isalnum, value)):
        return None
    value = value[_SCHEME.match(value).end() :]  # type: ignore[union-attr]  # it matches an empty text
    # If a comma or a bracket follows, the quote may be the end of a string, such as the prompt `'Password: '`.
    is_text = not value or (is_end and value[0] in ",)]}") or value.isspace() or value.lower() in _NO_SECRETS
    return None if is_text else (begin, end)


def _closing_quote(text: str, quote: str, begin: int) -> int:
    """The position of the quote that closes a string; of the end of the line or of the next quote if there is none."""
    at = text.find(quote, begin)
    while at > begin and text[at - 1] == "\\" and (at - begin < 2 or text[at - 2] != "\\" or len(quote) > 1):  # noqa: PLR2004
        at = text.find(quote, at + 1)
    if at >= 0:
        return at
    return _UNTIL_QUOTE.match(text, begin).end()  # type: ignore[union-attr]  # it matches an empty text


def _is_secret_value(value: str, after: str, is_password: bool, is_assigned: bool) -> bool:  # noqa: FBT001
    """Whether a value without quotes is a secret, rather than a word of prose, a number, or the name of a variable.

    `after` is the next character. `is_assigned` is whether there is only an equals sign before the value, as in a URL.
    """
    if value.lower() in _NO_SECRETS or len(value) < (4 if is_password else 6) or value[0] in "/~":
        return False
    if _NUMBER.fullmatch(value):
        return is_password or len(value) >= _LONG_NUMBER
    if _IDENTIFIER.fullmatch(value) and (_REFERENCE.search(value) or not (is_password or is_assigned)):
        return False
    if not _WORD.fullmatch(value):
        return True
    if is_assigned:
        return "." not in value and (is_password or after not in {",", ")"})
    return is_password and "_" not in value and after in {"", "\r", "\n"}


# --- personal data ---

_LOCAL = re.compile(r"[\w.+-]+")
_DOMAIN = re.compile(r"@(?<=[\w.+-]@)[^\W_][\w-]{0,62}(?:\.[\w-]{1,63}){1,8}")
_LONGEST_LOCAL = 64  # RFC 5321


def _find_emails(text: str, shape: bytes) -> Iterator[Span]:  # noqa: ARG001 - a rule's signature
    for domain in _DOMAIN.finditer(text):
        at = domain.start()
        local = _LOCAL.match(text[max(at - _LONGEST_LOCAL - 1, 0) : at][::-1])
        if local is not None and local.end() <= _LONGEST_LOCAL:
            yield at - local.end(), domain.end()


_NUMBER_START = r"(?:(?<![\w.+-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
_PHONE = re.compile(
    _NUMBER_START
    + r"(?:\+(?!\d{16}|\d{1,15}[A-Za-z_])\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-])"
    r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-]))"
)
_CARD = re.compile(_NUMBER_START + r"(?:\d(?:[ -]?\d){12,18}|\d{4}(?:\.\d{4}){3})(?![\w-])")
_CARD_DIGITS = b"0" * 13


def _find_phones(text: str, shape: bytes) -> Iterator[Span]:
    for anchor in (b"+0", b"(000)", b"000-000-0000", b"000.000.0000", b"000.000-0000", b"000-000.0000"):
        at = shape.find(anchor)
        while at >= 0:
            found = _PHONE.match(text, at)
            if found and 8 <= sum(map(str.isdecimal, found[0])) <= 15:  # noqa: PLR2004 - E.164
                yield found.span()
            at = shape.find(anchor, found.end() if found else at + 1)


def _find_cards(text: str, shape: bytes) -> Iterator[Span]:
    if _CARD_DIGITS in shape.translate(None, b" -."):
        for found in _CARD.finditer(text):
            if _has_card_checksum(found[0]):
                yield found.span()


def _has_card_checksum(found: str) -> bool:
    """Luhn's checksum: with every second digit from the right doubled, the sum is a multiple of ten."""
    digits = [int(digit) for digit in found if digit.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0  # noqa: PLR2004 - ISO 7812


RULES: tuple[Rule, ...] = (
    Rule(kind="key", anchors=(b"",), find=_find_keys),
    Rule(kind="key", anchors=tuple(_NAMES), is_long=False, find=_find_named_values),
    _anchored(
        "key",
        (b"-----begin ",),
        r"(?P<secret>-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[A-Za-z0-9+/=\s\\:,.()\[\]]|-(?!----)){16,}(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?)?)",
    ),
    _anchored("key", (b"private-lines:",), r"Private-Lines: \d{1,4}(?P<secret>[A-Za-z0-9+/=\s\\]{16,})"),
    _anchored(
        "token",
        (b"eyj",),
        r"(?:(?<![\w-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))(?P<secret>eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]+)*)",
    ),
    _anchored(
        "token",
        (b"bearer", b"basic"),
        r"(?:[Bb]earer|[Bb]asic|BEARER|BASIC)(?: |%20|\+)(?P<secret>[A-Za-z0-9._~+/=-]{16,})",
    ),
    Rule(kind="token", anchors=(b"=",), is_long=False, find=_find_url_parameters),
    _anchored(
        "token",
        (b"hooks.slack.com/services/", b"/api/webhooks/"),
        r"(?:hooks\.slack\.com/services/|/api/webhooks/)(?P<secret>[\w/-]{16,})",
    ),
    _anchored(
        "key",
        (b"absk", b"bedrock-api-key-", b"iqojb0jpz0lu", b"glc_"),  # AWS, Grafana
        _START + r"(?P<secret>(?:ABSK|bedrock-api-key-|IQoJb3JpZ2lu|glc_)[\w+/-]{40,}=*)",
    ),
    _anchored("key", (b"access_token$prod",), r"(?P<secret>access_token\$production\$\w{16}\$[0-9a-f]{32})"),  # PayPal
    _anchored("key", (b":aa",), r"(?P<secret>\d{8}:AA[\w-]{33})", before=8),  # Telegram
    _anchored("key", (b"0q~",), r"(?P<secret>[A-Za-z0-9]{3}8Q~[\w.~-]{31,})", before=3),  # Azure
    _anchored("key", (b"jqqj00",), r"(?P<secret>[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{10,})", before=52),  # Azure
    _anchored("key", (b".atlasv0.",), r"(?P<secret>[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,})", before=14),  # Terraform
    _anchored("key", (b"-us0",), r"(?P<secret>[0-9a-f]{32}-us\d{1,2})", before=32),  # Mailchimp
    Rule(kind="token", anchors=(b"://",), is_long=False, find=_find_url_passwords),
    Rule(kind="email", anchors=(b"@",), is_long=False, find=_find_emails),
    Rule(kind="phone", anchors=(b"0",), is_long=False, find=_find_phones),
    Rule(kind="card", anchors=(b"0",), is_long=False, find=_find_cards),
)
"""If two rules find overlapping secrets, the mark has the kind of the first rule."""


def redactor(kinds: Collection[str], mark: str = "[{}]") -> Redactor:
    """Return a redactor that applies the rules of these kinds. It replaces each secret by a mark such as `[email]`, or
    by `mark`, in which `{}` stands for the kind.
    """
    chosen = [rule for rule in RULES if rule.kind in kinds]
    of_short_secrets = [rule for rule in chosen if not rule.is_long]

    def redact(text: str) -> str:
        if len(text) < _SHORTEST:
            return text
        shape = _shape(text)
        has_run = _RUN in shape.translate(_UNBROKEN)
        found = [
            (*span, mark.format(rule.kind))
            for rule in (chosen if has_run else of_short_secrets)
            if any(map(shape.__contains__, rule.anchors))
            for span in rule.find(text, shape)
        ]
        return _replace(text, found) if found else text

    return redact


_SHORTEST = 6
"""Length of the shortest secret that can be recognised by itself, without a name before it."""


def _replace(text: str, found: list[tuple[int, int, str]]) -> str:
    """Replace secrets by marks. Overlapping secrets are replaced together."""
    parts: list[str] = []
    end = 0
    for begin, until, mark in sorted(found, key=itemgetter(0)):
        if begin >= end:
            parts += (text[end:begin], mark)
        end = max(end, until)
    return "".join((*parts, text[end:]))
