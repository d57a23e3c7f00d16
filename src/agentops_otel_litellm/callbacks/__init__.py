"""LiteLLM's callbacks and logging: ours among them, calls that only its log knows, and what else listens there."""
