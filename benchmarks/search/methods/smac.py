"""SMAC3's multi-fidelity facade (random forest and Hyperband) by ask and tell, default settings."""

import tempfile
from pathlib import Path

from ConfigSpace import ConfigurationSpace
from smac import MultiFidelityFacade, Scenario
from smac.runhistory import StatusType, TrialValue

from benchmarks.search.problems import ETA, MAX_EPOCHS, Configuration, plain
from benchmarks.search.simulation import Build, Job

TRIALS = 500
"""What fits into 64 full trainings; its initial design is at most a tenth or a quarter of it."""
WORST = 10.0
"""Above every loss of a problem that diverges."""


class Smac:
    """A configuration that is promoted continues."""

    def __init__(self, space: ConfigurationSpace, seed: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="smac-")
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=TRIALS,
            min_budget=1,
            max_budget=MAX_EPOCHS,
            seed=seed,
            output_directory=Path(self._folder.name),
        )
        self._facade = MultiFidelityFacade(
            scenario,
            _never_called,
            intensifier=MultiFidelityFacade.get_intensifier(scenario, eta=ETA),
            logging_level=False,
            overwrite=True,
        )

    def ask(self, worker: int) -> Job:
        """It always has something."""
        trial = self._facade.ask()
        configuration = plain(dict(trial.config))
        return Job(tuple(configuration.items()), configuration, round(trial.budget), trial)

    def tell(self, job: Job, loss: float | None) -> None:
        """Divergence is a crash with a finite cost: infinity would break its forest."""
        status = StatusType.CRASHED if loss is None else StatusType.SUCCESS
        value = TrialValue(cost=WORST if loss is None else loss, status=status)
        self._facade.tell(job.note, value, save=False)


def _never_called(config: Configuration, seed: int, budget: float) -> float:
    raise AssertionError("SMAC is asked and told")


def build(name: str) -> Build:
    """The multi-fidelity facade."""
    return lambda space, workers, seed: Smac(space, seed)
