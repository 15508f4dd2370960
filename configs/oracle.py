"""Oracle: trained on complete data. The floor that the others are measured against.

Claim: with nothing missing, the easy loss is the ordinary masked-diffusion ELBO.
Command: python launch.py --config=configs/oracle.py:digits --workdir=/tmp/oracle
"""

from ml_collections import ConfigDict

from configs import base


def get_config(data: str = "mnist") -> ConfigDict:
    config = base.get_config(data)
    config.name = "oracle"
    config.data.complete = True
    return config
