"""Few complete: the oracle on so many complete rows as the observed cells would fill.

Claim: a fair ceiling. It knows as many cells as the incomplete rows do, without holes;
what separates it from EM is the price of the holes, what separates it from the oracle
the price of fewer cells. Digits at 60 % missing: 506 of 1,258 rows; mnist14 at 90 %:
900 of 9,000. The validation rows are as few, since they choose the checkpoint: with
all of them it would know more cells than the others.
Cost: as the oracle; digits 300 s on one shared core.
Expected test_nll_nats: digits 17.49 (seed 0; the best checkpoint is that of round 10 of
20, and at the end it is worse). Seed 1 and mnist14 have not been run.
Command: python launch.py --config=configs/few_complete.py:digits --workdir=/tmp/few
"""

from ml_collections import ConfigDict

from ambient_jax.configs import oracle


def get_config(data: str = "mnist") -> ConfigDict:
    config = oracle.get_config(data)
    config.name = "few_complete"
    # Weight decay as in the others. So few rows are learned by heart before the run
    # ends, and `eval.checkpoint = best` takes the round before they are.
    config.data.complete = "few"
    return config
