"""Trainings after the search: of runoff, comparison or folds, with the facts that came of them."""

from collections.abc import Iterable, Mapping, Sequence

from bohb_seg.search.evaluations import Evaluation, Queue, Tally
from bohb_seg.search.events import Discard, Order
from bohb_seg.trials import EvaluationId, Info, Suggestion, TrialId


class Retrainings:
    """Configurations of the search that are trained anew, all with the same seeds.

    They wait in the order in which they were added. Only those of an arm that takes part are
    handed out; those of other arms keep their results.

    Args:
        bracket: One of ``FINAL_PHASES``.
    """

    def __init__(self, bracket: int) -> None:
        self._bracket = bracket
        self.tally = Tally()
        self._queue = Queue(self.tally)
        self._known: dict[TrialId, Evaluation] = {}
        self._facts: dict[TrialId, Info] = {}
        self.live: set[TrialId] = set()
        self.arms: tuple[int, ...] = ()
        """Values of ``TrialId.rung`` that take part now."""
        self.expected: tuple[int, float] = 0, 0.0
        """Evaluations and epochs at most, see ``Progress``."""

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """All retrainings, in the order in which they were added."""
        return tuple(self._known.values())

    @property
    def waits(self) -> bool:
        """Whether a retraining waits for a worker."""
        return any(self._takes_part(each) for each in self._queue.waiting())

    def begin(self, arms: Iterable[int], most: int, budget: float) -> None:
        """These arms take part from here on, in so many retrainings at most."""
        self.arms = tuple(arms)
        others = [each for each in self.evaluations if not self._takes_part(each)]
        count, epochs = len(others), sum(each.epochs for each in others)
        self.expected = count + most, epochs + most * budget

    def add(self, arm: int, number: int, suggestion: Suggestion, budget: float) -> None:
        """Adds a retraining unless it is there."""
        trial = TrialId(self._bracket, arm, number)
        if trial not in self._known:
            identity = EvaluationId(trial, budget)
            self._known[trial] = Evaluation(identity, suggestion, budget, self._queue)
            self.live.add(trial)

    def results(self, arm: int) -> Mapping[int, tuple[float | None, Info]]:
        """Loss and facts of an arm's retrainings by number; no loss where one failed."""
        return {
            each.trial.number: (each.loss, self._facts[each.trial])
            for each in self._known.values()
            if each.trial.rung == arm and each.settled
        }

    def known(self, identity: EvaluationId) -> Evaluation | None:
        """The retraining; None if it is not planned."""
        found = self._known.get(identity.trial)
        return found if found and found.id == identity else None

    def has_forgotten(self, trial: TrialId) -> bool:
        """False: retrainings are few, so none is forgotten."""
        return False

    def next_for(self, worker: str, workers: Iterable[str]) -> Evaluation | None:
        """The retraining that ``worker`` should do; None if there is none for it."""
        mine = filter(self._takes_part, self._queue.waiting())
        return next((e for e in mine if e.may_go_to(worker, workers)), None)

    def settle(self, evaluation: Evaluation, facts: Info) -> list[Order]:
        """Keeps the facts; the checkpoint is needed no more, the optimizer is told nothing."""
        self._facts[evaluation.trial] = facts
        self.live.discard(evaluation.trial)
        return [Discard(evaluation.trial)]

    def _takes_part(self, evaluation: Evaluation) -> bool:
        return evaluation.trial.rung in self.arms
