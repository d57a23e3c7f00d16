"""The patch points: the functions of LiteLLM that are replaced, and their replacements."""
