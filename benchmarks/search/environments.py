"""The peers' own environment: what is compared never becomes a dependency."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.search.results import CACHE

PEERS = CACHE / "peers"
ROOT = Path(__file__).parents[2]
PINNED = "optuna==5.0.0", "dehb==0.1.2", "smac==2.4.1", "ConfigSpace==1.2.2", "numpy==1.26.4"


def python() -> Path:
    """The interpreter of the peers' environment, there or not."""
    return PEERS / "bin" / "python"


def set_up() -> None:
    """Makes the environment.

    Raises:
        subprocess.CalledProcessError: a package could not be installed.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
    subprocess.run([python(), "-m", "pip", "install", "--quiet", *PINNED], check=True)
    print(f"peers are installed in {PEERS}")


def run(arguments: list[str]) -> int:
    """Runs this package there with these arguments; returns the exit status."""
    if not python().exists():
        sys.exit(f"{PEERS} is not there; run: python -m benchmarks.search setup")
    # One thread, so that their CPU time is what it says.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [str(python()), "-m", "benchmarks.search", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | threads, check=False).returncode
