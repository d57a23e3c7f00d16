"""The binary framing of AWS's event streams."""

from __future__ import annotations

import json
import struct
import zlib

_STRING = 7
_PRELUDE = struct.Struct(">II")
_CHECKSUM = struct.Struct(">I")


def message(kind: str, payload: object, *, of: str = "event") -> bytes:
    """One event, or `of` "exception" one that ends the stream: lengths and their checksum, headers, the payload as
    JSON, and the checksum of it all.
    """
    names = {f":{of}-type": kind, ":content-type": "application/json", ":message-type": of}
    headers = b"".join(_header(name, value) for name, value in names.items())
    body = json.dumps(payload).encode()
    total = _PRELUDE.size + _CHECKSUM.size + len(headers) + len(body) + _CHECKSUM.size
    prelude = _PRELUDE.pack(total, len(headers))
    framed = prelude + _CHECKSUM.pack(zlib.crc32(prelude)) + headers + body
    return framed + _CHECKSUM.pack(zlib.crc32(framed))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + bytes([_STRING]) + struct.pack(">H", len(text)) + text
