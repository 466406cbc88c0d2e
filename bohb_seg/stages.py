"""Search and comparison: the two stages of a run that have work for workers; no IO.

Both remember only what is still open, so that a long run needs no more memory than a short one:
a bracket is forgotten when it is finished, the search when the comparison begins.
"""

from collections.abc import Iterable

from bohb_seg.attempts import Evaluation, Queue, Tally
from bohb_seg.brackets import Bracket
from bohb_seg.optimizers import Optimizer
from bohb_seg.standing import Incumbent, expected
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    DEFAULT_ARM,
    INCUMBENT_ARM,
    BracketFinished,
    Configuration,
    Discard,
    EvaluationId,
    Order,
    Suggestion,
    TrialId,
)


class Search:
    """The brackets of a run.

    Args:
        optimizer: Proposes configurations, lays out the rungs, is told the results.
        default: The configuration that is tried first.
        n_iterations: Brackets, at least 1.
        max_evaluations: So many are begun at most.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        default: Configuration,
        n_iterations: int,
        max_evaluations: int | None,
    ) -> None:
        self._optimizer, self._default = optimizer, default
        self._n_iterations, self._max_evaluations = n_iterations, max_evaluations
        self._begun = 0  # brackets
        self._open: dict[int, Bracket] = {}  # the unfinished ones of them, by age
        self.live: dict[TrialId, None] = {}  # trials that keep a checkpoint, by age
        self.tally = Tally()
        self.expected = expected(map(optimizer.rungs, range(n_iterations)))
        self.incumbent: Incumbent | None = None

    @property
    def finished(self) -> bool:
        """Whether every bracket is."""
        return self._begun == self._n_iterations and not self._open

    @property
    def front(self) -> tuple[int, int]:
        """Bracket and rung that are decided next, or the last ones."""
        for bracket in self._open.values():
            return bracket.index, bracket.rung
        last = max(self._begun - 1, 0)
        return last, len(self._optimizer.rungs(last)) - 1 if self._begun else 0

    def known(self, identity: EvaluationId) -> Evaluation | None:
        """The evaluation; None if it was forgotten or never planned."""
        bracket = self._open.get(identity.trial.bracket)
        return bracket.known.get(identity) if bracket else None

    def has_forgotten(self, trial: TrialId) -> bool:
        """Whether the trial's bracket was open once."""
        return 0 <= trial.bracket < self._begun and trial.bracket not in self._open

    def next_for(self, worker: str, workers: Iterable[str]) -> Evaluation | None:
        """What this of all workers should do; draws a configuration where there is a place.

        Only first attempts count towards ``max_evaluations``: later ones were counted.
        """
        begin = self._max_evaluations is None or self.tally.begun < self._max_evaluations
        for bracket in self._open.values():
            if waiting := bracket.queue.next_for(worker, workers, begin=begin):
                return waiting
            if begin and bracket.has_room:
                return self._draw(bracket)
        if begin and self._begun < self._n_iterations:
            return self._draw(self._open_bracket())
        return None

    def settle(self, evaluation: Evaluation) -> list[Order]:
        """Tells the optimizer, and decides the rung if this was its last evaluation."""
        trial, budget, loss = evaluation.trial, evaluation.id.budget, evaluation.loss
        self._optimizer.observe(evaluation.configuration, budget, loss)
        orders: list[Order] = []
        if loss is None:
            orders += self._discard([trial])
        else:
            self._crown(evaluation, loss)
        bracket = self._open[trial.bracket]
        return [*orders, *self._decide(bracket)] if bracket.complete else orders

    def close(self) -> list[Order]:
        """Forgets what is open; no checkpoint is needed any more, for the comparison retrains."""
        self._open.clear()
        return self._discard(list(self.live))

    def _crown(self, evaluation: Evaluation, loss: float) -> None:
        best, (trial, budget) = self.incumbent, evaluation.id
        # Among equals the oldest trial, not the first that finished: that would be chance.
        if best is None or (-budget, loss, trial) < (-best.budget, best.loss, best.trial):
            model_based = evaluation.suggestion.model_based
            self.incumbent = Incumbent(trial, budget, loss, evaluation.configuration, model_based)

    def _decide(self, bracket: Bracket) -> list[Order]:
        orders = self._discard(bracket.decide())
        if not bracket.finished:
            return orders
        del self._open[bracket.index]
        return [*orders, BracketFinished(bracket.index)]

    def _discard(self, trials: list[TrialId]) -> list[Order]:
        for trial in trials:
            del self.live[trial]
        return [Discard(trial) for trial in trials]

    def _open_bracket(self) -> Bracket:
        index = self._begun
        self._begun += 1
        self._open[index] = Bracket(index, self._optimizer.rungs(index), self.tally)
        return self._open[index]

    def _draw(self, bracket: Bracket) -> Evaluation:
        first = not self.tally.begun
        evaluation = bracket.add(Suggestion(self._default) if first else self._optimizer.suggest())
        self.live[evaluation.trial] = None
        return evaluation


class Comparison:
    """The retrainings of default and incumbent at the end of a run.

    They wait seed by seed, so that what is there if the run breaks off comes in pairs.

    Args:
        default: The default configuration.
        best: The incumbent; if that is the default itself, there is only the one arm.
        epochs: Budget of each retraining.
        seeds: Retrainings of each arm.
    """

    def __init__(self, default: Configuration, best: Incumbent, epochs: float, seeds: int) -> None:
        self.tally = Tally()
        self._queue = Queue(self.tally)
        self._known: dict[EvaluationId, Evaluation] = {}
        tuned = Suggestion(best.configuration, best.model_based)
        arms = {DEFAULT_ARM: Suggestion(default), INCUMBENT_ARM: tuned}
        if best.configuration == default:
            del arms[INCUMBENT_ARM]
        for seed in range(seeds):
            for arm, suggestion in arms.items():
                identity = EvaluationId(TrialId(COMPARISON_BRACKET, arm, seed), epochs)
                self._known[identity] = Evaluation(identity, suggestion, epochs, self._queue)
        self.live = {identity.trial for identity in self._known}
        self.expected = len(self._known), len(self._known) * epochs

    @property
    def finished(self) -> bool:
        """Whether every retraining is settled."""
        return not self._queue.unsettled

    def known(self, identity: EvaluationId) -> Evaluation | None:
        """The retraining; None if it is not planned."""
        return self._known.get(identity)

    def has_forgotten(self, trial: TrialId) -> bool:
        """Nothing is: they are few."""
        return False

    def next_for(self, worker: str, workers: Iterable[str]) -> Evaluation | None:
        """What this of all workers should do."""
        return self._queue.next_for(worker, workers)

    def settle(self, evaluation: Evaluation) -> list[Order]:
        """A retraining needs its checkpoint no more; the optimizer is told nothing."""
        self.live.discard(evaluation.trial)
        return [Discard(evaluation.trial)]
