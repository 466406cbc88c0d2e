"""DEHB by its ask/tell interface, with its default settings."""

import math
import tempfile

from ConfigSpace import ConfigurationSpace
from dehb import DEHB

from benchmarks.search.problems import ETA, MAX_EPOCHS, plain
from benchmarks.search.simulation import Build, Job


class Dehb:
    """A configuration that is promoted keeps its number, and so continues."""

    def __init__(self, space: ConfigurationSpace, seed: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dehb-")  # it insists on a log file
        self._dehb = DEHB(
            cs=space,
            min_fidelity=1,
            max_fidelity=MAX_EPOCHS,
            eta=ETA,
            n_workers=1,  # more would start processes; asked in parallel it needs none
            seed=seed,
            save_freq="end",
            log_level="ERROR",
            output_path=self._folder.name,
        )

    def ask(self, worker: int) -> Job:
        """It always has something."""
        job = self._dehb.ask()
        return Job(job["config_id"], plain(dict(job["config"])), round(job["fidelity"]), job)

    def tell(self, job: Job, loss: float | None) -> None:
        """Divergence is infinitely bad."""
        self._dehb.tell(job.note, {"fitness": math.inf if loss is None else loss, "cost": 0.0})


def build(name: str) -> Build:
    """DEHB; there is only one."""
    return lambda space, workers, seed: Dehb(space, seed)
