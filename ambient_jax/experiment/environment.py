"""Versions, revision and memory of a run; settings of XLA and of the libraries."""

import logging
import os
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

import jax

from ambient_jax.version import __version__

FEW_CORES = 4
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy",
            "scikit-learn", "tensorflow-datasets")  # fmt: skip
"""Packages of which a run notes the version, where they are installed."""


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of those that decide the numbers."""
    found = {
        "ambient_jax": __version__, "python": platform.python_version()
    }  # fmt: skip
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """Commit of the source tree, with `+` if it has changes; None outside git.

    A package that was installed into a folder below some other repository is not part
    of it.
    """
    here = Path(__file__).parent
    try:
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def peak_memory_mib() -> float:
    """Peak memory in MiB: of the accelerator if there is one, else of the process."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"] / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def quiet_libraries() -> None:
    """Silences notes of the libraries that mean nothing to a user. Orbax warns of every
    checkpoint that has no score, which here is meant so; what is torn is named by
    `Checkpoints`."""
    for name in ("jax", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    sys.excepthook = _uncaught


def _uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Where one array of a checkpoint is torn, the threads that read the others find
    that nobody waits for them, and each would print a traceback of its own."""
    if not (kind is RuntimeError and str(error) == "Event loop is closed"):
        sys.__excepthook__(kind, error, trace)


def use_few_cores_well() -> None:
    """One thread per convolution on a CPU of up to four cores; call it before JAX runs.

    Independent operations still run side by side. Splitting convolutions as small as
    these costs more than it gains: train steps of digits went from 739 to 1,510 rows/s
    on two cores.
    """
    flag, flags = "--xla_cpu_multi_thread_eigen", os.environ.get("XLA_FLAGS", "")
    if (os.cpu_count() or 1) <= FEW_CORES and flag not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {flag}=false".strip()


def use_compilation_cache() -> None:
    """Keeps compiled programs between runs, unless the user has set a place for it."""
    settings: Any = jax.config
    if settings.jax_compilation_cache_dir is None:
        base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        cache = Path(base).expanduser() / "ambient_jax" / "xla"
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError:
            return  # a read-only home costs time, not correctness
        jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _git(where: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=where, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
