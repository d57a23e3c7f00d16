"""The exporters that this package adds to OpenTelemetry's, their registration with a provider, and export failures."""
