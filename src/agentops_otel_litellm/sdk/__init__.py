"""What sets OpenTelemetry up before an app starts, with the launcher or without, and sends out what has ended."""
