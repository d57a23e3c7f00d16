"""LiteLLM's callbacks and logging: the `agentops` callback, calls that only LiteLLM's logging reports, and conflicts
with other callbacks.
"""
