"""The life of an evaluation and of a bracket; the scheduler's memory, no IO.

An evaluation *waits* until a worker takes it, *runs*, and waits again when its worker leaves or
raises. It is settled once it is *finished* (it has a loss), *diverged* (NaN or infinity: bad, not
retried) or *failed* (it raised too often). A new attempt is numbered one higher; only attempts that
raised count towards ``max_attempts``, a worker that leaves is nobody's fault.

A bracket decides a rung when all its places are taken and settled: the best by loss move up, the
others are eliminated; places of the next rung that no survivor fills are for new configurations,
whose ``TrialId.rung`` then is not 0. All this is HpBandSter's SuccessiveHalving.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bohb_seg.hyperband import Rung
from bohb_seg.trials import Configuration, EvaluationId, Suggestion, TrialId

State = Literal["waiting", "running", "finished", "diverged", "failed"]

LEGAL_MOVES: Mapping[State, tuple[State, ...]] = {
    "waiting": ("running",),
    "running": ("waiting", "finished", "diverged", "failed"),
    "finished": (),
    "diverged": (),
    "failed": (),
}


class InvalidTransitionError(Exception):
    """News that cannot be, or a fault of ours: stop and read the history.

    Args:
        problem: What happened.
        history: What happened to the evaluation before, oldest first.
    """

    def __init__(self, problem: str, history: Iterable[str] = ()) -> None:
        self.problem, self.history = problem, tuple(history)
        super().__init__("\n  ".join([problem, *self.history]))


@dataclass
class Evaluation:
    """One trial at one budget, alive.

    Args:
        id: Trial and budget.
        suggestion: What is trained, and who proposed it.
        epochs: What it trains itself, after the trial's evaluation on the rung below.
        attempt: Number of the latest attempt; 0 before the first.
        crashed_on: Workers on which an attempt raised, one entry per attempt.
    """

    id: EvaluationId
    suggestion: Suggestion
    epochs: float
    state: State = "waiting"
    attempt: int = 0
    worker: str | None = None
    crashed_on: list[str] = field(default_factory=list)
    loss: float | None = None
    history: list[str] = field(default_factory=list)

    @property
    def trial(self) -> TrialId:
        """Who is evaluated."""
        return self.id.trial

    @property
    def configuration(self) -> Configuration:
        """What is trained."""
        return self.suggestion.configuration

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen to it."""
        return not LEGAL_MOVES[self.state]

    def start(self, worker: str) -> None:
        """A worker begins the next attempt."""
        self.attempt += 1
        self._move("running", worker)

    def release(self) -> None:
        """The worker left; the attempt does not count as a failure."""
        self._move("waiting")

    def crash(self, max_attempts: int) -> None:
        """The attempt raised; it is tried again unless that was the last time."""
        assert self.worker is not None
        self.crashed_on.append(self.worker)
        self._move("failed" if len(self.crashed_on) >= max_attempts else "waiting")

    def diverge(self) -> None:
        """The loss became NaN or infinite."""
        self._move("diverged")

    def finish(self, loss: float) -> None:
        """The worker returned a loss."""
        self._move("finished")
        self.loss = loss

    def may_go_to(self, worker: str, workers: Iterable[str]) -> bool:
        """Whether this worker should try: not where it raised, unless it raised everywhere."""
        return worker not in self.crashed_on or set(workers) <= set(self.crashed_on)

    def _move(self, state: State, worker: str | None = None) -> None:
        name = f"{tuple(self.trial)} at budget {self.id.budget:g}"
        if state not in LEGAL_MOVES[self.state]:
            problem = f"{name} cannot go from {self.state} to {state}"
            raise InvalidTransitionError(problem, self.history)
        self.history.append(
            f"attempt {self.attempt}: {state}" + (f" on {worker}" if worker else "")
        )
        self.state, self.worker = state, worker


class Bracket:
    """One successive halving: the rungs it climbs and the evaluations of the present one."""

    def __init__(self, index: int, rungs: tuple[Rung, ...]) -> None:
        self.index, self.rungs = index, rungs
        self.rung = 0
        self.evaluations: list[Evaluation] = []

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
        full = not self.finished and not self.has_room
        return full and all(evaluation.settled for evaluation in self.evaluations)

    def add(self, suggestion: Suggestion) -> Evaluation:
        """Starts a trial with a new configuration on the present rung."""
        assert self.has_room
        budget = self.rungs[self.rung].budget
        trial = TrialId(self.index, self.rung, len(self.evaluations))
        evaluation = Evaluation(EvaluationId(trial, budget), suggestion, epochs=budget)
        self.evaluations.append(evaluation)
        return evaluation

    def decide(self) -> list[TrialId]:
        """Promotes the best of a complete rung; returns the survivors that are eliminated.

        Diverged and failed trials are never promoted. Equal losses rank by age. Those promoted
        keep their order of age, as in HpBandSter.
        """
        assert self.complete
        finished = [evaluation for evaluation in self.evaluations if evaluation.loss is not None]
        self.rung += 1
        places = 0 if self.finished else self.rungs[self.rung].trials
        best = sorted(finished, key=_loss)[:places]
        promoted = {evaluation.trial for evaluation in best}
        self.evaluations = [self._climb(e) for e in finished if e.trial in promoted]
        return [e.trial for e in finished if e.trial not in promoted]

    def _climb(self, below: Evaluation) -> Evaluation:
        budget = self.rungs[self.rung].budget
        identity = EvaluationId(below.trial, budget)
        return Evaluation(identity, below.suggestion, epochs=budget - below.id.budget)


def _loss(evaluation: Evaluation) -> float:
    assert evaluation.loss is not None
    return evaluation.loss
