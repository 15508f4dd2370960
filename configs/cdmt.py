"""Noisy rows: Consistent Diffusion Meets Tweedie (Daras et al., arXiv 2404.10177).

How: above the noise of the data the estimate of the noisy row is compared with it;
below it the estimates must agree along the model's own trajectories, if
`--config.objective.consistency_weight` is above 0. `config.data.noise` is the level, in
units of the rows; it is added to the digits (0.19 is half of their spread).
Command: python launch.py --config=configs/cdmt.py:digits --workdir=/tmp/cdmt
"""

from ml_collections import ConfigDict

from ambient_jax.configs import gaussian_base


def get_config(data: str = "digits") -> ConfigDict:
    config = gaussian_base.get_config(data)
    config.name = "cdmt"
    config.objective.method = "cdmt"
    config.data.noise = 0.19
    return config
