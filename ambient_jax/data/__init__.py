"""Incomplete data: sources, tokenizers and missingness mechanisms (NumPy only)."""
