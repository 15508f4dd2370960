"""EM only: warm chains complete the training rows; the M-step trains on them.

Claim: closes most of the gap between baseline and oracle on dense contexts.
Command: python launch.py --config=configs/em_only.py:digits --workdir=/tmp/em_only
"""

from ml_collections import ConfigDict

from configs import base


def get_config(data: str = "mnist") -> ConfigDict:
    config = base.get_config(data)
    config.name = "em_only"
    config.em.first_round = config.train.rounds // 4  # before it: the baseline
    return config
