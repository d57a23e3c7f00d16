"""Where spans go, besides the stock OTLP exporters: a package for each destination; who adds one, and what failed."""
