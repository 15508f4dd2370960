"""Incomplete data: sources, tokens and missingness (NumPy only)."""
