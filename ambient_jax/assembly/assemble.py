"""From settings, data and a network to a `Trainer`: the one place that does it."""

from jax.sharding import Mesh

from ambient_jax.assembly.settings import Settings
from ambient_jax.data.continuous import ContinuousData
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.mesh import make_mesh
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.training.ensemble import EnsembleObjective, PerMember
from ambient_jax.training.optimizer import KINDS, Optimizer, make_optimizer
from ambient_jax.training.trainer import Trainer
from ambient_jax.types import Network


def build_optimizer(settings: Settings, members: int = 1) -> Optimizer | PerMember:
    """Returns the optimizer with its learning-rate schedule over the whole run.

    The loss of an ensemble is the mean over its members. So is the gradient of each of
    them smaller by their number, and so is the norm that it is clipped to.

    Raises:
      ValueError: a value lies outside its range.
      KeyError: there is no optimizer of that name.
    """
    optimizer = make_optimizer(
        kind=KINDS[settings.optimizer], learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        total_steps=settings.rounds * settings.steps_per_round,
        weight_decay=settings.weight_decay, clip_norm=settings.clip_norm / members,
    )  # fmt: skip
    return optimizer if members == 1 else PerMember(optimizer=optimizer)


def assemble(
    denoiser: Network,
    data: IncompleteData | ContinuousData,
    settings: Settings,
    mesh: Mesh | None = None,
) -> Trainer:
    """Returns the trainer of a run.

    Args:
      denoiser: the network, or an `Ensemble`.
      data: the incomplete rows; their missing share decides when EM starts, where the
        settings leave that open.
      settings: everything else.
      mesh: devices; default all.

    Raises:
      ValueError: a setting lies outside its range.
      UserError: the devices do not divide the batch size.
    """
    prior = None
    if settings.em and settings.prior is not None:
        prior = settings.prior.prior_of(data)
    estep = settings.estep(data.missing_share, prior)
    objective = settings.family.objective(settings.plan, estep.start_round)
    members = denoiser.size if isinstance(denoiser, Ensemble) else 1
    if members > 1:
        objective = EnsembleObjective(member=objective)
    return Trainer(
        denoiser, data, objective, estep, settings.plan,
        build_optimizer(settings, members), mesh or make_mesh(),
    )  # fmt: skip
