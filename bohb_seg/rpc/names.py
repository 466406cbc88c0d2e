"""Names of a run's objects in the nameserver, in HpBandSter's form."""

import socket
from pathlib import Path


def prefix(run_id: str) -> str:
    """What all names of a run in the nameserver begin with."""
    return f"hpbandster.run_{run_id}."


def worker_name(worker: str) -> str:
    """Its name without that of the run."""
    return worker.partition(".worker.")[2] or worker


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
