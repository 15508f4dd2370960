"""Gaussian diffusion of continuous rows: `x_t = x_0 + sigma_t eps`, pure functions."""
