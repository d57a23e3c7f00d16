"""Where spans go, besides the stock OTLP exporters: one module for each destination."""
