"""Runs `launch.py` and sends SIGKILL to itself at a chosen point.

python killer.py POINT launch-arguments...
"""

import os
import runpy
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def plant(point: str) -> None:
    """Patches one function so that its n-th call is the last thing that happens."""
    from ambient_jax.evaluation import suite
    from ambient_jax.experiment import finish
    from ambient_jax.training import batches, checkpoint, estep, prior_fit

    place, count = point.split(":")
    left = [int(count)]

    def countdown() -> bool:
        left[0] -= 1
        return left[0] < 0

    def dying(run):
        def units(self, *arguments):
            for done in run(self, *arguments):
                if countdown():
                    die()
                yield done

        return units

    if place == "prior":
        prior_fit.PriorFit.steps = dying(prior_fit.PriorFit.steps)
    elif place == "draws":
        prior_fit.PriorFit.draws = dying(prior_fit.PriorFit.draws)
    elif place == "estep":
        estep.EStepDriver.run = dying(estep.EStepDriver.run)
    elif place == "mstep":
        batch = batches.Batches.placed

        def one(self, *arguments):
            if countdown():
                die()
            return batch(self, *arguments)

        batches.Batches.placed = one
    elif place == "saving":
        save = checkpoint.Checkpoints.save

        def half(self, *arguments):
            save(self, *arguments)  # asynchronous: the writing has just begun
            if countdown():
                die()

        checkpoint.Checkpoints.save = half
    elif place == "evaluation":
        cheap = suite.Suite.cheap

        def signalled(self, *arguments):
            if countdown():
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)  # the thread that reads it needs a moment
            return cheap(self, *arguments)

        suite.Suite.cheap = signalled
    elif place == "finish":
        finish.write_json = lambda *_, **__: die()


if __name__ == "__main__":
    point, *arguments = sys.argv[1:]
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    if point != "never":
        plant(point)
    sys.argv = ["launch.py", *arguments]
    runpy.run_path(str(ROOT / "launch.py"), run_name="__main__")
