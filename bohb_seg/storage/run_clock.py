"""The time since a run began, over several starts of its master.

Time without a master counts, too. Where the same kernel runs, its clock since the boot tells the
time, which nobody sets; else the time of day does. While a master runs, only the monotonic clock
counts.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bohb_seg.storage.run_lock import kernel

_OWN_STATE = Path("/proc/self/stat")
_START_TIME = 19
"""Place of a process' start, in ticks since the boot, behind its name in brackets."""


def process_began() -> Mapping[str, Any]:
    """The moment at which this process began, as a run's first entry keeps it.

    Returns:
        ``time``: Unix time in seconds; ``kernel`` and ``uptime``: identity of the kernel and
        seconds since it was booted, "" and 0.0 where that is not known.
    """
    age = _age()
    uptime = _uptime()
    return {
        "time": time.time() - age,
        "kernel": kernel() if uptime else "",
        "uptime": max(0.0, uptime - age),
    }


def seconds_since(began: Mapping[str, Any]) -> float:
    """Seconds since a moment of :func:`process_began`; never negative."""
    if began["kernel"] and began["kernel"] == kernel():
        return max(0.0, _uptime() - float(began["uptime"]))
    return max(0.0, time.time() - float(began["time"]))


def _uptime() -> float:
    """Seconds since the boot, sleep included; 0.0 if this system does not tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if clock is None else time.clock_gettime(clock)


def _age() -> float:
    """Seconds since this process began; 0.0 if this system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = _OWN_STATE.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        began = int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, _uptime() - began)
    return 0.0
