"""Prices that are not LiteLLM's: the user's own, and those of the package genai-prices."""
