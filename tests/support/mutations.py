"""Mutations of a provider's reply: each takes a random generator and a reply, and returns a reply that is broken.

Bodies lose fields, or get values that are null, of another type, duplicated or huge. Streams are reordered, repeated,
shortened, cut at any byte and split at any byte as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from support.servers.wire import Reply

JSON = Any
Slot = tuple[Any, Any]
"""A container, and the key or index of a value in it."""
Mutation = Callable[[Random, Reply], "Mutated"]

_REPEATED = "repeated key: "
_LONG = 20_000
_NESTED = 60
"""Levels of nesting, well below the recursion limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutated:
    """A mutated reply, and a description of the mutation."""

    description: str
    reply: Reply


def _nested(levels: int) -> JSON:
    value: JSON = "core"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


VALUES: tuple[JSON, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 1e30, -1e308, 10**400, float("nan"), float("inf")),
    *("", "text", "7", "\ud800", "\x00", "x" * _LONG, "completed", "error", "function"),
    *([], {}, [None], [[]], [{}], {"a": 1}, {"": None}, ["x"] * 2_000, _nested(_NESTED)),
)
"""Replacements of a field."""
BODIES: tuple[bytes, ...] = (
    *(b"", b"null", b"[]", b"{}", b"7", b'"text"', b"[null]", b"not JSON", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{" * 50),
    *(b'{"error": null}', b'{"error": "text"}', b'{"error": {}}', b'{"error": {"code": {"a": 1}}}', b"<html></html>"),
)
"""Replacements of a whole body."""
EVENTS: tuple[bytes, ...] = (
    *(
        b"data: null\n\n",
        b"data: []\n\n",
        b"data: {}\n\n",
        b"data: 7\n\n",
        b"data:\n\n",
        b"data: {\n\n",
        b"data: \xff\n\n",
    ),
    *(
        b": comment\n\n",
        b"event: unknown\ndata: {}\n\n",
        b"id: 1\nretry: 1\n\n",
        b"\n\n\n\n",
        b"\r\n",
        b"data: [DONE]\n\n",
    ),
    *(b'data: {"error": {"message": "no", "code": {"a": 1}}}\n\n', b'data: {"error": "no"}\n\n'),
    *(b'data: {"type": "error", "error": null}\n\n', b'data: {"choices": null}\n\n', b'data: {"choices": [null]}\n\n'),
    *(b'data: {"type": "unknown.event"}\n\n', b'data: {"candidates": [{}]}\n\n', b"{}\n", b"null\n"),
)
"""Events that are inserted into a stream."""


# --- JSON ----------------------------------------------------------------------------------------------------


def slots(value: JSON) -> Iterator[Slot]:
    """All positions in a value, as container and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from slots(inner)


def mutate_json(random: Random, value: JSON) -> tuple[str, JSON]:
    """Mutate one to three fields at any depth; return descriptions and the result."""
    value = deepcopy(value)
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        found = list(slots(value))
        if not found:
            break
        container, key = random.choice(found)
        how = random.choice(("remove", "null", "replace", "replace", "repeat", "rename", "swap"))
        done.append(f"{how} {key!r}")
        if how == "remove":
            del container[key]
        elif how == "null":
            container[key] = None
        elif how == "replace":
            container[key] = deepcopy(random.choice(VALUES))
            done[-1] += f" by {str(container[key])[:40]!r}"
        elif how == "repeat" and isinstance(container, list):
            container[key:key] = [deepcopy(container[key]) for _ in range(random.choice((1, 2, 300)))]
        elif how == "repeat":
            container[f"{_REPEATED}{key}"] = deepcopy(random.choice((container[key], None, 7)))
        elif how == "rename" and isinstance(container, dict):
            container[f"{key}_"] = container.pop(key)
        else:
            other, place = random.choice(found)
            if isinstance(other, dict) or (isinstance(place, int) and place < len(other)):
                container[key] = deepcopy(other.get(place) if isinstance(other, dict) else other[place])
    return ", ".join(done), value


def encoded(value: JSON) -> bytes:
    """JSON in which the keys that a mutation has repeated are repeated."""
    return json.dumps(value).replace(f'"{_REPEATED}', '"').encode()


# --- bodies --------------------------------------------------------------------------------------------------


def _whole(reply: Reply) -> bytes:
    return reply.body if isinstance(reply.body, bytes) else encoded(reply.body)


def change_body(random: Random, reply: Reply) -> Mutated:
    if isinstance(reply.body, bytes):
        return cut_body(random, reply)
    done, body = mutate_json(random, reply.body)
    return Mutated(description=f"body: {done}", reply=replace(reply, body=encoded(body)))


def replace_body(random: Random, reply: Reply) -> Mutated:
    body = random.choice(BODIES)
    return Mutated(description=f"body: {body[:60]!r}", reply=replace(reply, body=body))


def cut_body(random: Random, reply: Reply) -> Mutated:
    """End the body or the connection early."""
    body = _whole(reply)
    end = random.randrange(len(body))
    if random.random() < 0.7:
        return Mutated(description=f"body cut at byte {end}", reply=replace(reply, body=body[:end]))
    headers = {"content-type": "application/json", **reply.headers}
    hung_up = replace(reply, body=None, pieces=[body[:end] or b" ", body[end:]], cut_after=1, headers=headers)
    return Mutated(description=f"hung up at byte {end}", reply=hung_up)


def error_reply(random: Random, _reply: Reply) -> Mutated:
    """An error response with a mutated body."""
    status = random.choice((400, 401, 403, 404, 408, 409, 422, 429, 500, 503, 529, 302, 204))
    error = {"message": "No.", "type": "refused", "param": None, "code": random.choice(("no", 7, None, {"a": 1}))}
    done, body = mutate_json(random, {"error": error, "type": "error", "request_id": "req_1"})
    sent = random.choice((encoded(body), encoded(body), *BODIES)) if status != 204 else b""
    waits = random.choice(("1", "1", "1", "-1", "no", "nan", "1e400"))
    headers = {"retry-after-ms": "1", "x-ratelimit-remaining-tokens": waits, "x-request-id": waits}
    return Mutated(
        description=f"status {status}: {done}: {sent[:60]!r}",
        reply=Reply(status=status, body=sent, headers=headers),
    )


# --- streams -------------------------------------------------------------------------------------------------


def _mutate_event(random: Random, piece: bytes) -> tuple[str, bytes]:
    """Mutate the JSON of a server-sent event or a line, or any byte of a binary one."""
    start, end = piece.find(b"{"), piece.rfind(b"}") + 1
    try:
        done, value = mutate_json(random, json.loads(piece[start:end]))
    except ValueError:
        place = random.randrange(len(piece))
        return f"byte {place}", piece[:place] + random.randbytes(1) + piece[place + 1 :]
    return done, piece[:start] + encoded(value) + piece[end:]


def change_event(random: Random, reply: Reply) -> Mutated:
    pieces = list(reply.pieces or ())
    number = random.randrange(len(pieces))
    done, pieces[number] = _mutate_event(random, pieces[number])
    return Mutated(description=f"event {number}: {done}", reply=replace(reply, pieces=pieces))


def rearrange(random: Random, reply: Reply) -> Mutated:
    """Reorder, remove, repeat or insert events."""
    pieces = list(reply.pieces or ())
    number, other = random.randrange(len(pieces)), random.randrange(len(pieces))
    how = random.choice(("swap", "shuffle", "repeat", "repeat all", "remove", "insert", "insert", "reverse"))
    if how == "swap":
        pieces[number], pieces[other] = pieces[other], pieces[number]
    elif how == "shuffle":
        random.shuffle(pieces)
    elif how == "repeat":
        pieces[number:number] = [pieces[number]] * random.choice((1, 2, 110))
    elif how == "repeat all":
        pieces *= 2
    elif how == "remove":
        del pieces[number : number + random.choice((1, 2, len(pieces)))]
    elif how == "insert":
        inserted = random.choice(EVENTS)
        pieces.insert(number, inserted)
        how += f" {inserted!r}"
    else:
        pieces.reverse()
    return Mutated(description=f"events: {how} at {number}, {other}", reply=replace(reply, pieces=pieces))


def cut_stream(random: Random, reply: Reply) -> Mutated:
    """End the body or the connection at any byte."""
    end = random.randrange(len(b"".join(reply.pieces or ())))
    return cut_at(reply, end, hung_up=random.random() < 0.5)


def cut_at(reply: Reply, end: int, *, hung_up: bool) -> Mutated:
    whole = b"".join(reply.pieces or ())
    if not hung_up:
        return Mutated(description=f"stream cut at byte {end}", reply=replace(reply, pieces=[whole[:end]] * bool(end)))
    pieces = [whole[:end] or b"\n", whole[end:]]
    return Mutated(description=f"hung up at byte {end}", reply=replace(reply, pieces=pieces, cut_after=1))


def split_stream(random: Random, reply: Reply) -> Mutated:
    """Split the bytes into other pieces."""
    whole = b"".join(reply.pieces or ())
    ends = sorted(random.sample(range(1, len(whole)), min(len(whole) - 1, random.choice((1, 3, 12)))))
    pieces = [whole[start:end] for start, end in zip((0, *ends), (*ends, len(whole)), strict=True)]
    return Mutated(description=f"split at {ends}", reply=replace(reply, pieces=pieces))


def other_kind(random: Random, reply: Reply) -> Mutated:
    """Replace a stream by a body, or a body by a stream."""
    if reply.pieces is None:
        pieces = [b"data: " + _whole(reply) + b"\n\n", random.choice(EVENTS)]
        return Mutated(description="a stream", reply=replace(reply, body=None, pieces=pieces))
    return Mutated(description="a body", reply=Reply(body=random.choice(BODIES), status=reply.status))


PLAIN: tuple[Mutation, ...] = (
    *(change_body,) * 12,
    replace_body,
    cut_body,
    cut_body,
    error_reply,
    error_reply,
    other_kind,
)
STREAMED: tuple[Mutation, ...] = (
    *(change_event,) * 8,
    *(rearrange,) * 4,
    *(cut_stream,) * 4,
    *(split_stream, error_reply, other_kind),
)
"""Repeated by their frequency."""


def mutate(random: Random, reply: Reply) -> Mutated:
    return random.choice(PLAIN if reply.pieces is None else STREAMED)(random, reply)
