"""Default and incumbent, retrained in pairs until a verdict is final; no IO."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

from bohb_seg.search.retrainings import Retrainings
from bohb_seg.search.sequence import whole_seeds
from bohb_seg.search.verdict import Retrained
from bohb_seg.trials import INCUMBENT_ARM, Suggestion, seed_and_fold


@dataclass(frozen=True)
class Size:
    """Size of a duel.

    Args:
        first: Seeds before the verdict is looked at for the first time.
        most: Largest number of seeds, at least ``first``.
        epochs: Budget of a retraining.
        folds: Folds on which each seed is trained; 0: on the parts of the search.
    """

    first: int
    most: int
    epochs: float
    folds: int = 0


@final
class Duel:
    """Pairs of retrainings, seed by seed.

    A worker that would idle begins the next pair. The verdict looks at whole seeds in their order,
    so that it does not matter which worker is quicker; what still runs when it is final is given
    up.

    Args:
        bracket: ``COMPARISON_BRACKET`` or ``FOLDS_BRACKET``.
    """

    def __init__(self, bracket: int) -> None:
        self.retrainings = Retrainings(bracket)
        self._arms: Mapping[int, Suggestion] = {}
        self.size = Size(0, 0, 0)
        self._seeds = 0

    def begin(self, arms: Mapping[int, Suggestion], size: Size) -> None:
        """Begins, or goes on with other arms or another size; what is settled counts."""
        self._arms, self.size = arms, size
        trainings = len(arms) * size.most * max(1, size.folds)
        self.retrainings.begin(arms, trainings, size.epochs)
        self._seeds = 0
        self._want(size.first)

    def is_over(self, is_final: Callable[[], bool]) -> bool:
        """Adds the retrainings that the verdict needs; returns whether it needs none any more.

        Args:
            is_final: Whether the verdict on the whole seeds that there are needs no more of them.
        """
        sides = {_side(arm) for arm in self._arms}
        seeds = whole_seeds(self.retrained, sides, self.size.folds)
        if seeds >= self.size.first and (seeds >= self.size.most or is_final()):
            return True
        self._want(seeds + 1)
        return False

    def look_ahead(self) -> bool:
        """Adds the next pair for a worker that would idle; returns whether there was one to add."""
        if self._seeds == self.size.most:
            return False
        self._want(self._seeds + 1)
        return True

    @property
    def retrained(self) -> Iterator[Retrained]:
        """Settled retrainings of the arms that take part."""
        for arm in self._arms:
            for number, (loss, facts) in self.retrainings.results(arm).items():
                folds = self.size.folds
                seed, fold = seed_and_fold(number, folds) if folds else (number, None)
                yield Retrained(_side(arm), seed, loss, facts, fold)

    def _want(self, seeds: int) -> None:
        numbers = max(1, self.size.folds)
        for number in range(self._seeds * numbers, seeds * numbers):
            for arm, suggestion in self._arms.items():
                self.retrainings.add(arm, number, suggestion, self.size.epochs)
        self._seeds = max(self._seeds, seeds)


def _side(arm: int) -> int:
    """The arm as the verdict knows it."""
    return min(arm, INCUMBENT_ARM)
