"""A trained Gaussian model from its folder: new rows, draws and posterior means."""

from dataclasses import dataclass

import jax
import numpy as np

from ambient_jax import keys
from ambient_jax.assembly.assemble import build_optimizer
from ambient_jax.data.continuous import Scaling
from ambient_jax.errors import UserError
from ambient_jax.evaluation.posterior_means import PosteriorMeans
from ambient_jax.experiment import gaussian_build
from ambient_jax.experiment.config import Config
from ambient_jax.experiment.workdir import Workdir
from ambient_jax.inference.gaussian_functions import GaussianFunctions
from ambient_jax.mesh import make_mesh
from ambient_jax.training.restore import restore_params
from ambient_jax.types import Params


@dataclass(frozen=True, kw_only=True)
class GaussianModel:
    """A trained model of continuous rows, in the units of the data.

    Attributes:
      means: posterior means, and the functions of the network.
      params: trained parameters.
      shape: of a row.
      scaling: between the units of the data and of the network.
    """

    means: PosteriorMeans
    params: Params
    shape: tuple[int, ...]
    scaling: Scaling

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Returns `[count, *shape]` new rows."""
        empty = np.zeros((count, int(np.prod(self.shape))), np.float32)
        key = keys.derive(seed, keys.Purpose.SAMPLE)
        drawn = self.means.functions.sample(self.params, key, empty)
        return self.scaling.restored(drawn).reshape(count, *self.shape)

    def impute(self, rows: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
        """Returns `[num_draws, N, *shape]` draws of the cells that are NaN in `rows`.

        Raises:
          UserError: the rows have another shape, or the model makes no draws.
        """
        if not self.means.draws:
            raise UserError(
                "a model of Ambient Diffusion estimates missing cells and does not "
                "draw them; use --statistic=mean"
            )
        flat, key = self._flat(rows), keys.derive(seed, keys.Purpose.IMPUTE)
        draws = [self.means.draw(self.params, key, flat, i) for i in range(num_draws)]
        return np.stack(draws).reshape(num_draws, *rows.shape)

    def posterior_mean(self, rows: np.ndarray, seed: int) -> np.ndarray:
        """Returns `[N, *shape]`, in which missing cells have their posterior mean.

        Raises:
          UserError: the rows have another shape.
        """
        key = keys.derive(seed, keys.Purpose.IMPUTE)
        found = self.means(self.params, key, self._flat(rows))
        return found.reshape(rows.shape).astype(np.float32)

    def _flat(self, rows: np.ndarray) -> np.ndarray:
        if rows.shape[1:] != self.shape:
            raise UserError(
                f"rows have shape {list(rows.shape[1:])}; the run was trained on "
                f"{list(self.shape)}"
            )
        return rows.reshape(len(rows), -1)


def load(workdir: Workdir, config: Config) -> GaussianModel:
    """Returns the final model of a run, without its data.

    Raises:
      UserError: there is no checkpoint.
    """
    shape, scaling, observed_share = workdir.continuous()
    network = gaussian_build.denoiser(config, shape)
    settings = gaussian_build.settings(
        config, gaussian_build.network_noise(config, scaling)
    )
    params = restore_params(
        workdir.checkpoints, network,
        settings.family.objective(settings.plan, start_round=None),
        build_optimizer(settings), best=False, ema=True,
    )  # fmt: skip
    functions = GaussianFunctions(
        network, make_mesh(), settings.estep_batch_size,
        gaussian_build.completer(config, settings),
        gaussian_build.visible_share(config, observed_share),
    )  # fmt: skip
    means = PosteriorMeans(
        functions=functions, scaling=scaling, num_draws=config.eval.num_draws
    )
    return GaussianModel(
        means=means, params=jax.device_get(params), shape=shape, scaling=scaling
    )
