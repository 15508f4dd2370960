"""ambient_jax: generative models from data that was never complete.

    import ambient_jax as aj

Names are loaded when they are first used, so that `ambient-jax --help` need not wait
for JAX. `ambient_jax.api` documents the functions.
"""

import importlib
from typing import Any

_HOMES = {
    "ambient_jax.api": (
        "Fit", "build_denoiser", "fit", "load_data",
    ),
    "ambient_jax.data.missingness": ("MAR", "MCAR", "MNAR", "Blocks", "Lines"),
    "ambient_jax.data.tokenizer": ("Levels", "Stochastic", "Threshold"),
    "ambient_jax.diffusion.masked.consistency": ("Consistency",),
    "ambient_jax.diffusion.masked.sampling": ("Sampler",),
    "ambient_jax.errors": ("UserError",),
    "ambient_jax.model": ("Model",),
    "ambient_jax.tabular.columns.codec": ("TableCodec",),
    "ambient_jax.tabular.imputer": ("AmbientImputer",),
    "ambient_jax.tabular.diffputer": ("DiffPuterImputer",),
    "ambient_jax.tabular.gaussian.recipe": ("DiffPuterRecipe",),
    "ambient_jax.tabular.pooling": ("pool",),
    "ambient_jax.tabular.fitting.recipe": ("Recipe",),
    "ambient_jax.assembly.masked": ("MaskedSettings",),
    "ambient_jax.assembly.priors": ("PriorSettings",),
    "ambient_jax.assembly.settings": ("SMALL", "Settings"),
    "ambient_jax.diffusion.masked.completer": ("MaskedCompleter",),
    "ambient_jax.diffusion.masked.objective": ("MaskedObjective",),
    "ambient_jax.training.estep": ("EStep",),
    "ambient_jax.version": ("__version__",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ambient_jax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME_OF)
