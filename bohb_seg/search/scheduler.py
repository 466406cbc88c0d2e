"""Decides what is trained next: news in, orders out; no IO, no clock, no thread.

Rules:

- A run has these phases: the *search* over ``n_iterations`` brackets; if a comparison is planned
  and something finished, the *runoff* of the search's best (if there is room for it, see
  ``finals``) and the *comparison* of its winner with the default configuration; the end.
- An idle worker gets, in this order: a waiting evaluation of the oldest bracket (one that was begun
  before a new one), a new configuration for a free place there, the same of the next bracket, the
  first of a bracket not begun yet. So rungs are decided in step as in HpBandSter, and nobody idles
  while a bracket is left.
- Configurations are drawn when a worker is there to train them, never earlier, so that the
  optimizer knows all there is to know. The very first one is the default.
- The first result wins: whichever attempt finishes or diverges first settles its evaluation, also
  one that was lost and handed on. A crash counts only if its attempt is the one that runs now.
  ``Settled`` is the first order that follows; all else is logged and dropped, and can never be
  booked under another budget.
- A worker is busy with the attempt it was given until it reports the end of that attempt, or
  leaves. If another attempt settled the evaluation meanwhile it is a *stray*: busy, but neither
  rungs nor phases nor the end of the run wait for it.
- A worker that joins while it is still at an attempt goes on with it if that was lost and nobody
  else took over; else it is a stray.
- A stray may have written the checkpoint of a trial that was eliminated already: when its result is
  dropped, the trial is discarded once more. This is the only order after ``Finish``.
- When a bracket is finished its evaluations are forgotten, and when the search ends all of them:
  what comes for one of them later is dropped.
- What stops the search early (a request, a target, a limit) lets the final phase follow.
- The same news give the same orders: a killed master feeds its journal to a fresh scheduler.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from bohb_seg.search import final_phase
from bohb_seg.search.evaluations import Evaluation, InvalidTransitionError
from bohb_seg.search.events import (
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    News,
    Order,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.final_phase import Retrainings
from bohb_seg.search.optimizer import Optimizer
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent, Phase, Progress
from bohb_seg.search.search_phase import Search
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET, Attempt, Configuration, TrialId

_log = logging.getLogger(__name__)


class Scheduler:
    """The run as a synchronous machine.

    Args:
        optimizer: Proposes configurations, lays out the rungs, is told the results.
        plan: What is to be done.
        default: The default configuration.
    """

    def __init__(self, optimizer: Optimizer, plan: Plan, default: Configuration) -> None:
        self._plan, self._default = plan, default
        self._phase: Phase = "search"
        self._stop: StopRequested | None = None
        self._search = Search(optimizer, default, plan)
        self._finals: dict[int, Retrainings] = {}  # by bracket, in the order of their beginning
        self._winner: Incumbent | None = None  # of the runoff
        self._workers: dict[str, Attempt | None] = {}  # in the order in which they joined

    @property
    def finished(self) -> bool:
        """Whether a Finish has been ordered."""
        return self._phase == "finished"

    @property
    def workers(self) -> Mapping[str, Attempt | None]:
        """Those that are there, in the order in which they joined, and what they are at."""
        return MappingProxyType(self._workers)

    @property
    def live(self) -> Collection[TrialId]:
        """Trials that may still need their checkpoint."""
        return self._stage.live

    @property
    def progress(self) -> Progress:
        """Where the run is."""
        stage = self._stage
        bracket, rung = self._search.front
        idle = list(self._workers.values()).count(None)
        return Progress(
            phase=self._phase,
            bracket=bracket,
            rung=rung,
            evaluations_finished=stage.tally.settled,
            evaluations_failed=stage.tally.bad,
            evaluations_running=stage.tally.states["running"],
            evaluations_waiting=stage.tally.states["waiting"],
            evaluations_expected=stage.expected[0],
            epochs_done=stage.tally.epochs_done,
            epochs_expected=stage.expected[1],
            workers_idle=idle,
            workers_busy=len(self._workers) - idle,
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
        return [*orders, *self._go_on(), *self._hand_out()]

    # --- workers that come and go -------------------------------------------------------------

    def _change_workers(self, news: WorkersChanged) -> None:
        """Those that left go first, so that a restarted worker may be in both lists."""
        for worker in news.left:
            self._let_go(worker)
        for worker in news.joined:
            self._take_in(worker, news.doing.get(worker))

    def _let_go(self, worker: str) -> None:
        if worker not in self._workers:
            raise InvalidTransitionError(f"{worker} left, but it never joined")
        attempt = self._workers.pop(worker)
        evaluation = self._known(attempt)
        if attempt and evaluation and evaluation.runs(attempt.number, worker):
            evaluation.release()

    def _take_in(self, worker: str, attempt: Attempt | None) -> None:
        if worker in self._workers:
            busy = self._known(self._workers[worker])
            problem = f"{worker} joined, but it is already here"
            raise InvalidTransitionError(problem, busy.history if busy else ())
        self._workers[worker] = attempt
        evaluation = self._known(attempt)
        if attempt and evaluation and evaluation.may_resume(attempt.number):
            evaluation.resume(worker)

    # --- results ------------------------------------------------------------------------------

    def _book(self, news: Evaluated) -> list[Order]:
        attempt = Attempt(news.evaluation, news.attempt)
        evaluation = self._known(attempt)
        self._refuse_unbegun(attempt, evaluation)
        if self._workers.get(news.worker) == attempt:
            self._workers[news.worker] = None
        if evaluation is None or not _counts(evaluation, news):
            return self._drop(news)
        if news.outcome == "crashed":
            evaluation.crash(self._plan.max_attempts)
        elif news.loss is None:
            evaluation.diverge()
        else:
            evaluation.finish(news.loss)
        if not evaluation.settled:
            return []
        return [Settled(*attempt, news.worker), *self._home(attempt).settle(evaluation)]

    def _refuse_unbegun(self, attempt: Attempt, evaluation: Evaluation | None) -> None:
        latest = evaluation.attempt if evaluation else 0
        if attempt.number > latest and not self._home(attempt).has_forgotten(
            attempt.evaluation.trial
        ):
            problem = f"attempt {attempt.number} of {attempt.evaluation} ended, but it never began"
            raise InvalidTransitionError(problem, evaluation.history if evaluation else ())

    def _drop(self, news: Evaluated) -> list[Order]:
        _log.debug(
            "dropped a result of %s, attempt %d, from %s: nobody waits for it (any more)",
            news.evaluation,
            news.attempt,
            news.worker,
        )
        attempt = Attempt(news.evaluation, news.attempt)
        trial = news.evaluation.trial
        return [] if trial in self._home(attempt).live else [Discard(trial)]

    def _known(self, attempt: Attempt | None) -> Evaluation | None:
        """What is attempted; None if that is nothing, forgotten, or was never planned."""
        return self._home(attempt).known(attempt.evaluation) if attempt else None

    def _home(self, attempt: Attempt) -> Search | Retrainings:
        """The stage to which an attempt belongs."""
        return self._finals.get(attempt.evaluation.trial.bracket, self._search)

    # --- from phase to phase ------------------------------------------------------------------

    @property
    def _stage(self) -> Search | Retrainings:
        """The one that has the work now."""
        return next(reversed(self._finals.values()), self._search)

    @property
    def _incumbent(self) -> Incumbent | None:
        return self._winner or self._search.incumbent

    def _go_on(self) -> Iterator[Order]:
        """Moves to the next phase if this one is over."""
        if self._phase == "search" and (reason := self._search_is_over()):
            yield from self._end_search(reason)
        if self._phase == "runoff" and self._stage.finished:
            self._winner = final_phase.winner(self._search.best, self._finals[RUNOFF_BRACKET])
            self._compare(self._winner)
        if self._phase == "comparison" and self._stage.finished:
            yield self._finish("search and comparison are done")

    def _search_is_over(self) -> str | None:
        """Why, or None if it goes on: what runs may end."""
        if self._search.tally.states["running"]:
            return None
        return self._why_enough() or self._search.why_over()

    def _why_enough(self) -> str | None:
        """Why nothing more is to be begun, though there is something."""
        target, best = self._plan.target_loss, self._search.incumbent
        if self._stop is not None:
            return self._stop.reason
        if target is not None and best is not None and best.loss <= target:
            return f"the target loss {target:g} is reached"
        return None

    def _end_search(self, reason: str) -> Iterator[Order]:
        yield from self._search.close()
        best = self._search.best
        if self._plan.comparison_epochs is None:
            yield self._finish(reason)
        elif not best:
            yield self._finish(f"{reason}; no evaluation finished, nothing to compare")
        elif runoff := final_phase.runoff(best, self._plan):
            self._phase, self._finals[RUNOFF_BRACKET] = "runoff", runoff
        else:
            self._compare(best[0])

    def _compare(self, best: Incumbent) -> None:
        plan = self._plan
        assert plan.comparison_epochs is not None
        self._phase = "comparison"
        self._finals[COMPARISON_BRACKET] = final_phase.comparison(
            self._default, best, plan.comparison_epochs, plan.comparison_seeds
        )

    def _finish(self, reason: str) -> Finish:
        self._phase = "finished"
        return Finish(reason)

    # --- work for idle workers ----------------------------------------------------------------

    def _hand_out(self) -> Iterator[Order]:
        if self.finished or (self._phase == "search" and self._why_enough()):
            return
        for worker, attempt in self._workers.items():
            if attempt is not None:
                continue
            evaluation = self._stage.next_for(worker, self._workers)
            if evaluation is not None:
                yield self._start(evaluation, worker)
            elif not self._stage.tally.states["waiting"]:
                break  # for nobody else there is anything either

    def _start(self, evaluation: Evaluation, worker: str) -> Evaluate:
        evaluation.start(worker)
        attempt = Attempt(evaluation.id, evaluation.attempt)
        self._workers[worker] = attempt
        model_based = evaluation.suggestion.model_based
        return Evaluate(*attempt, worker, evaluation.configuration, model_based)


def _counts(evaluation: Evaluation, news: Evaluated) -> bool:
    """Whether this is the first result, or a crash of the attempt that runs now."""
    if news.outcome == "crashed":
        return evaluation.runs(news.attempt, news.worker)
    return not evaluation.settled
