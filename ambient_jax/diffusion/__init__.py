"""Diffusion families, one folder each, behind the protocols of `ambient_jax.family`."""
