"""A worker that does what its environment says: RAISES with this text, or returns this LOSS."""

import os
import time

from hpbandster.core.worker import Worker


class Stumbling(Worker):
    def compute(self, config_id, config, budget, working_directory):
        time.sleep(0.1)  # so that a second worker gets some of the work
        if text := os.environ.get("RAISES"):
            raise RuntimeError(text)
        return {"loss": float(os.environ.get("LOSS", budget)), "info": {}}
