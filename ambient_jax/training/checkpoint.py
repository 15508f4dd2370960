"""Checkpoints on Orbax (v0 API): asynchronous, the last k and the best, torn-proof."""

import contextlib
import dataclasses
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as keeping

from ambient_jax.errors import UserError
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
        self._directory = directory.absolute()
        self._torn: dict[int, str] = {}  # and why
        self._told: set[int] = set()
        self._reader = ocp.Checkpointer(ocp.CompositeCheckpointHandler())
        self._manager: ocp.CheckpointManager | None = None
        if read_only:
            return
        for step in self._newest_first():  # Orbax reads every score when it opens
            with self._noting(step):
                self._score(step)
        self._set_torn_aside()
        self._manager = ocp.CheckpointManager(
            self._directory, options=_manager_options(keep)
        )

    def save(self, progress: Progress, score: float | None) -> None:
        """Starts saving; returns when the arrays are copied off the devices.

        Args:
          progress: what to save. It may change as soon as this returns.
          score: validation score, lower is better; None for a save between rounds.
        """
        if self._manager is None:
            raise ValueError("these checkpoints were opened to be read only")
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
        found = self._first_whole(self._newest_first(), template)
        if self._manager is not None:
            self._set_torn_aside()
            self._manager.reload()
        return found

    def restore_best(self, template: Progress) -> Progress | None:
        """The whole checkpoint with the lowest score, or None where none has one."""
        scored = []
        for step in self._newest_first():
            with self._noting(step):
                score = self._score(step)
                if score is not None:
                    scored.append((score, step))
        return self._first_whole([step for _, step in sorted(scored)], template)

    def require(self, template: Progress, *, best: bool = False) -> Progress:
        """The best checkpoint if that is asked for, else the newest one.

        Raises:
          UserError: none is whole, or there is none.
        """
        found = (self.restore_best(template) if best else None) or (
            self.restore(template)
        )
        if found is not None:
            return found
        run = self._directory.parent
        if not self._torn:
            raise UserError(f"{run} holds no checkpoint yet; train first")
        step, reason = max(self._torn.items())
        raise UserError(
            f"{run} holds no checkpoint that can be read (checkpoint {step}: "
            f"{reason}); the command that trained it trains anew"
        )

    def wait(self) -> None:
        """Returns when what is being saved is on disk."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, then lets go of the directory."""
        self.wait()
        self._reader.close()
        if self._manager is not None:
            self._manager.close()

    def _newest_first(self) -> list[int]:
        self.wait()
        if not self._directory.is_dir():
            return []
        names = [path.name for path in self._directory.iterdir()]
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def _first_whole(self, steps: list[int], template: Progress) -> Progress | None:
        """Names those that it skips, if it finds one."""
        for step in steps:
            with self._noting(step):
                found = self._read(step, template)
                self._tell()
                return found
        return None

    @contextlib.contextmanager
    def _noting(self, step: int) -> Iterator[None]:
        """What is raised within makes the checkpoint a torn one."""
        try:
            yield
        except Exception as error:  # Orbax, TensorStore and JSON raise many kinds
            reason = str(error).strip().splitlines()[0][:120] if str(error) else ""
            self._torn[step] = f"{type(error).__name__}: {reason}"

    def _score(self, step: int) -> float | None:
        """Raises where it is torn; None where the checkpoint was saved without."""
        item = self._directory / str(step) / "metrics"
        if not item.exists():
            return None
        return float(json.loads((item / "metrics").read_text())["score"])

    def _read(self, step: int, template: Progress) -> Progress:
        self._score(step)
        restored = self._reader.restore(
            self._directory / str(step),
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

    def _tell(self) -> None:
        for step in sorted(self._torn.keys() - self._told):
            log.warning(
                "checkpoint %d is torn and is skipped (%s)", step, self._torn[step]
            )
        self._told |= self._torn.keys()

    def _set_torn_aside(self) -> None:
        """Their numbers are free again."""
        self._tell()
        for step in self._torn:
            target = self._directory.parent / f"torn-checkpoint-{step}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(self._directory / str(step), target)
        self._torn, self._told = {}, set()


def _manager_options(keep: int) -> ocp.CheckpointManagerOptions:
    best = keeping.BestN(
        get_metric_fn=lambda metrics: metrics["score"],
        reverse=True,
        n=1,
        keep_checkpoints_without_metrics=False,
    )
    policy = keeping.AnyPreservationPolicy([keeping.LatestN(max(keep, 1)), best])
    return ocp.CheckpointManagerOptions(
        preservation_policy=policy,
        best_fn=lambda metrics: metrics["score"],
        best_mode="min",
        cleanup_tmp_directories=True,
    )


def _host_copy(tree: Any) -> Any:
    """A copy in host memory. On CPU `device_get` may alias buffers that the next step
    donates, while the asynchronous writer still reads them."""
    return jax.tree.map(lambda leaf: np.array(jax.device_get(leaf)), tree)
