"""LiteLLM's requests and responses → message content. These readers run only if the user has enabled content.

The content of a request is copied at the start of the call, because LiteLLM changes messages in place.
"""
