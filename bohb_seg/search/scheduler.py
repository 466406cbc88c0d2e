"""Decides what is trained next: news in, orders out; no IO, no clock, no thread.

Rules:

- An idle worker gets, in this order: a waiting evaluation of the oldest bracket (one that was
  started before a new one), a new configuration for a free place there, the same of the next
  bracket, the first of a bracket not begun yet. So rungs are decided in step as in HpBandSter, and
  nobody idles while a bracket is left.
- Configurations are drawn when a worker is there to train them, never earlier, so that the
  optimizer knows all there is to know. The very first one is the default.
- The first result wins: the first attempt that finishes or diverges settles its evaluation, even if
  it was lost and handed on. A crash counts only if its attempt is the one that runs now.
  ``Settled`` is the first order that follows; every other result is logged and dropped, and can
  never be booked under another budget.
- A worker that dies at an evaluation counts as one that raised, so that no configuration is handed
  out without end; unless its machine has shown that processes die there without any fault of theirs
  (``machines``). A crash that would come again (``final``) settles its evaluation at once.
- A worker is busy with the attempt it was given until it reports the end of that attempt, or
  leaves. If another attempt settled the evaluation meanwhile, the worker is a *stray*: it is busy,
  but neither rungs nor phases nor the end of the run wait for it.
- A worker that joins while it is still at an attempt goes on with it if that was lost and nobody
  else took over; else the worker is a stray.
- A stray may have written the checkpoint of a trial that was eliminated already: when its result is
  dropped, the trial is discarded once more. Besides this order, only retrainings that were given up
  are settled after ``Finish``.
- When a bracket is finished its evaluations are forgotten, and when the search ends all of them:
  a later result for one of them is dropped.
- The same news give the same orders: a killed master feeds its journal to a fresh scheduler.

The phases of a run, and what ends them, stand in ``phases``.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from bohb_seg.search.endings import Endings
from bohb_seg.search.evaluations import Evaluation, InvalidTransitionError
from bohb_seg.search.events import (
    Discard,
    Evaluate,
    Evaluated,
    News,
    Order,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.first_failures import FirstFailures
from bohb_seg.search.optimizer import Optimizer
from bohb_seg.search.phases import Phases
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Progress
from bohb_seg.search.restoration import Record, restore
from bohb_seg.trials import Attempt, Configuration, TrialId

_log = logging.getLogger(__name__)


class Scheduler:
    """The run as a synchronous machine.

    Args:
        optimizer: Proposes configurations, lays out the rungs, is told the results.
        plan: Brackets and limits of the run, and its comparison.
        default: The default configuration.
    """

    def __init__(self, optimizer: Optimizer, plan: Plan, default: Configuration) -> None:
        self._max_attempts = plan.max_attempts
        self._endings = Endings(plan.max_attempts)
        self._phases = Phases(optimizer, default, plan)
        self._workers: dict[str, Attempt | None] = {}  # in the order in which they joined
        self.first_failures = FirstFailures()
        """Whether all that was evaluated so far failed alike."""

    @property
    def finished(self) -> bool:
        """Whether a Finish has been ordered."""
        return self._phases.finished

    @property
    def plan(self) -> Plan:
        """The plan by which the run goes now."""
        return self._phases.plan

    @property
    def why_search_ended(self) -> str:
        """Reason of the latest end of the search; "" before."""
        return self._phases.why_search_ended

    @property
    def workers(self) -> Mapping[str, Attempt | None]:
        """The workers that are there, in the order in which they joined, and their attempts."""
        return MappingProxyType(self._workers)

    @property
    def live(self) -> Collection[TrialId]:
        """Trials that may still need their checkpoint."""
        return self._phases.live

    @property
    def progress(self) -> Progress:
        """The state of the run, for display."""
        phase = self._phases.working
        bracket, rung = self._phases.search.front
        idle = list(self._workers.values()).count(None)
        return Progress(
            phase=self._phases.present,
            bracket=bracket,
            rung=rung,
            evaluations_finished=phase.tally.settled,
            evaluations_failed=phase.tally.bad,
            evaluations_running=phase.tally.states["running"],
            evaluations_waiting=phase.tally.states["waiting"],
            evaluations_expected=phase.expected[0],
            epochs_done=phase.tally.epochs_done,
            epochs_expected=phase.expected[1],
            workers_idle=idle,
            workers_busy=len(self._workers) - idle,
            incumbent=self._phases.incumbent,
        )

    def handle(self, news: News) -> list[Order]:
        """Takes one piece of news; returns the orders that follow, to be carried out in this order.

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
                self._phases.stop_search(news.reason, news.waits)
            case PlanChanged():
                orders += self._phases.change(news.plan)
        return [*orders, *self._phases.go_on(), *self._hand_out()]

    def restore(self, record: Record) -> list[Order]:
        """Takes over a run whose orders followed other rules; has heard no news yet.

        Returns:
            The orders that follow and were not given before.
        """
        orders = restore(self._phases, record)
        self._endings = Endings(self._max_attempts, record.machines)
        self._workers.update(record.workers)
        return [*orders, *self._hand_out()]

    # --- workers that come and go -------------------------------------------------------------

    def _change_workers(self, news: WorkersChanged) -> None:
        """Handles leavers first, so that a restarted worker may be in both lists."""
        for worker in news.left:
            self._let_go(worker)
        for worker in news.joined:
            self._take_in(worker, news.doing.get(worker))

    def _let_go(self, worker: str) -> None:
        if worker not in self._workers:
            raise InvalidTransitionError(f"{worker} left, but it never joined")
        attempt = self._workers.pop(worker)
        evaluation = self._phases.known(attempt)
        if attempt and evaluation and evaluation.runs(attempt.number, worker):
            evaluation.release()

    def _take_in(self, worker: str, attempt: Attempt | None) -> None:
        if worker in self._workers:
            busy = self._phases.known(self._workers[worker])
            problem = f"{worker} joined, but it is already here"
            raise InvalidTransitionError(problem, busy.history if busy else ())
        self._workers[worker] = attempt
        evaluation = self._phases.known(attempt)
        if not attempt or not evaluation:
            return
        evaluation.forgive(worker)
        if evaluation.may_resume(attempt.number):
            evaluation.resume(worker)

    # --- results ------------------------------------------------------------------------------

    def _book(self, news: Evaluated) -> list[Order]:
        attempt = Attempt(news.evaluation, news.attempt)
        evaluation = self._phases.known(attempt)
        self._refuse_unbegun(attempt, evaluation)
        if self._workers.get(news.worker) == attempt and not news.lost_on:
            self._workers[news.worker] = None
        if evaluation is None or not _counts(evaluation, news):
            return self._drop(news)
        self._endings.end(evaluation, news)
        if not evaluation.settled:
            return []
        self.first_failures.note(evaluation, news.error)
        home = self._phases.home(attempt)
        return [Settled(*attempt, news.worker), *home.settle(evaluation, news.facts)]

    def _refuse_unbegun(self, attempt: Attempt, evaluation: Evaluation | None) -> None:
        latest = evaluation.attempt if evaluation else 0
        if attempt.number > latest and not self._phases.home(attempt).has_forgotten(
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
        return [] if trial in self._phases.home(attempt).live else [Discard(trial)]

    # --- work for idle workers ----------------------------------------------------------------

    def _hand_out(self) -> Iterator[Order]:
        if self._phases.begins_nothing:
            return
        for worker, attempt in self._workers.items():
            if attempt is not None:
                continue
            evaluation = self._phases.next_for(worker, self._workers)
            if evaluation is not None:
                yield self._start(evaluation, worker)
            elif not self._phases.waits:
                break  # nothing is there for the others either

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
