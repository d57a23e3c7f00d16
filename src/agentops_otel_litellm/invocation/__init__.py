"""A call while it is in progress: its span, the facts that are known about it, and its stream."""
