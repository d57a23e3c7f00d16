"""The work around calls of models: LiteLLM's proxy, guardrails, caches, prompts, MCP tools and agents."""
