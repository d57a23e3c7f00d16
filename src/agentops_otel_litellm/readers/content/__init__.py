"""LiteLLM's shapes → what was said. Nothing here runs unless the user asked for content.

What is read at the start of a call is copied: LiteLLM changes messages in place.
"""
