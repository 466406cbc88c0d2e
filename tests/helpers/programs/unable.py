"""A slow worker that cannot serve while a file ``unable`` lies in its directory."""

import time
from pathlib import Path

from hpbandster.core.worker import Worker

from bohb_seg.errors import SettingsError

if Path("unable").exists():
    raise SettingsError("this machine is\a unable")


class Unable(Worker):
    def compute(self, config_id, config, budget, working_directory):
        time.sleep(0.05 * budget)
        return {"loss": budget, "info": {}}
