"""EM for missing entries with Gaussian diffusion (Rozet et al., arXiv 2405.13712).

How: a low-rank Gaussian, fitted by its own EM, draws the first completions; then laps
of {the model draws the missing cells of all rows by moment matching, the M-step trains
the same network on the completed rows}.
Command: python launch.py --config=configs/gaussian_em.py:digits --workdir=/tmp/gem
"""

from ml_collections import ConfigDict

from ambient_jax.configs import gaussian_base


def get_config(data: str = "digits") -> ConfigDict:
    config = gaussian_base.get_config(data)
    config.name = "gaussian_em"
    config.em.on = True
    config.data.missingness.name = "mcar"
    return config
