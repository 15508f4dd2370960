"""EM only: a prior, then warm chains complete the rows; the M-step trains on them.

Claim: a better likelihood and better samples than the baseline at equal steps.
How: a latent-variable model fitted on the observed values draws the completions in the
first three quarters of the run (`config.prior`), then the network does (`config.em`).
Text has no prior: the network draws all completions, after a quarter of the run.
Cost: the fit of the prior and the E-steps; digits 7 minutes on one core, mnist14 35.
Expected test_nll_nats: digits 18.31 and 17.77 (seeds 0 and 1), mnist14 34.92.
Command: python launch.py --config=configs/em_only.py:digits --workdir=/tmp/em_only
"""

from ml_collections import ConfigDict

from ambient_jax.configs import base
from ambient_jax.data.text import is_text


def get_config(data: str = "mnist") -> ConfigDict:
    config = base.get_config(data)
    config.name = "em_only"
    # Draws are cold at first and warmer later: `assembly/masked.py`.
    config.em.on = True
    if not is_text(config.data.source):  # whose rows begin anywhere: no prior
        config.prior.name = "latent"
    return config
