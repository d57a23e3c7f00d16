"""The AgentOps exporter and the console exporter, their registration with a provider, and reports of lost spans."""
