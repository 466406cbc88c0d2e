"""The final phase: the best few of the search run off, then the winner meets the default; no IO.

A search takes the lowest of many noisy losses. So its winner is lucky as well as good, and its loss
promises too much (Smith and Winkler, "The Optimizer's Curse", Management Science 52, 2006). Hence
the runoff: the candidates are trained again with further seeds, which they share, at the budget
that ranked them. The lowest mean of these losses decides. The losses of the search do not count,
because they chose the candidates.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from bohb_seg.search.evaluations import Evaluation, Queue, Tally
from bohb_seg.search.events import Discard, Order
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    DEFAULT_ARM,
    INCUMBENT_ARM,
    RUNOFF_BRACKET,
    Configuration,
    EvaluationId,
    Suggestion,
    TrialId,
)

RUNOFF_SEEDS = 2
"""Seeds of the runoff: one repeats the lottery, two have a mean, more cost too much."""


class Retrainings:
    """Configurations of the search that are trained anew, all with the same seeds.

    They wait seed by seed, so that the results can be compared even if the run breaks off.

    Args:
        bracket: ``RUNOFF_BRACKET`` or ``COMPARISON_BRACKET``.
        arms: Configurations to train, by ``TrialId.rung``.
        budget: Epochs of each retraining.
        seeds: Retrainings of each arm.
    """

    def __init__(
        self, bracket: int, arms: Mapping[int, Suggestion], budget: float, seeds: int
    ) -> None:
        self.tally = Tally()
        self._queue = Queue(self.tally)
        self._known: dict[EvaluationId, Evaluation] = {}
        self._arms = tuple(arms)
        for seed in range(seeds):
            for arm, suggestion in arms.items():
                identity = EvaluationId(TrialId(bracket, arm, seed), budget)
                self._known[identity] = Evaluation(identity, suggestion, budget, self._queue)
        self.live = {identity.trial for identity in self._known}
        self.expected = len(self._known), len(self._known) * budget

    @property
    def finished(self) -> bool:
        """Whether every retraining is settled."""
        return not self._queue.unsettled

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """All retrainings, in the order in which they wait."""
        return tuple(self._known.values())

    @property
    def losses(self) -> list[tuple[float | None, ...]]:
        """Losses of each arm, one per seed; None where the training diverged or failed."""
        return [
            tuple(each.loss for each in self._known.values() if each.trial.rung == arm)
            for arm in self._arms
        ]

    def known(self, identity: EvaluationId) -> Evaluation | None:
        """The retraining; None if it is not planned."""
        return self._known.get(identity)

    def has_forgotten(self, trial: TrialId) -> bool:
        """False: retrainings are few, so none is forgotten."""
        return False

    def next_for(self, worker: str, workers: Iterable[str]) -> Evaluation | None:
        """The retraining that ``worker`` should do; None if there is none for it."""
        return next((e for e in self._queue.waiting() if e.may_go_to(worker, workers)), None)

    def settle(self, evaluation: Evaluation) -> list[Order]:
        """A retraining needs its checkpoint no more; the optimizer is told nothing."""
        self.live.discard(evaluation.trial)
        return [Discard(evaluation.trial)]


def comparison(default: Configuration, best: Incumbent, epochs: float, seeds: int) -> Retrainings:
    """Default and incumbent; if the incumbent is the default itself, there is only the one arm."""
    arms = {DEFAULT_ARM: Suggestion(default), INCUMBENT_ARM: _suggestion(best)}
    if best.configuration == default:
        del arms[INCUMBENT_ARM]
    return Retrainings(COMPARISON_BRACKET, arms, epochs, seeds)


def runoff(best: Sequence[Incumbent], plan: Plan) -> Retrainings | None:
    """The candidates at their budget; None if fewer than two have a place.

    The runoff trains at most half as many epochs as a comparison of two arms. Where that does not
    suffice there are fewer seeds, then fewer candidates.

    Args:
        best: Distinct configurations of one budget, best first.
        plan: How many may take part, and how large the comparison is.
    """
    candidates = min(plan.candidates, len(best))
    if plan.comparison_epochs is None or candidates < 2:
        return None
    half = plan.comparison_epochs * plan.comparison_seeds  # of two arms
    places = math.floor(half / best[0].budget + 1e-9)
    seeds = min(RUNOFF_SEEDS, max(1, places // candidates))
    candidates = min(candidates, places)
    if candidates < 2:
        return None
    arms = {rank: _suggestion(best[rank]) for rank in range(candidates)}
    return Retrainings(RUNOFF_BRACKET, arms, best[0].budget, seeds)


def winner(best: Sequence[Incumbent], ended: Retrainings) -> Incumbent:
    """The candidate with the lowest mean in a runoff that has ended; of equals the search's best.

    Args:
        best: The candidates that took part, best of the search first; others may follow.
        ended: Their runoff.
    """
    ranked = zip(best, ended.losses, strict=False)
    return min((replace(each, reevaluations=its) for each, its in ranked), key=_mean)


def _mean(candidate: Incumbent) -> float:
    """Mean loss; infinite if one seed failed, because the next one may fail, too."""
    losses = [math.inf if loss is None else loss for loss in candidate.reevaluations]
    try:
        return fmean(losses)
    except OverflowError:  # the sum of huge losses
        return math.inf


def _suggestion(best: Incumbent) -> Suggestion:
    return Suggestion(best.configuration, best.model_based)
