"""The cost of calls: which source of prices is used, the user's own prices, and those of the package genai-prices."""
