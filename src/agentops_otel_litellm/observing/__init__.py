"""A call while it happens: its span, what is known of it, and its stream."""
