"""What this machine has, found without importing anything heavy."""

import os
import re
import socket
from pathlib import Path


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


def nvidia_gpus() -> int:
    """NVIDIA GPUs whose device files are visible here."""
    files = Path("/dev").glob("nvidia*")
    return sum(re.fullmatch(r"nvidia\d+", file.name) is not None for file in files)


def local_workers() -> int:
    """How many workers fit on this machine: one per GPU, else one per two processors."""
    return nvidia_gpus() or max(1, processors() // 2)


def is_dead(worker: str) -> bool:
    """Whether a worker (``...worker.<host>.<process id>.<...>``) ran here and runs no more."""
    place = worker.partition(f".worker.{socket.gethostname()}.")[2]
    process = place.partition(".")[0]
    if not process.isdigit() or not Path("/proc/self").exists():
        return False
    try:
        state = Path("/proc", process, "stat").read_text().rpartition(") ")[2]
    except OSError:
        return True
    return state.startswith(("Z", "X"))  # ended, but its parent has not looked yet
