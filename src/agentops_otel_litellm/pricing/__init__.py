"""The prices of calls: which price is used, the user's own prices, and those of the package genai-prices."""
