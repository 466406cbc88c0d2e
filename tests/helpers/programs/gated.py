"""The toy, slowed down, that holds later brackets back until the file ``open`` appears beside it.

The file lies in the folder where the worker was started; its presence also ends the slowness.
"""

import runpy
import time
from pathlib import Path

Toy = runpy.run_path(str(Path(__file__).parents[3] / "workers/toy.py"))["Toy"]
HELD_BACK, LAST = 15, 29
"""Numbers of the first bracket that is held back, and of the last one of the run."""
UNHURRIED = 0.4
"""Seconds that each evaluation takes."""
LOOK = 0.05


def gated(self, *arguments, config_id, compute=Toy.compute, **job):
    """Trials of brackets after the last are no part of the run; they wait for nothing."""
    until = time.monotonic() + UNHURRIED
    while not Path("open").exists() and config_id[0] <= LAST:
        if config_id[0] < HELD_BACK and time.monotonic() > until:
            break
        self.interruption.check()
        time.sleep(LOOK)
    return compute(self, *arguments, config_id=config_id, **job)


Toy.compute = gated
