"""The warnings of this package and of OpenTelemetry."""

from __future__ import annotations

import logging


class LoggedWarnings(logging.Handler):
    """Collects warnings. A fault of this package is only logged by the guard, and fails a test here."""

    LOGGERS = ("agentops_otel_litellm", "opentelemetry")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def take(self) -> list[str]:
        """The lines since the last time; a test that does not take them fails."""
        lines, self._lines = self._lines, []
        return lines
