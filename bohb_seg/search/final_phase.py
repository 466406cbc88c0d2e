"""The trainings after the search: runoff, comparison with the default, folds; no IO.

The *runoff* chooses the incumbent (``runoff``). In the *comparison* default and incumbent are
retrained in pairs of seeds until the verdict is final (``duel``, ``sequence``). A worker that would
idle in the runoff trains a seed of the default, which is needed whoever wins.

With *folds* the comparison has the seeds of its first look alone, for its models and as the test on
images that nobody saw. The verdict rests on the folds. These have so many seeds that they take no
more trainings than the comparison alone would have taken at most, but never fewer than a first look
needs.

A run may grow. An incumbent that was compared before keeps its arm, and its retrainings count;
another one is a new arm. The default's retrainings serve all of them, because arms share their
seeds.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import final

from bohb_seg.search.duel import Duel, Size
from bohb_seg.search.events import IncumbentChosen
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent
from bohb_seg.search.retrainings import Retrainings
from bohb_seg.search.runoff import Runoff
from bohb_seg.search.sequence import judge_in_order
from bohb_seg.search.verdict import FIRST_LOOK, Terms
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    DEFAULT_ARM,
    FOLDS_BRACKET,
    RUNOFF_BRACKET,
    Configuration,
    EvaluationId,
    Suggestion,
)


@final
class Finals:
    """Runoff, comparison and folds of a run.

    Args:
        default: The default configuration.
    """

    def __init__(self, default: Configuration) -> None:
        self.runoff = Runoff()
        self.comparison, self.folds = Duel(COMPARISON_BRACKET), Duel(FOLDS_BRACKET)
        self._arms = {DEFAULT_ARM: Suggestion(default)}
        self._judged: tuple[object, bool] = None, False
        self.planned: int | None = None
        """Pairs that were planned when the comparison began; the levels of its looks follow."""

    @cached_property
    def retrainings(self) -> dict[int, Retrainings]:
        """The retrainings of each bracket."""
        return {
            RUNOFF_BRACKET: self.runoff.retrainings,
            COMPARISON_BRACKET: self.comparison.retrainings,
            FOLDS_BRACKET: self.folds.retrainings,
        }

    def adopt(self, evaluation: EvaluationId, suggestion: Suggestion) -> None:
        """Takes over a retraining of a run that is rebuilt, with its number."""
        (bracket, arm, number), budget = evaluation
        if bracket == RUNOFF_BRACKET:
            self.runoff.adopt(arm, suggestion, budget)
        else:
            self._arms.setdefault(arm, suggestion)
        self.retrainings[bracket].add(arm, number, suggestion, budget)

    def change(self, plan: Plan) -> None:
        """Goes by another plan; once the comparison has begun, the levels of its looks stay."""
        duels = self.comparison, self.folds
        if self.planned and not any(each.retrainings.tally.begun for each in duels):
            self.planned = plan.comparison_seeds

    def train_default(self, plan: Plan) -> None:
        """Has the default ready for workers that would idle in the runoff."""
        if plan.adaptive:
            self.planned = self.planned or plan.comparison_seeds
            self.comparison.begin({DEFAULT_ARM: self._arms[DEFAULT_ARM]}, _size(plan, alone=True))

    def compare(self, best: Incumbent, plan: Plan) -> Iterator[IncumbentChosen]:
        """Begins the comparison with this incumbent, or goes on with it by another plan."""
        self.planned = self.planned or plan.comparison_seeds
        arm = self._arm(best)
        pair = {each: self._arms[each] for each in sorted({DEFAULT_ARM, arm})}
        self.comparison.begin(pair, _size(plan, alone=arm == DEFAULT_ARM))
        if plan.folds and arm != DEFAULT_ARM:
            self.folds.begin(pair, _size_of_folds(plan))
        else:
            self.folds.begin({}, Size(0, 0, 0))
        if plan.adaptive:
            yield IncumbentChosen(best.trial, arm)

    @property
    def has_folds(self) -> bool:
        """Whether the present incumbent is compared on folds, too."""
        return self.folds.size.most > 0

    def is_compared(self, plan: Plan) -> bool:
        """Adds the pairs that the comparison needs; returns whether it is over."""
        return self.comparison.is_over(lambda: self._is_final(plan))

    def is_folded(self, plan: Plan) -> bool:
        """Adds the pairs that the folds need; returns whether they are over."""
        return self.folds.is_over(lambda: self._is_final(plan))

    def _is_final(self, plan: Plan) -> bool:
        """Whether the verdict needs no more pairs; looked at once for the same results."""
        duel = self.folds if self.has_folds else self.comparison
        compared = (*self.comparison.retrained, *self.folds.retrained)
        state = plan, duel.size, {(each.arm, each.seed, each.fold) for each in compared}
        if self._judged[0] != state:
            begun = replace(plan, comparison_seeds=self.planned or plan.comparison_seeds)
            terms = Terms.of(plan, begun)
            verdict = judge_in_order(compared, tuple(self.runoff.retrained), terms)
            self._judged = state, verdict.is_final
        return self._judged[1]

    def _arm(self, best: Incumbent) -> int:
        for arm, known in self._arms.items():
            if known.configuration == best.configuration:
                return arm
        arm = max(self._arms) + 1
        self._arms[arm] = Suggestion(best.configuration, best.model_based)
        return arm


def _size(plan: Plan, *, alone: bool) -> Size:
    """Size of the comparison; a default that won is retrained for its numbers alone."""
    assert plan.comparison_epochs is not None
    first = min(FIRST_LOOK, plan.comparison_seeds) if plan.adaptive else plan.comparison_seeds
    most = first if alone or plan.folds else plan.comparison_seeds
    return Size(first, most, plan.comparison_epochs)


def _size_of_folds(plan: Plan) -> Size:
    assert plan.comparison_epochs is not None
    return Size(FIRST_LOOK, Terms.of(plan).most_seeds, plan.comparison_epochs, plan.folds)
