"""The functions of LiteLLM that are replaced, and the replacements."""
