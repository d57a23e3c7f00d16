"""The warnings of this package and of OpenTelemetry."""

from __future__ import annotations

import logging


class LoggedWarnings(logging.Handler):
    """Collects warnings. The guard only logs faults of this package, so unread warnings fail a test."""

    LOGGERS = ("agentops_otel_litellm", "opentelemetry")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def take(self) -> list[str]:
        """Return the new lines. A test fails if lines are left at its end."""
        lines, self._lines = self._lines, []
        return lines
