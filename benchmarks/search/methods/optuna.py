"""Optuna: TPE with the Hyperband pruner, default settings, by ask and tell.

A trial reports at the rungs only (1, 3, 9, 27 epochs): between them the pruner decides nothing.
What diverges reports infinity and is pruned. In parallel the sampler assumes that running trials
are bad (``constant_liar``), as Optuna's manual advises.
"""

import math
from typing import Any

import optuna
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, UniformIntegerHyperparameter
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import HyperbandPruner
from optuna.samplers import TPESampler

from benchmarks.search.problems import ETA, MAX_EPOCHS
from benchmarks.search.simulation import Build, Job


def _distribution(hyperparameter: Any) -> BaseDistribution:
    if isinstance(hyperparameter, CategoricalHyperparameter):
        return CategoricalDistribution(hyperparameter.choices)
    whole = isinstance(hyperparameter, UniformIntegerHyperparameter)
    kind = IntDistribution if whole else FloatDistribution
    return kind(hyperparameter.lower, hyperparameter.upper, log=hyperparameter.log)


class Optuna:
    """A study; a worker stays with its trial until that is pruned or complete."""

    def __init__(self, space: ConfigurationSpace, workers: int, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._distributions = {name: _distribution(space[name]) for name in space}
        self._study = optuna.create_study(
            study_name=f"study-{seed}",  # the pruner draws brackets by this name
            sampler=TPESampler(seed=seed, constant_liar=workers > 1),
            pruner=HyperbandPruner(1, MAX_EPOCHS, ETA),
        )
        self._promoted: list[tuple[optuna.Trial, int]] = []

    def ask(self, worker: int) -> Job:
        """The next rung of the trial that has just been let through, or a new trial."""
        if self._promoted:
            trial, epochs = self._promoted.pop()
        else:
            trial, epochs = self._study.ask(self._distributions), 1
        return Job(trial.number, trial.params, epochs, trial)

    def tell(self, job: Job, loss: float | None) -> None:
        """Reports, and asks whether to prune."""
        trial, loss = job.note, math.inf if loss is None else loss
        trial.report(loss, job.epochs)
        if math.isfinite(loss) and job.epochs == MAX_EPOCHS:
            self._study.tell(trial, loss)
        elif math.isinf(loss) or trial.should_prune():
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            self._promoted.append((trial, ETA * job.epochs))


def build(name: str) -> Build:
    """TPE with the Hyperband pruner."""
    return lambda space, workers, seed: Optuna(space, workers, seed)
