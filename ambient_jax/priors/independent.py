"""The prior without any dependence: the marginal shares, as a control."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from ambient_jax.priors.closed_form import ClosedFormPrior
from ambient_jax.priors.marginals import log_marginals
from ambient_jax.priors.products import Components, MixturePrior
from ambient_jax.types import Params, RootKey


@dataclass(frozen=True, kw_only=True)
class IndependentPrior(MixturePrior, ClosedFormPrior):
    """Every token is drawn from its marginal share (`family.Prior`). Nothing is fitted.

    Attributes:
      num_values: V.
    """

    num_values: int

    def init(self, rows: np.ndarray, key: RootKey) -> Params:
        """Returns the marginals of the rows."""
        return {"marginal": jnp.asarray(log_marginals(rows, self.num_values))}

    def components(self, params: Params, key: RootKey) -> Components:
        """Returns the one component."""
        return params["marginal"][None]
