"""Oracle: trained on complete data. The floor that the others are measured against.

Claim: with nothing missing, the easy loss is the ordinary masked-diffusion ELBO.
Cost: digits 200 s on one core, mnist14 25 minutes.
Expected test_nll_nats: digits 16.65 and 16.29 (seeds 0 and 1), mnist14 27.50.
Command: python launch.py --config=configs/oracle.py:digits --workdir=/tmp/oracle
"""

from ml_collections import ConfigDict

from ambient_jax.configs import base


def get_config(data: str = "mnist") -> ConfigDict:
    config = base.get_config(data)
    config.name = "oracle"
    config.data.complete = "all"
    return config
