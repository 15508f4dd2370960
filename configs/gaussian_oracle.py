"""The oracle of the Gaussian family: EDM on complete, clean rows.

Test rows are hidden as for `gaussian_em`, so that their figures compare.
Command: python launch.py --config=configs/gaussian_oracle.py:digits --workdir=/tmp/go
"""

from ml_collections import ConfigDict

from ambient_jax.configs import gaussian_base


def get_config(data: str = "digits") -> ConfigDict:
    config = gaussian_base.get_config(data)
    config.name = "gaussian_oracle"
    config.data.complete = True
    config.data.missingness.name = "mcar"
    return config
