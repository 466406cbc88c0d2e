"""A worker whose process ends, or whose evaluation never ends, where its configuration says so.

The kinds go by the number of the trial at the smallest budget. With BROKEN in the environment's
file of that name every evaluation raises.
"""

import ctypes
import os
import signal
import time
from pathlib import Path

from hpbandster.core.worker import Worker


def _touch_nothing():
    ctypes.string_at(0)


def _be_killed():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


class Poison(Worker):
    """Trials 1 to 5 are bad."""

    def _hang(self):
        while True:
            time.sleep(0.02)
            self.interruption.check()

    def compute(self, config_id, config, budget, working_directory):
        if Path("broken").exists():
            raise RuntimeError(f"no kernel image for convolution {config_id[2]}")
        deeds = {
            1: _touch_nothing,
            2: _be_killed,
            3: lambda: os._exit(0),
            4: lambda: os._exit(2),
            5: self._hang,
        }
        if budget < 2 and Path("poisonous").exists():
            deeds.get(config_id[2], int)()
        return {"loss": 1 / budget, "info": {}}
