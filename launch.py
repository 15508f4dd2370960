"""Train, sample, impute and evaluate from a checkout. See README.md.

python launch.py --config=configs/em_consistency.py:digits --workdir=/tmp/run

Installed, the same command is called `ambient-jax`.
"""

import sys

from ambient_jax.experiment.command import main

if __name__ == "__main__":
    sys.exit(main())
