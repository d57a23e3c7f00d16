"""The exporters that this package adds to the SDK's, their registration with a provider, and reports of lost spans."""
