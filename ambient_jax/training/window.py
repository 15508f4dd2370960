"""What is read from the device every `log_every` train steps."""

import dataclasses
import time
from dataclasses import dataclass

import jax

from ambient_jax.errors import TrainingDiverged
from ambient_jax.training.progress import Progress
from ambient_jax.training.state import zero_sums


@dataclass
class Window:
    """Throughput and means of the metrics since the last read."""

    batch_size: int
    names: tuple[str, ...]
    steps: int = 0
    clock: float = dataclasses.field(default_factory=time.perf_counter)

    def read(self, progress: Progress) -> dict[str, float]:
        """Means over the window; empties the sums. Waits for the device."""
        sums, bad = jax.device_get((progress.state.sums, progress.state.bad_step))
        refuse_divergence(progress, int(bad))
        placed = jax.device_put(zero_sums(self.names), progress.state.step.sharding)
        progress.state = dataclasses.replace(progress.state, sums=placed)
        now = time.perf_counter()
        rate = self.steps * self.batch_size / (now - self.clock)
        self.steps, self.clock = 0, now
        count = sums.pop("count")
        figures = {f"train_{k}" if k == "loss" else k: float(v / count)
                   for k, v in sums.items()}  # fmt: skip
        return figures | {"train_items_per_s": rate}


def refuse_divergence(progress: Progress, bad_step: int) -> None:
    """A state whose loss was not finite is never saved."""
    if bad_step >= 0:
        raise TrainingDiverged(progress.position.round, bad_step)
