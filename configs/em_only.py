"""EM only: warm chains complete the training rows; the M-step trains on them.

Claim: closes most of the gap between baseline and oracle on dense contexts.
Command: python launch.py --config=configs/em_only.py:digits --workdir=/tmp/em_only
"""

from ml_collections import ConfigDict

from configs import base


def get_config(data: str = "mnist") -> ConfigDict:
    config = base.get_config(data)
    config.name = "em_only"
    # Before the first E-step this is the baseline. The sparser the data, the longer: at
    # 90 % missing a start at a quarter stood behind the baseline at equal steps.
    sparse = config.data.missingness.rate > 0.75
    config.em.first_round = config.train.rounds // (2 if sparse else 4)
    return config
