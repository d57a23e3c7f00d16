"""What LiteLLM does by itself in one release and not in another: facts that expectations depend on."""

from __future__ import annotations

from importlib.metadata import version

from packaging.version import Version

RELEASE = Version(version("litellm"))


def since(release: str) -> bool:
    """Whether this release of LiteLLM is that one or a later one."""
    return Version(release) <= RELEASE


HITS_OF_MESSAGES = since("1.107")
"""LiteLLM says of a cached stream of messages that it is one."""
STREAMS_ARE_BLOCKS = since("1.107")
"""A chat's stream has `close`, and can be entered with `with`."""
CLASSES_OF_REFUSALS = since("1.107")
"""The status of a refusal makes its class; before, words of the provider's text did, and the rest were bad requests."""
TIMEOUTS_OF_STREAMS = since("1.107")
"""A stream that stalls ends with a timeout, and not with LiteLLM's class for what it does not know."""
GEMINIS_CACHED_TEXT = since("1.107")
"""What Gemini had cached counts among the text of the input, as Gemini says; before it was taken off."""
FINGERPRINTS_OF_GROQS_STREAMS = since("1.107")
"""They come through."""
