"""Names by which the objects of a run find each other; the only module that knows their form.

The form is HpBandSter's, so that its own workers and masters take part::

    hpbandster.run_<run id>.dispatcher
    hpbandster.run_<run id>.worker.<host>.<process id>.<id of ours>

The name of a worker with a certificate of its own has ``~<certificate>.`` before its host
(:mod:`bohb_seg.rpc.speakers`).

The nameserver holds these two. The daemon of a master holds, under names of the same form, the
storage and one reply per attempt. A run id has only letters, digits, ``-`` and ``_``; HpBandSter's
own runs may have any.
"""

import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bohb_seg.trials import Attempt, trial_key

NAMESERVER: Final = "Pyro.NameServer"
"""Pyro4's name of a nameserver in its own daemon."""
RUNS: Final = "hpbandster.run_"
"""Beginning of all names of all runs."""
NAMESERVER_FILE: Final = "nameserver.json"
"""File of a run directory with host and port of the run's nameserver; null once the run is over."""
_WORKER = ".worker."
_MARK = re.compile(r"^~[^.]+\.")
_DISPATCHER = ".dispatcher"
_WORKER_NAME = re.compile(r"hpbandster\.run_(?:(?!\.dispatcher|\.worker\.).)+\.worker\..+")
"""No run id with ``.dispatcher`` in it: HpBandSter's workers take every name that begins like the
dispatcher's for a dispatcher."""
_WITH_ID = re.compile(r"(.+)\.(\d{1,18})\.[^.]+")
_WITHOUT_ID = re.compile(r"(.+)\.(\d{1,18})")


def prefix(run_id: str) -> str:
    """Beginning of all names of a run."""
    return f"{RUNS}{run_id}."


def dispatcher_name(run_id: str) -> str:
    """Name of a run's dispatcher, which is the master to its workers."""
    return f"{prefix(run_id)}dispatcher"


def storage_name(run_id: str) -> str:
    """Name of a run's storage, where workers bring checkpoints if they share no disk."""
    return f"{prefix(run_id)}storage"


def reply_name(run_id: str, attempt: Attempt) -> str:
    """Name of the object that takes the result of an attempt; no other attempt has the same."""
    trial, budget = attempt.evaluation
    return f"{prefix(run_id)}reply.{trial_key(trial)}.{budget:g}.{attempt.number}"


def workers_prefix(run_id: str) -> str:
    """Beginning of the names of a run's workers."""
    return f"{prefix(run_id)}worker."


def runs(found: Mapping[str, str]) -> dict[str, str]:
    """Run ids of the dispatchers among these names, sorted, with their addresses."""
    dispatchers = {
        name.removeprefix(RUNS).removesuffix(_DISPATCHER): address
        for name, address in found.items()
        if name.startswith(RUNS) and name.endswith(_DISPATCHER)
    }
    return dict(sorted(dispatchers.items()))


def is_worker(name: str) -> bool:
    """Whether this is the name of a worker of any run."""
    return name.isprintable() and _WORKER_NAME.fullmatch(name) is not None


def worker_name(worker: str) -> str:
    """A worker's name without that of its run."""
    return worker.partition(_WORKER)[2] or worker


def machine(worker: str) -> str:
    """Host on which a worker runs or ran, with the mark of its certificate: nobody can claim it."""
    return _place(worker_name(worker))[0]


def process_here(worker: str) -> int | None:
    """Process id of a worker of this machine; None if it is of another, or does not tell."""
    host, number = _place(_unmarked(worker))
    return int(number) if number and host == socket.gethostname() else None


def is_on(worker: str, host: str) -> bool:
    """Whether a worker runs on this host, or ran there."""
    return _unmarked(worker).startswith(f"{host}.")


def is_dead(worker: str) -> bool:
    """Whether a worker ran on this machine and runs no more; False if that cannot be known."""
    host = socket.gethostname()
    if not is_on(worker, host) or not Path("/proc/self").exists():
        return False
    process = _unmarked(worker).removeprefix(f"{host}.").partition(".")[0]
    return process.isdigit() and not _is_running(process)


def _unmarked(worker: str) -> str:
    """A worker's name from its host on."""
    return _MARK.sub("", worker_name(worker))


def _place(name: str) -> tuple[str, str]:
    """Host and process id in a worker's name without that of its run; "" if it does not tell it."""
    found = _WITH_ID.fullmatch(name) or _WITHOUT_ID.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def _is_running(process: str) -> bool:
    try:
        state = Path("/proc", process, "stat").read_text().rpartition(") ")[2]
    except OSError:
        return False
    return not state.startswith(("Z", "X"))  # ended, but its parent has not looked yet
