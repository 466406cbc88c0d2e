"""Decides what is trained next: news in, orders out; no IO, no clock, no thread.

Rules:

- A run has three phases: the *search* over ``n_iterations`` brackets, the *comparison* of the
  incumbent with the default configuration (if it is planned and something finished), the end.
- An idle worker gets, in this order: a waiting evaluation of the oldest bracket, a new
  configuration for a free place there, the same of the next bracket, the first of a bracket not
  begun yet. So rungs are decided in step as in HpBandSter, and nobody idles while a bracket is
  left.
- Configurations are drawn when a worker is there to train them, never earlier, so that the
  optimizer knows all there is to know. The very first one is the default.
- A result counts if its attempt is the one that runs; anything else was handed on or settled, is
  logged and dropped, and can never be booked under another budget.
- The same news give the same orders: a killed master feeds its journal to a fresh scheduler.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bohb_seg.brackets import Bracket, Evaluation, InvalidTransitionError
from bohb_seg.optimizers import Optimizer
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    DEFAULT_ARM,
    INCUMBENT_ARM,
    BracketFinished,
    Configuration,
    Discard,
    Evaluate,
    Evaluated,
    EvaluationId,
    Finish,
    News,
    Order,
    StopRequested,
    Suggestion,
    TrialId,
    WorkersChanged,
)

_log = logging.getLogger(__name__)

Phase = Literal["search", "comparison", "finished"]


@dataclass(frozen=True)
class Plan:
    """What is to be done, and when it is enough.

    Args:
        n_iterations: Brackets, at least 1.
        max_attempts: Tries of an evaluation that raises, at least 1.
        comparison_epochs: Budget of the comparison; None: there is none.
        comparison_seeds: Retrainings of each arm.
        max_evaluations: So many results are booked at most, the comparison not counted.
        target_loss: The search ends when the incumbent is as good as this.
    """

    n_iterations: int
    max_attempts: int = 3
    comparison_epochs: float | None = None
    comparison_seeds: int = 3
    max_evaluations: int | None = None
    target_loss: float | None = None


@dataclass(frozen=True)
class Incumbent:
    """The trial with the lowest loss at the largest budget on which any finished."""

    trial: TrialId
    budget: float
    loss: float
    configuration: Configuration
    model_based: bool


@dataclass(frozen=True)
class Progress:
    """Where the run is, for display.

    ``bracket`` and ``rung`` are the oldest that are open, or the last ones. Evaluations are counted
    in the present phase; ``evaluations_finished`` holds the failed ones, ``evaluations_failed``
    the diverged ones. ``expected`` assumes that nothing fails and that no limit stops the run.
    """

    phase: Phase
    bracket: int
    rung: int
    evaluations_finished: int
    evaluations_failed: int
    evaluations_running: int
    evaluations_waiting: int
    evaluations_expected: int
    epochs_done: float
    epochs_expected: float
    workers_idle: int
    workers_busy: int
    incumbent: Incumbent | None


class Scheduler:
    """The run as a synchronous machine.

    Args:
        optimizer: Proposes configurations, lays out the rungs, is told the results.
        plan: What is to be done.
        default: The default configuration.
    """

    def __init__(self, optimizer: Optimizer, plan: Plan, default: Configuration) -> None:
        self._optimizer, self._plan, self._default = optimizer, plan, default
        self._expected = _expected(optimizer, plan.n_iterations)
        self._phase: Phase = "search"
        self._stop: StopRequested | None = None
        self._brackets: list[Bracket] = []
        self._evaluations: dict[EvaluationId, Evaluation] = {}
        self._workers: dict[str, Evaluation | None] = {}  # in the order in which they joined
        self._incumbent: Incumbent | None = None
        self._live: dict[TrialId, None] = {}  # trials that keep a checkpoint, by age

    @property
    def finished(self) -> bool:
        """Whether a Finish has been ordered."""
        return self._phase == "finished"

    @property
    def workers(self) -> tuple[str, ...]:
        """Those that are there, in the order in which they joined."""
        return tuple(self._workers)

    @property
    def progress(self) -> Progress:
        """Where the run is."""
        comparing = any(map(_is_comparison, self._evaluations.values()))
        phase = [e for e in self._evaluations.values() if _is_comparison(e) == comparing]
        states = [evaluation.state for evaluation in phase]
        comparison = len(phase), sum(evaluation.epochs for evaluation in phase)
        expected, epochs = comparison if comparing else self._expected
        busy = sum(evaluation is not None for evaluation in self._workers.values())
        bracket, rung = self._front()
        return Progress(
            phase=self._phase,
            bracket=bracket,
            rung=rung,
            evaluations_finished=sum(evaluation.settled for evaluation in phase),
            evaluations_failed=states.count("diverged") + states.count("failed"),
            evaluations_running=states.count("running"),
            evaluations_waiting=states.count("waiting"),
            evaluations_expected=expected,
            epochs_done=sum(evaluation.epochs for evaluation in phase if evaluation.settled),
            epochs_expected=epochs,
            workers_idle=len(self._workers) - busy,
            workers_busy=busy,
            incumbent=self._incumbent,
        )

    def handle(self, news: News) -> list[Order]:
        """Takes one piece of news; returns what is to be done now, in this order.

        Raises:
            InvalidTransitionError: the news contradict what was ordered or reported before.
        """
        orders: list[Order] = []
        match news:
            case WorkersChanged():
                self._change_workers(news)
            case Evaluated():
                orders += self._book(news)
            case StopRequested():
                self._stop = self._stop or news
        return [*orders, *self._go_on()]

    # --- what news do -------------------------------------------------------------------------

    def _change_workers(self, news: WorkersChanged) -> None:
        """Those that left go first, so that a restarted worker may be in both lists."""
        for worker in news.left:
            if worker not in self._workers:
                raise InvalidTransitionError(f"{worker} left, but it never joined")
            evaluation = self._workers.pop(worker)
            if evaluation is not None:
                evaluation.release()
        for worker in news.joined:
            if worker in self._workers:
                history = [] if (busy := self._workers[worker]) is None else busy.history
                raise InvalidTransitionError(f"{worker} joined, but it is already here", history)
            self._workers[worker] = None

    def _book(self, news: Evaluated) -> list[Order]:
        evaluation = self._evaluations.get(news.evaluation)
        if evaluation is None or not self._counts(evaluation, news):
            _log.warning(
                "dropped a result of %s, attempt %d, from %s: it does not run there (any more)",
                news.evaluation,
                news.attempt,
                news.worker,
            )
            return []
        self._workers[news.worker] = None
        if news.outcome == "crashed":
            evaluation.crash(self._plan.max_attempts)
        elif news.loss is None:
            evaluation.diverge()
        else:
            evaluation.finish(news.loss)
        return self._settle(evaluation) if evaluation.settled else []

    def _counts(self, evaluation: Evaluation, news: Evaluated) -> bool:
        if news.attempt > evaluation.attempt:
            problem = f"attempt {news.attempt} of {news.evaluation} ended, but it never began"
            raise InvalidTransitionError(problem, evaluation.history)
        return (evaluation.attempt, evaluation.worker) == (news.attempt, news.worker)

    def _settle(self, evaluation: Evaluation) -> list[Order]:
        """Tells the optimizer, and decides the rung if this was its last evaluation."""
        if _is_comparison(evaluation):
            return [Discard(evaluation.trial)]
        budget, loss = evaluation.id.budget, evaluation.loss
        self._optimizer.observe(evaluation.configuration, budget, loss)
        if loss is None:
            orders = self._discard([evaluation.trial])
        else:
            self._crown(evaluation, loss)
            orders = []
        bracket = self._brackets[evaluation.trial.bracket]
        return [*orders, *self._decide(bracket)] if bracket.complete else orders

    def _crown(self, evaluation: Evaluation, loss: float) -> None:
        best, budget = self._incumbent, evaluation.id.budget
        if best is None or (-budget, loss) < (-best.budget, best.loss):
            model_based = evaluation.suggestion.model_based
            self._incumbent = Incumbent(
                evaluation.trial, budget, loss, evaluation.configuration, model_based
            )

    def _decide(self, bracket: Bracket) -> list[Order]:
        orders = self._discard(bracket.decide())
        self._evaluations |= {e.id: e for e in bracket.evaluations}
        return [*orders, BracketFinished(bracket.index)] if bracket.finished else orders

    def _discard(self, trials: list[TrialId]) -> list[Order]:
        for trial in trials:
            del self._live[trial]
        return [Discard(trial) for trial in trials]

    # --- what is done now ---------------------------------------------------------------------

    def _go_on(self) -> list[Order]:
        """Moves to the next phase if this one is over, and hands out work."""
        orders: list[Order] = []
        if self._phase == "search" and (reason := self._search_is_over()):
            orders += self._end_search(reason)
        if self._phase == "comparison" and (reason := self._comparison_is_over()):
            orders.append(self._finish(reason))
        return [*orders, *self._hand_out()]

    def _search_is_over(self) -> str | None:
        """Why, or None if it goes on: what runs may end."""
        if any(evaluation.state == "running" for evaluation in self._evaluations.values()):
            return None
        return self._why_nothing_new() or self._all_brackets_finished()

    def _why_nothing_new(self) -> str | None:
        plan, best = self._plan, self._incumbent
        if self._stop is not None:
            return self._stop.reason
        if plan.target_loss is not None and best is not None and best.loss <= plan.target_loss:
            return f"the target loss {plan.target_loss:g} is reached"
        if plan.max_evaluations is not None and self._settled() >= plan.max_evaluations:
            return f"{plan.max_evaluations} evaluations are done"
        return None

    def _settled(self) -> int:
        return sum(evaluation.settled for evaluation in self._evaluations.values())

    def _all_brackets_finished(self) -> str | None:
        done = sum(bracket.finished for bracket in self._brackets)
        return f"all {done} brackets are finished" if done == self._plan.n_iterations else None

    def _end_search(self, reason: str) -> list[Order]:
        """No checkpoint is needed any more: the comparison retrains."""
        orders = self._discard(list(self._live))
        if self._plan.comparison_epochs is None:
            return [*orders, self._finish(reason)]
        if self._incumbent is None:
            return [*orders, self._finish(f"{reason}; no evaluation finished, nothing to compare")]
        self._phase = "comparison"
        for evaluation in self._arms(self._plan.comparison_epochs, self._incumbent):
            self._evaluations[evaluation.id] = evaluation
        return orders

    def _arms(self, epochs: float, incumbent: Incumbent) -> Iterator[Evaluation]:
        """Seed by seed, so that what is there if the run breaks off comes in pairs."""
        tuned = Suggestion(incumbent.configuration, incumbent.model_based)
        arms = {DEFAULT_ARM: Suggestion(self._default), INCUMBENT_ARM: tuned}
        if incumbent.configuration == self._default:
            del arms[INCUMBENT_ARM]
        for seed in range(self._plan.comparison_seeds):
            for arm, suggestion in arms.items():
                trial = TrialId(COMPARISON_BRACKET, arm, seed)
                yield Evaluation(EvaluationId(trial, epochs), suggestion, epochs)

    def _comparison_is_over(self) -> str | None:
        arms = (e for e in self._evaluations.values() if _is_comparison(e))
        done = all(evaluation.settled for evaluation in arms)
        return "search and comparison are done" if done else None

    def _finish(self, reason: str) -> Finish:
        self._phase = "finished"
        return Finish(reason)

    def _hand_out(self) -> Iterator[Order]:
        for worker, evaluation in self._workers.items():
            work = self._next_for(worker) if evaluation is None else None
            if work is not None:
                yield self._start(work, worker)

    def _start(self, evaluation: Evaluation, worker: str) -> Evaluate:
        evaluation.start(worker)
        self._workers[worker] = evaluation
        self._evaluations[evaluation.id] = evaluation
        configuration, model_based = evaluation.configuration, evaluation.suggestion.model_based
        return Evaluate(evaluation.id, evaluation.attempt, worker, configuration, model_based)

    def _next_for(self, worker: str) -> Evaluation | None:
        if self._phase == "comparison":
            arms = (e for e in self._evaluations.values() if _is_comparison(e))
            return next((e for e in arms if self._may_go_to(e, worker)), None)
        if self._phase == "search" and self._why_nothing_new() is None:
            return self._waiting_or_new(worker)
        return None

    def _waiting_or_new(self, worker: str) -> Evaluation | None:
        for bracket in [b for b in self._brackets if not b.finished]:
            for evaluation in bracket.evaluations:
                if self._may_go_to(evaluation, worker) and self._may_begin(evaluation):
                    return evaluation
            if bracket.has_room and self._may_begin():
                return self._draw(bracket)
        if len(self._brackets) < self._plan.n_iterations and self._may_begin():
            index = len(self._brackets)
            self._brackets.append(Bracket(index, self._optimizer.rungs(index)))
            return self._draw(self._brackets[-1])
        return None

    def _may_go_to(self, evaluation: Evaluation, worker: str) -> bool:
        return evaluation.state == "waiting" and evaluation.may_go_to(worker, self._workers)

    def _may_begin(self, evaluation: Evaluation | None = None) -> bool:
        """A first attempt must leave ``max_evaluations`` intact; later ones were counted."""
        if self._plan.max_evaluations is None or (evaluation and evaluation.attempt):
            return True
        begun = sum(evaluation.attempt > 0 for evaluation in self._evaluations.values())
        return begun < self._plan.max_evaluations

    def _draw(self, bracket: Bracket) -> Evaluation:
        first = not self._evaluations
        evaluation = bracket.add(Suggestion(self._default) if first else self._optimizer.suggest())
        self._live[evaluation.trial] = None
        return evaluation

    def _front(self) -> tuple[int, int]:
        """Bracket and rung that are decided next, or the last ones."""
        for bracket in self._brackets:
            if not bracket.finished:
                return bracket.index, bracket.rung
        last = self._brackets[-1] if self._brackets else None
        return (last.index, last.rung - 1) if last else (0, 0)


def _expected(optimizer: Optimizer, brackets: int) -> tuple[int, float]:
    """Evaluations and epochs of a whole search in which nothing fails."""
    count, epochs = 0, 0.0
    for index in range(brackets):
        below = 0.0
        for rung in optimizer.rungs(index):
            count += rung.trials
            epochs += rung.trials * (rung.budget - below)
            below = rung.budget
    return count, epochs


def _is_comparison(evaluation: Evaluation) -> bool:
    return evaluation.trial.bracket == COMPARISON_BRACKET
