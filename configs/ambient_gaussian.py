"""Ambient Diffusion: incomplete rows are corrupted further (arXiv 2305.19256).

How: observed cells are hidden at random and all observed ones are predicted; the
network reads which cells it is given. There are no E-steps.
Command: python launch.py --config=configs/ambient_gaussian.py:digits --workdir=/tmp/ag
"""

from ml_collections import ConfigDict

from ambient_jax.configs import gaussian_base


def get_config(data: str = "digits") -> ConfigDict:
    config = gaussian_base.get_config(data)
    config.name = "ambient_gaussian"
    config.objective.method = "ambient"
    config.data.missingness.name = "mcar"
    return config
