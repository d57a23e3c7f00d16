"""Images as providers send them."""

from __future__ import annotations

import base64

from support.media import (
    CANARY,
)
from support.servers.wire import Reply

PROMPT = f"A {CANARY} in a garden."


PICTURE = b"\x89PNG\r\n\x1a\n" + CANARY.encode()


GENERATED_IMAGE = {"b64_json": base64.b64encode(PICTURE).decode(), "revised_prompt": PROMPT}


def image_reply(*images: object, **fields: object) -> Reply:
    """OpenAI's response with these images."""
    return Reply(body={"created": 1_700_000_000, "data": list(images), **fields})
