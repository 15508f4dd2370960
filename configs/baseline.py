"""Baseline: the easy loss on the incomplete rows as they are; no EM.

Claim: good on contexts as sparse as the data, poor on denser ones, never trained on.
Cost: digits 190 s on one core, mnist14 26 minutes.
Expected test_nll_nats: digits 19.62 and 19.47 (seeds 0 and 1), mnist14 40.08.
Command: python launch.py --config=configs/baseline.py:digits --workdir=/tmp/baseline
"""

from ml_collections import ConfigDict

from ambient_jax.configs import base


def get_config(data: str = "mnist") -> ConfigDict:
    config = base.get_config(data)
    config.name = "baseline"
    return config
