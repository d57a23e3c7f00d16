"""The commands of `agentops-otel-litellm`. No app that is traced imports any of this."""
