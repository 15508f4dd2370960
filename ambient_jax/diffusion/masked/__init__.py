"""Masked (absorbing-state) diffusion: pure functions, its objective, its completer."""
