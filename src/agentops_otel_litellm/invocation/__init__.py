"""A call while it is in progress: its span, its request and results, its attempts, and its stream."""
