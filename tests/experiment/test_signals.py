"""Signals are obeyed while the main thread is inside a long call, as of a device."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import contextlib, hashlib, os, sys
from ambient_jax.experiment import signals
signals.GRACE_S = float(sys.argv[2])
with signals.StopRequest() as stop:
    saved = sys.argv[1] == "saved"
    with contextlib.nullcontext() if saved else stop.saving_first():
        print("ready", flush=True)
        if sys.argv[3] == "busy":  # one C call without the GIL, of many minutes
            hashlib.pbkdf2_hmac("sha512", b"", b"", 2_000_000_000)
        while not stop.interrupted():
            pass
    print("saved", flush=True)
    hashlib.pbkdf2_hmac("sha512", b"", b"", 1_500_000)
    print("slowly", flush=True)
sys.exit(7)
"""


@pytest.fixture
def start():
    """Starts `PROGRAM`; whatever still runs after the test is ended."""
    started: list[subprocess.Popen] = []

    def program(unsaved: str, grace: float, busy: str) -> subprocess.Popen:
        started.append(launch(unsaved, grace, busy))
        return started[-1]

    yield program
    for process in started:
        process.kill()
        process.wait()


def launch(unsaved: str, grace: float, busy: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, unsaved, str(grace), busy], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)  # into the call
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_a_busy_process(start, number):
    process = start("unsaved", 1e6, "busy")
    process.send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None  # the first one waits for the save
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"{number.name}: saving" in err


@pytest.mark.parametrize(
    ("unsaved", "grace", "message"),
    [
        ("saved", 1e6, "goes on from what is saved"),  # there is nothing to save
        ("unsaved", 0.2, "stopped without saving"),  # nobody notices in time
    ],
)
def test_the_first_signal_ends_a_busy_process(start, unsaved, grace, message):
    process = start(unsaved, grace, "busy")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "saved" not in out
    assert message in err


def test_a_run_that_noticed_may_take_its_time_to_save(start):
    process = start("unsaved", 0.2, "attentive")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 7
    assert out == "saved\nslowly\n"
