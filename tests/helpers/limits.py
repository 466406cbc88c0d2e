"""Little memory, for real: a process that may take only so much more than it has.

``RLIMIT_DATA`` and no other: of address space (``RLIMIT_AS``) XLA takes far more than it uses, and
a cgroup kills the process instead of refusing. XLA then raises, at the latest when a value is
looked at. TensorFlow's oneDNN kernels do not look whether they got memory: the process dies.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

MEGABYTE = 1 << 20


def leave(megabytes: int) -> None:
    """Lets this process take so much more memory; call it after a first small step.

    By then threads are started, and what the compiler needs is loaded; 1,000 MB are enough to
    compile another shape of a small network, with 400 MB the compiler aborts the process.
    """
    status = Path("/proc/self/status").read_text()
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if "VmData" in line)
    limit = (kilobytes << 10) + megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def child(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh Python process, which can ``from helpers.limits import leave``."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        timeout=500,
    )
