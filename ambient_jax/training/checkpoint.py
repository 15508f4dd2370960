"""Checkpoints on Orbax (v0 API): asynchronous, the last k and the best, torn-proof."""

import dataclasses
import logging
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as keeping

from ambient_jax.training.progress import Position, Progress
from ambient_jax.training.state import TrainState

log = logging.getLogger(__name__)


class Checkpoints:
    """Saves and restores a run's `Progress` in one directory.

    A checkpoint is written beside the old ones under a temporary name and renamed when
    it is whole, so that a kill at any moment leaves the last one intact.

    Args:
      directory: made if absent.
      keep: how many of the newest to keep; the best one is kept besides.
      read_only: change nothing on disk, also while another process writes there.
    """

    def __init__(self, directory: Path, keep: int, *, read_only: bool = False):
        best = keeping.BestN(
            get_metric_fn=lambda metrics: metrics["score"],
            reverse=True,
            n=1,
            keep_checkpoints_without_metrics=False,
        )
        policy = keeping.AnyPreservationPolicy([keeping.LatestN(max(keep, 1)), best])
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policy,
            best_fn=lambda metrics: metrics["score"],
            best_mode="min",
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
        )
        self._read_only = read_only
        self._directory = directory.absolute()
        self._manager = ocp.CheckpointManager(self._directory, options=options)

    def save(self, progress: Progress, score: float | None) -> None:
        """Starts saving; returns when the arrays are copied off the devices.

        Args:
          progress: what to save. It may change as soon as this returns.
          score: validation score, lower is better; None for a save between rounds.
        """
        latest = self._manager.latest_step()
        self._manager.save(
            0 if latest is None else latest + 1,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(_host_copy(vars(progress.state))),
                completions=ocp.args.StandardSave(
                    {"rows": progress.completions.copy()}
                ),
                position=ocp.args.JsonSave(dataclasses.asdict(progress.position)),
            ),
            metrics=None if score is None else {"score": float(score)},
        )

    def restore(self, template: Progress) -> Progress | None:
        """The newest checkpoint that is whole, or None; torn ones are set aside.

        Args:
          template: a fresh `Progress` of the same run; gives shapes and shardings.
        """
        for step in sorted(self._manager.all_steps(), reverse=True):
            found = self._read_if_whole(step, template)
            if found is not None:
                return found
            if not self._read_only:
                self._set_aside(step)
        return None

    def restore_best(self, template: Progress) -> Progress | None:
        """The whole checkpoint with the lowest score, or None where none has one."""
        scored = []
        for step in self._manager.all_steps():
            metrics = self._manager.metrics(step)
            if metrics and "score" in metrics:
                scored.append((metrics["score"], step))
        for _, step in sorted(scored):
            found = self._read_if_whole(step, template)
            if found is not None:
                return found
        return None

    def wait(self) -> None:
        """Returns when what is being saved is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, then lets go of the directory."""
        self._manager.wait_until_finished()
        self._manager.close()

    def _read_if_whole(self, step: int, template: Progress) -> Progress | None:
        try:
            return self._read(step, template)
        except Exception as error:  # Orbax, TensorStore and JSON raise many kinds
            reason = str(error).strip().splitlines()[0][:120] if str(error) else ""
            log.warning(
                "checkpoint %d is torn and is skipped (%s: %s)",
                step, type(error).__name__, reason,
            )  # fmt: skip
            return None

    def _read(self, step: int, template: Progress) -> Progress:
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(_host_copy(vars(template.state))),
                completions=ocp.args.StandardRestore({"rows": template.completions}),
                position=ocp.args.JsonRestore(),
            ),
        )
        placed = jax.tree.map(
            lambda new, old: jax.device_put(np.asarray(new), old.sharding),
            restored["state"],
            vars(template.state),
        )
        rows = np.array(restored["completions"]["rows"])
        if rows.shape != template.completions.shape:
            raise ValueError(f"completions have shape {rows.shape}")
        return Progress(
            state=TrainState(**placed),
            completions=rows,
            position=Position(**restored["position"]),
        )

    def _set_aside(self, step: int) -> None:
        source = self._directory / str(step)
        target = self._directory.parent / f"torn-checkpoint-{step}"
        shutil.rmtree(target, ignore_errors=True)
        if source.exists():
            shutil.move(source, target)
        self._manager.reload()


def _host_copy(tree: Any) -> Any:
    """A copy in host memory. On CPU `device_get` may alias buffers that the next step
    donates, while the asynchronous writer still reads them."""
    return jax.tree.map(lambda leaf: np.array(jax.device_get(leaf)), tree)
