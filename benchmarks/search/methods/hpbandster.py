"""Unmodified HpBandSter: its generators and brackets, driven as its master's loop does it.

Only threads and network are left out. Values are cast to plain Python, because HpBandSter 0.7.4
cannot use the NumPy scalars of today's ConfigSpace.
"""

import logging
from typing import Any
from unittest.mock import patch

import numpy as np
from ConfigSpace import ConfigurationSpace
from hpbandster.core.dispatcher import Job as TheirJob
from hpbandster.core.master import Master
from hpbandster.optimizers import BOHB, HyperBand

from benchmarks.search.problems import ETA, MAX_EPOCHS, plain
from benchmarks.search.simulation import Build, Job

_KINDS = {"bohb": BOHB, "hyperband": HyperBand}


def _without_threads(self: Any, config_generator: object, **kwargs: object) -> None:
    """In place of ``Master.__init__``, which starts a dispatcher."""
    self.config_generator, self.config, self.iterations = config_generator, {}, []


class HpBandSter:
    """One of its masters; its randomness is NumPy's global one."""

    def __init__(self, kind: type, space: ConfigurationSpace, seed: int) -> None:
        np.random.seed(seed)
        space.seed(seed)
        self._logger = logging.getLogger("hpbandster")
        self._logger.setLevel(logging.CRITICAL)  # it warns of every candidate that it gives up
        with patch.object(Master, "__init__", _without_threads):
            self._master = kind(configspace=space, eta=ETA, min_budget=1, max_budget=MAX_EPOCHS)

    def ask(self, worker: int) -> Job:
        """``Master.run``: the first bracket that has something, or a new one."""
        master = self._master
        while True:
            for index in master.active_iterations():
                following = master.iterations[index].get_next_run()
                if following is not None:
                    trial, configuration, budget = following
                    return Job(trial, plain(configuration), round(budget), following)
            iteration = master.get_next_iteration(
                len(master.iterations), {"logger": self._logger, "result_logger": None}
            )
            master.iterations.append(iteration)

    def tell(self, job: Job, loss: float | None) -> None:
        """``Master.job_callback``; who diverges has no result."""
        trial, configuration, budget = job.note
        answer = TheirJob(trial, config=configuration, budget=budget)
        answer.result = None if loss is None else {"loss": loss, "info": {}}
        self._master.iterations[trial[0]].register_result(answer)
        self._master.config_generator.new_result(answer)


def build(name: str) -> Build:
    """``bohb`` or ``hyperband``, with their default settings."""
    return lambda space, workers, seed: HpBandSter(_KINDS[name], space, seed)
