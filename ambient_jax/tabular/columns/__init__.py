"""Columns as tokens: bins of numbers, categories, and the codec of a whole table."""
