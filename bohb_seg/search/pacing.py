"""How fast workers and configurations are, learnt from the evaluations that end; no IO, no clock.

The time of an evaluation is taken to be ``F + C * x``: ``x`` is what its epochs would take with the
default configuration on that worker, ``C`` the factor of a usual configuration and ``F`` the fixed
cost. Both are fitted to all evaluations so far, by least squares with what was measured as a prior.
A trial that was seen has a factor of its own.
"""

import statistics
from collections.abc import Mapping
from typing import Final, final

from bohb_seg.search.forecast import Pace
from bohb_seg.trials import TrialId

LEAST_FACTOR: Final = 0.1
FEW: Final = 4
"""Fewer trials than that say nothing of all."""
NOISE: Final = 0.3
UNSURE: Final = 0.5
"""Standard deviations: of an evaluation's time, in shares of it, and of the factor before any."""
DRIFT: Final = 0.3
"""Share of a surprise about a known trial that is put down to its worker."""
MOST_DRIFT: Final = 4.0
"""A single evaluation makes no worker slower, or faster, by more than this."""


@final
class Pacing:
    """Speeds of workers and configurations.

    Args:
        measured: Paces of the workers that were measured with the default.
    """

    def __init__(self, measured: Mapping[str, Pace]) -> None:
        self._epochs = {worker: pace.epoch for worker, pace in measured.items()}
        self._fixed = statistics.median(pace.fixed for pace in measured.values())
        self._usual_epoch = statistics.median(self._epochs.values())
        self._factors: dict[TrialId, float] = {}
        self.factor = 1.0
        """Seconds of an epoch of a usual configuration, in those of the default."""
        self._measured = self._fixed
        self._sums = [0.0] * 5  # of weight, x, y, x * x and x * y

    @property
    def paces(self) -> Mapping[str, Pace]:
        """The paces of all workers that are known."""
        return {worker: self.pace(worker) for worker in self._epochs}

    def pace(self, worker: str) -> Pace:
        """The pace of a worker; one that is new is taken to be like the others."""
        return Pace(self._epochs.get(worker, self._usual_epoch), self._fixed)

    def factor_of(self, trial: TrialId) -> float:
        """Factor of a trial; that of a usual configuration if it has not been seen."""
        return self._factors.get(trial, self.factor)

    def expected(self, worker: str, trial: TrialId, epochs: float) -> float:
        """Seconds that a worker needs for an evaluation of a trial."""
        return self.pace(worker).seconds(epochs, self.factor_of(trial))

    def quantile(self, share: float) -> float:
        """Factor below which this share of the trials lies; that of a usual one if few are seen."""
        factors = sorted(self._factors.values())
        if len(factors) < FEW:
            return self.factor
        return factors[min(len(factors) - 1, int(share * len(factors)))]

    def known(self, trial: TrialId) -> bool:
        """Whether a trial has a factor of its own."""
        return trial in self._factors

    def learn(
        self, worker: str, trial: TrialId, epochs: float, seconds: float, is_usual: bool = True
    ) -> None:
        """Takes note of an evaluation that has ended.

        Args:
            worker: The worker that trained.
            trial: What it trained.
            epochs: Epochs that it trained, > 0.
            seconds: Seconds from the order to the result.
            is_usual: Whether it tells of the search's configurations and their fixed costs.
        """
        expected, is_known = self.expected(worker, trial, epochs), trial in self._factors
        if is_known or worker not in self._epochs:
            share = DRIFT if worker in self._epochs else 1.0
            surprise = min(MOST_DRIFT, max(1 / MOST_DRIFT, seconds / max(expected, 1e-9)))
            self._epochs[worker] = self.pace(worker).epoch * surprise**share
        x = epochs * self.pace(worker).epoch
        if is_usual:
            self._add(x, seconds)
            self._fit()
        own = max(LEAST_FACTOR, (seconds - self._fixed) / x)
        if x >= self._fixed:  # else it says little about the epochs
            self._factors[trial] = own if not is_known else (own + self._factors[trial]) / 2

    def _add(self, x: float, y: float) -> None:
        weight = 1 / (NOISE * (x + self._measured) + 1e-9) ** 2  # errors grow with the time
        for index, term in enumerate((1.0, x, y, x * x, x * y)):
            self._sums[index] += weight * term

    def _fit(self) -> None:
        fixed, factor = self._measured, 1.0
        sure_of_fixed = 1 / (fixed + UNSURE * self._usual_epoch) ** 2
        sure_of_factor = 1 / UNSURE**2
        one, x, y, xx, xy = self._sums
        one, y = one + sure_of_fixed, y + sure_of_fixed * fixed
        xx, xy = xx + sure_of_factor, xy + sure_of_factor * factor
        factor = (one * xy - x * y) / (one * xx - x * x)
        if factor < LEAST_FACTOR:
            factor = LEAST_FACTOR
        elif y < factor * x:  # no cost is negative
            factor = xy / xx
        self.factor, self._fixed = factor, max(0.0, (y - factor * x) / one)
