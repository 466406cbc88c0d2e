"""The life of an evaluation, the queue of those that wait, and counts of each state; no IO.

An evaluation *waits* until a worker takes it, *runs*, and waits again when its worker leaves or
raises. It is settled once it is *finished* (it has a loss), *diverged* (NaN or infinity: bad, not
retried) or *failed* (it raised, or killed its worker, too often). A new attempt is numbered one
higher; attempts that raised and those whose worker died count towards ``max_attempts``. A worker
that leaves or falls silent is nobody's fault.

A worker that comes back may go on with the attempt it left, as long as nobody began another. An
attempt that was handed on may still be the first with a result, even while the evaluation waits.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from bohb_seg.trials import Configuration, EvaluationId, Suggestion, TrialId

State = Literal["waiting", "running", "finished", "diverged", "failed"]

LEGAL_MOVES: Mapping[State, tuple[State, ...]] = {
    "waiting": ("running", "finished", "diverged"),
    "running": ("waiting", "finished", "diverged", "failed"),
    "finished": (),
    "diverged": (),
    "failed": (),
}


class InvalidTransitionError(Exception):
    """News that contradict earlier ones, or a fault of ours: stop and read the history.

    Args:
        problem: The move that was impossible.
        history: Earlier moves of the evaluation, oldest first.
    """

    def __init__(self, problem: str, history: Iterable[str] = ()) -> None:
        self.problem, self.history = problem, tuple(history)
        super().__init__("\n  ".join([problem, *self.history]))


@dataclass(eq=False)
class Evaluation:
    """One trial at one budget, alive.

    Args:
        id: Trial and budget.
        suggestion: The configuration, and whether a model proposed it.
        epochs: Epochs that it trains itself, without those that it continues from.
        queue: The queue that is told of every move.
        attempt: Number of the latest attempt; 0 before the first.
        lost: Whether the worker of the latest attempt left before its end.
        crashed_on: Workers on which an attempt raised, or which died of it, one entry per attempt.
        deaths: Workers that died at an attempt, with their machines.
        charged: Those of them whose death counts as a crash.
    """

    id: EvaluationId
    suggestion: Suggestion
    epochs: float
    queue: "Queue" = field(repr=False)
    state: State = "waiting"
    attempt: int = 0
    worker: str | None = None
    lost: bool = False
    crashed_on: list[str] = field(default_factory=list)
    deaths: dict[str, str] = field(default_factory=dict)
    charged: set[str] = field(default_factory=set)
    loss: float | None = None
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue.moved(self, None)

    @property
    def trial(self) -> TrialId:
        """The trial that is evaluated."""
        return self.id.trial

    @property
    def configuration(self) -> Configuration:
        """The configuration that is trained."""
        return self.suggestion.configuration

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen to it."""
        return not LEGAL_MOVES[self.state]

    def runs(self, attempt: int, worker: str) -> bool:
        """Whether this attempt is the one that runs now, on this worker."""
        return (self.attempt, self.worker) == (attempt, worker)

    def may_go_to(self, worker: str, workers: Iterable[str]) -> bool:
        """Whether this worker should try: not where it raised, unless it raised everywhere."""
        return worker not in self.crashed_on or set(workers) <= set(self.crashed_on)

    def may_resume(self, attempt: int) -> bool:
        """Whether a worker that came back goes on with this attempt: nobody else took over."""
        return self.state == "waiting" and self.lost and self.attempt == attempt

    def start(self, worker: str) -> None:
        """A worker begins the next attempt."""
        self.attempt += 1
        self._move("running", worker)

    def resume(self, worker: str) -> None:
        """A worker that was taken to have left, or to be dead, goes on with the latest attempt."""
        self._move("running", worker)

    def forgive(self, worker: str) -> None:
        """A worker that seemed to have died of an attempt is there."""
        if self.deaths.pop(worker, None) and worker in self.charged:
            self.charged.remove(worker)
            self.crashed_on.remove(worker)

    def release(self) -> None:
        """The worker left; the attempt does not count as a failure."""
        self._move("waiting")
        self.lost = True

    def die(self, machine: str) -> None:
        """The worker died on this machine; a release or a crash follows."""
        assert self.worker is not None
        self.deaths[self.worker] = machine

    def crash(self, max_attempts: int, final: bool = False) -> None:
        """The attempt raised or killed its worker; was it the last (``final``), it has failed."""
        assert self.worker is not None
        self.crashed_on.append(self.worker)
        died = self.worker in self.deaths
        if died:
            self.charged.add(self.worker)
        last = final or len(self.crashed_on) >= max_attempts
        self._move("failed" if last else "waiting")
        self.lost = died and not last  # perhaps it is not dead, and comes back

    def diverge(self) -> None:
        """The loss became NaN or infinite."""
        self._move("diverged")

    def finish(self, loss: float) -> None:
        """A worker returned a loss."""
        self._move("finished")
        self.loss = loss

    def _move(self, state: State, worker: str | None = None) -> None:
        name = f"{tuple(self.trial)} at budget {self.id.budget:g}"
        if state not in LEGAL_MOVES[self.state]:
            problem = f"{name} cannot go from {self.state} to {state}"
            raise InvalidTransitionError(problem, self.history)
        self.history.append(
            f"attempt {self.attempt}: {state}" + (f" on {worker}" if worker else "")
        )
        before, self.state, self.worker, self.lost = self.state, state, worker, False
        self.queue.moved(self, before)


class Tally:
    """Number of evaluations in each state, kept up to date with every move.

    ``begun`` counts evaluations that had an attempt, ``epochs_begun`` their epochs, done or not;
    attempts beyond the first do not count. ``epochs_done`` counts the epochs of the settled ones.
    """

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.begun = 0
        self.epochs_begun = self.epochs_done = 0.0

    @property
    def bad(self) -> int:
        """Settled without a loss."""
        return self.states["diverged"] + self.states["failed"]

    @property
    def settled(self) -> int:
        """Number of evaluations to which nothing more will happen."""
        return self.states["finished"] + self.bad

    def begin(self, evaluation: Evaluation) -> None:
        """Counts a first attempt."""
        self.begun += 1
        self.epochs_begun += evaluation.epochs

    def moved(self, evaluation: Evaluation, before: State | None) -> None:
        """Counts a move; ``before`` is None where an evaluation is new."""
        if before is not None:
            self.states[before] -= 1
        self.states[evaluation.state] += 1
        if evaluation.settled:
            self.epochs_done += evaluation.epochs


class Queue:
    """The evaluations of one bracket, of the runoff or of the comparison that wait for a worker.

    Evaluations that were started come first, so that work lost with a worker is soon made good.
    Apart from that the longest wait is served first. ``unsettled`` also counts those that run.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._begun: dict[EvaluationId, Evaluation] = {}
        self._new: dict[EvaluationId, Evaluation] = {}
        self.unsettled = 0

    @property
    def unbegun(self) -> bool:
        """Whether something waits for its first attempt."""
        return bool(self._new)

    def waiting(self, most: float = math.inf) -> Iterator[Evaluation]:
        """Evaluations in their turn; new ones only if they are at most ``most`` epochs long."""
        return chain(
            self._begun.values(), (each for each in self._new.values() if each.epochs <= most)
        )

    def moved(self, evaluation: Evaluation, before: State | None) -> None:
        """Takes note of a move; ``before`` is None where an evaluation is new."""
        if before == "waiting":
            self._begun.pop(evaluation.id, None)
            if self._new.pop(evaluation.id, None):
                self._tally.begin(evaluation)
        if evaluation.state == "waiting":
            waiting = self._begun if evaluation.attempt else self._new
            waiting[evaluation.id] = evaluation
        self.unsettled += (before is None) - evaluation.settled
        self._tally.moved(evaluation, before)
