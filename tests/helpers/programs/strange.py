"""A worker with data of its own: FINGERPRINT, SPLIT_HASH or VERSION lie about what it has."""

import os

from hpbandster.core.worker import Worker

NEEDS_DATA = True


class Strange(Worker):
    def compute(self, config_id, config, budget, working_directory):
        return {"loss": budget, "info": {}}

    def facts(self):
        return {
            name: os.environ[name.upper()]
            for name in ("fingerprint", "split_hash", "version")
            if name.upper() in os.environ
        }
