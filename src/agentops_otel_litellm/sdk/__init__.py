"""Sets OpenTelemetry up, with the launcher or without it, and delivers telemetry before a process ends."""
