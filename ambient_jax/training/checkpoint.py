"""Checkpoints on Orbax (v0 API): asynchronous, complete or skipped."""

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
from orbax.checkpoint.checkpoint_managers import preservation_policy as preservation

from ambient_jax.errors import UserError
from ambient_jax.training.prior_fit import PriorState
from ambient_jax.training.progress import Position, Progress
from ambient_jax.training.state import TrainState

log = logging.getLogger(__name__)


class Checkpoints:
    """Saves and restores the `Progress` of a run in one directory.

    A checkpoint is written under a temporary name and renamed when it is complete, so
    that a kill at any moment leaves the last one intact. A checkpoint that cannot be
    read is called torn; it is moved out of the directory when the run goes on.

    Args:
      directory: created if it does not exist.
      keep: number of the newest checkpoints to retain, besides the best one.
      read_only: change nothing on disk, even while another process writes there.
    """

    def __init__(self, directory: Path, keep: int, *, read_only: bool = False):
        self._directory = directory.absolute()
        self._torn: dict[int, str] = {}  # checkpoint -> why it cannot be read
        self._reported: set[int] = set()
        self._reader = ocp.Checkpointer(ocp.CompositeCheckpointHandler())
        self._manager: ocp.CheckpointManager | None = None
        if read_only:
            return
        for step in self._newest_first():  # Orbax reads every score when it opens
            with self._recording_failure(step):
                self._score(step)
        self._set_torn_aside()
        self._manager = ocp.CheckpointManager(
            self._directory, options=_manager_options(keep)
        )

    def save(self, progress: Progress, score: float | None) -> None:
        """Starts saving, and returns when the arrays are copied to the host.

        Args:
          progress: it may change as soon as this returns.
          score: validation score, lower is better; None for a save between rounds.

        Raises:
          ValueError: the checkpoints are read only.
        """
        if self._manager is None:
            raise ValueError("checkpoints that are read only cannot be saved")
        latest = self._manager.latest_step()
        items: dict[str, Any] = {
            "state": _host_copy(vars(progress.state)),
            "completions": {"rows": progress.completions.copy()},
        }
        if progress.prior is not None:
            items["prior"] = _host_copy(vars(progress.prior))
        self._manager.save(
            0 if latest is None else latest + 1,
            args=ocp.args.Composite(
                position=ocp.args.JsonSave(dataclasses.asdict(progress.position)),
                **{name: ocp.args.StandardSave(tree) for name, tree in items.items()},
            ),
            metrics=None if score is None else {"score": float(score)},
        )

    def restore(self, template: Progress) -> Progress | None:
        """Returns the newest complete checkpoint, or None where there is none.

        Args:
          template: the start of the same run, for shapes and shardings. If its
            completions are empty, those of the checkpoint are not read.
        """
        found = self._first_complete(self._newest_first(), template)
        if self._manager is not None:
            self._set_torn_aside()
            self._manager.reload()
        return found

    def restore_best(self, template: Progress) -> Progress | None:
        """Returns the complete checkpoint with the lowest score; None without any."""
        scored = []
        for step in self._newest_first():
            with self._recording_failure(step):
                score = self._score(step)
                if score is not None:
                    scored.append((score, step))
        return self._first_complete([step for _, step in sorted(scored)], template)

    def require(self, template: Progress, *, best: bool = False) -> Progress:
        """Returns the best checkpoint if `best` and there is one, else the newest.

        Raises:
          UserError: there is no complete checkpoint.
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
        """Waits until everything that is being saved is on disk."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits as `wait` does, then releases the directory."""
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

    def _first_complete(self, steps: list[int], template: Progress) -> Progress | None:
        """Reads the first complete one of `steps`; warns of those that it skips."""
        for step in steps:
            with self._recording_failure(step):
                found = self._read(step, template)
                self._report_torn()
                return found
        return None

    @contextlib.contextmanager
    def _recording_failure(self, step: int) -> Iterator[None]:
        """Records the checkpoint as torn if the body raises; the error is dropped."""
        try:
            yield
        except Exception as error:  # Orbax, TensorStore and JSON raise many kinds
            reason = str(error).strip().splitlines()[0][:120] if str(error) else ""
            self._torn[step] = f"{type(error).__name__}: {reason}"

    def _score(self, step: int) -> float | None:
        """Returns the score; None if it was saved without one. Raises if torn."""
        item = self._directory / str(step) / "metrics"
        if not item.exists():
            return None
        return float(json.loads((item / "metrics").read_text())["score"])

    def _read(self, step: int, template: Progress) -> Progress:
        self._score(step)
        rows = template.completions
        optional: dict[str, Any] = {}
        if rows.size:
            optional["completions"] = ocp.args.StandardRestore({"rows": rows})
        if template.prior is not None:
            host = _host_copy(vars(template.prior))
            optional["prior"] = ocp.args.StandardRestore(host)
        restored = self._reader.restore(
            self._directory / str(step),
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(_host_copy(vars(template.state))),
                position=ocp.args.JsonRestore(),
                **optional,
            ),
        )
        prior = template.prior
        if prior is not None:
            prior = PriorState(**_placed_like(vars(prior), restored["prior"]))
        if rows.size:
            rows = np.array(restored["completions"]["rows"])
            if rows.shape != template.completions.shape:
                raise ValueError(f"completions have shape {rows.shape}")
        position = restored["position"]
        scores = tuple(position.pop("scores", ()))
        return Progress(
            state=TrainState(**_placed_like(vars(template.state), restored["state"])),
            completions=rows,
            position=Position(**position, scores=scores),
            prior=prior,
        )

    def _report_torn(self) -> None:
        for step in sorted(self._torn.keys() - self._reported):
            log.warning(
                "checkpoint %d is torn and is skipped (%s)", step, self._torn[step]
            )
        self._reported |= self._torn.keys()

    def _set_torn_aside(self) -> None:
        """Moves torn checkpoints away, which frees their step numbers."""
        self._report_torn()
        for step in self._torn:
            target = self._directory.parent / f"torn-checkpoint-{step}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(self._directory / str(step), target)
        self._torn, self._reported = {}, set()


def _manager_options(keep: int) -> ocp.CheckpointManagerOptions:
    best = preservation.BestN(
        get_metric_fn=lambda metrics: metrics["score"],
        reverse=True,
        n=1,
        keep_checkpoints_without_metrics=False,
    )
    policy = preservation.AnyPreservationPolicy(
        [preservation.LatestN(max(keep, 1)), best]
    )
    return ocp.CheckpointManagerOptions(
        preservation_policy=policy,
        best_fn=lambda metrics: metrics["score"],
        best_mode="min",
        cleanup_tmp_directories=True,
    )


def _placed_like(template: Any, tree: Any) -> Any:
    """Moves restored arrays to where those of the template lie."""
    return jax.tree.map(
        lambda old, new: jax.device_put(np.asarray(new), old.sharding), template, tree
    )


def _host_copy(tree: Any) -> Any:
    """Copies a pytree to host memory.

    On CPU `device_get` may alias buffers that the next step donates, while the
    asynchronous writer still reads them.
    """
    return jax.tree.map(lambda leaf: np.array(jax.device_get(leaf)), tree)
