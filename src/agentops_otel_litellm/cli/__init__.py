"""The commands of `agentops-otel-litellm`. A traced application imports none of these modules."""
