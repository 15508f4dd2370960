"""The configs, importable as `ambient_jax.configs` from a checkout.

They lie in the folder `configs/` at the top of the checkout. The wheel has that folder
in the place of this one (`package-dir` in pyproject.toml), so that there is one copy.
"""

from pathlib import Path

__path__ = [str(Path(__file__).parents[2] / "configs")]
