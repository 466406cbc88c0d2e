"""One successive halving: its rungs and the trials that climb them; no IO.

A bracket decides a rung when all its places are taken and settled: the best by loss move up, the
others are eliminated. Places of the next rung that no survivor fills are for new configurations,
whose ``TrialId.rung`` then is not 0. All this is HpBandSter's SuccessiveHalving.
"""

from bohb_seg.search.evaluations import Evaluation, Queue, Tally
from bohb_seg.search.hyperband import Rung
from bohb_seg.trials import EvaluationId, Suggestion, TrialId


class Bracket:
    """One successive halving: the rungs it climbs and the evaluations of the present one.

    Args:
        index: Its running number.
        rungs: Its rungs, from the lowest budget to the highest.
        tally: Counts the evaluations of this bracket together with those of all others.
        continuing: Whether a promoted trial goes on from its checkpoint, or begins again.
    """

    def __init__(
        self, index: int, rungs: tuple[Rung, ...], tally: Tally, continuing: bool = True
    ) -> None:
        self.index, self.rungs, self._continuing = index, rungs, continuing
        self.rung = 0
        self.queue = Queue(tally)
        self.evaluations: list[Evaluation] = []
        self.known: dict[EvaluationId, Evaluation] = {}
        """All evaluations of the bracket, also those of the rungs below."""

    @property
    def finished(self) -> bool:
        """Whether every rung is decided."""
        return self.rung == len(self.rungs)

    @property
    def has_room(self) -> bool:
        """Whether the present rung has a place for a new configuration."""
        return not self.finished and len(self.evaluations) < self.rungs[self.rung].trials

    @property
    def complete(self) -> bool:
        """Whether the present rung can be decided."""
        return not (self.finished or self.has_room or self.queue.unsettled)

    @property
    def price(self) -> float:
        """Epochs of a new configuration on the present rung."""
        return self.rungs[self.rung].budget

    def add(self, suggestion: Suggestion) -> Evaluation:
        """Starts a trial with a new configuration on the present rung."""
        assert self.has_room
        trial = TrialId(self.index, self.rung, len(self.evaluations))
        return self._enter(trial, suggestion, below=0)

    def decide(self) -> list[TrialId]:
        """Promotes the best of a complete rung; returns the survivors that are eliminated.

        Diverged and failed trials are never promoted. Equal losses rank by age. Those promoted
        keep their order of age, as in HpBandSter.
        """
        assert self.complete
        below = self.rungs[self.rung].budget
        finished = [evaluation for evaluation in self.evaluations if evaluation.loss is not None]
        self.rung += 1
        places = 0 if self.finished else self.rungs[self.rung].trials
        promoted = {evaluation.trial for evaluation in sorted(finished, key=_loss)[:places]}
        self.evaluations = []
        for evaluation in finished:
            if evaluation.trial in promoted:
                self._enter(evaluation.trial, evaluation.suggestion, below)
        return [e.trial for e in finished if e.trial not in promoted]

    def _enter(self, trial: TrialId, suggestion: Suggestion, below: float) -> Evaluation:
        budget = self.rungs[self.rung].budget
        epochs = budget - below if self._continuing else budget
        evaluation = Evaluation(EvaluationId(trial, budget), suggestion, epochs, self.queue)
        self.evaluations.append(evaluation)
        self.known[evaluation.id] = evaluation
        return evaluation


def _loss(evaluation: Evaluation) -> float:
    assert evaluation.loss is not None
    return evaluation.loss
