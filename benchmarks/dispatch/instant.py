"""The worker of both sides: answers at once, or after a while, and writes down when.

Ours is started as ``bohb-worker --worker instant.py``, HpBandSter's by its own ``Worker.run``.
"""

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from hpbandster.core.worker import Worker

RECORDS, SECONDS = "DISPATCH_RECORDS", "DISPATCH_SECONDS"
"""Environment variables: the folder for the records, the seconds that an evaluation takes."""
MOMENT = struct.Struct("d")
"""Seconds of the monotonic clock, which all processes of a machine share."""


@final
class Instant(Worker):
    """Its record, a file named by its process id, holds begin and end of each evaluation."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._seconds = float(os.environ[SECONDS])
        path = Path(os.environ[RECORDS]) / str(os.getpid())
        self._record = path.open("ab", buffering=0)  # whole also when the process is killed

    def compute(
        self,
        config_id: tuple[int, int, int],
        config: Mapping[str, Any],
        budget: float,
        working_directory: str,
    ) -> dict[str, Any]:
        """The mean of the configuration's values."""
        self._record.write(MOMENT.pack(time.monotonic()))
        if self._seconds:
            time.sleep(self._seconds)
        loss = sum(map(float, config.values())) / len(config)
        answer = {"loss": loss, "info": {"epochs": budget, "epochs_trained": budget}}
        self._record.write(MOMENT.pack(time.monotonic()))
        return answer
