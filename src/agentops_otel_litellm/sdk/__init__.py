"""Sets OpenTelemetry up, under the launcher `opentelemetry-instrument` or by `init()`, and delivers telemetry before a
process ends.
"""
