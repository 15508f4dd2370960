"""The configs: one file for each ablation, `base` and `gaussian_base` with all fields.

Installed, this folder is the package `ambient_jax.configs`.
"""
