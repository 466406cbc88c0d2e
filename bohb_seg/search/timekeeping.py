"""Follows a run's evaluations and their times: what runs, what is left, how fast it goes; no IO."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, final

from bohb_seg.search.events import Evaluate, Evaluated, News, Order, Settled, WorkersChanged
from bohb_seg.search.forecast import Pace, RungsOf, Running, SearchStanding, epochs_on
from bohb_seg.search.pacing import Pacing
from bohb_seg.trials import COMPARISON_BRACKET, DEFAULT_ARM, Attempt, EvaluationId, TrialId

CANDIDATES: Final = 3
"""The search's best so many tell how slow its winner may be."""
CAUTION: Final = 0.75
"""Share of the configurations that are faster than a winner is taken to be."""
OVERDUE: Final = 0.15
"""Share of its expected time that an evaluation is taken to need still, when that is over."""


@dataclass(frozen=True)
class _Work:
    """An attempt at which a worker is.

    Args:
        since: Seconds since the run began; None if it is not known.
    """

    attempt: Attempt
    since: float | None


def _known_as(trial: TrialId) -> TrialId:
    """The trial under which a speed is kept: all seeds of an arm have one."""
    return trial if trial.bracket >= 0 else trial._replace(number=0)


@final
class Watch:
    """Follows what runs where and for how long, and how fast.

    Args:
        pacing: Learns from what ends.
        rungs_of: The rungs of each bracket of the search.
        continuing: Whether a promoted trial goes on from its checkpoint.
    """

    def __init__(self, pacing: Pacing, rungs_of: RungsOf, continuing: bool) -> None:
        self.pacing = pacing
        self.begun = 0
        """Brackets of the search that have begun."""
        self.settled: Counter[EvaluationId] = Counter()
        self._rungs_of, self._continuing = rungs_of, continuing
        self._work: dict[str, _Work | None] = {}  # by worker, in the order in which they joined
        self._places: Counter[tuple[int, int]] = Counter()
        self._best: dict[TrialId, tuple[float, float]] = {}

    # --- following ----------------------------------------------------------------------------

    def follow(self, events: Iterable[News | Order], now: float | None) -> None:
        """Takes note of news and orders.

        Args:
            events: In the order in which they happened.
            now: Seconds since the run began; None if nobody knows when they happened.
        """
        for event in events:
            match event:
                case WorkersChanged():
                    self._change(event, now)
                case Evaluate():
                    its = event.evaluation
                    self._work[event.worker] = _Work(Attempt(its, event.attempt), now)
                    self.begun = max(self.begun, its.trial.bracket + 1)
                case Evaluated():
                    self._end(event, now)
                case Settled(evaluation):
                    self.settled[evaluation] += 1
                    if evaluation.trial.bracket >= 0:
                        self._places[self._place(evaluation)] += 1

    def _change(self, news: WorkersChanged, now: float | None) -> None:
        for worker in news.left:
            self._work.pop(worker, None)
        for worker in news.joined:
            doing = news.doing.get(worker)
            self._work[worker] = _Work(doing, now) if doing else None

    def _end(self, news: Evaluated, now: float | None) -> None:
        attempt, work = Attempt(news.evaluation, news.attempt), self._work.get(news.worker)
        if work is None or work.attempt != attempt:
            return
        self._work[news.worker] = None
        if news.outcome == "finished" and news.loss is not None:
            told = news.facts.epochs_trained
            epochs = self._epochs(news.evaluation) if told is None else told
            seconds = news.facts.seconds or 0.0
            if now is not None and work.since is not None:
                seconds = max(seconds, now - work.since)
            trial = news.evaluation.trial
            if epochs > 0 and seconds > 0:
                is_usual = trial.bracket >= 0
                self.pacing.learn(news.worker, _known_as(trial), epochs, seconds, is_usual)
            self._best[news.evaluation.trial] = (-news.evaluation.budget, news.loss)

    # --- standing -----------------------------------------------------------------------------

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that are there, in the order in which they joined."""
        return tuple(self._work)

    @property
    def paces(self) -> Mapping[str, Pace]:
        """Their paces."""
        return {worker: self.pacing.pace(worker) for worker in self._work}

    def busy(self, now: float) -> Mapping[str, float]:
        """Seconds for which each busy worker will be at its evaluation."""
        return {name: self._left(name, work, now) for name, work in self._work.items() if work}

    def standing(self, now: float) -> SearchStanding:
        """How far the search is."""
        running = {
            name: Running(*self._place(work.attempt.evaluation), self._left(name, work, now))
            for name, work in self._work.items()
            if work
        }
        return SearchStanding(self.begun, self._places, running)

    def begun_of(self, bracket: int) -> int:
        """Evaluations of a bracket that are settled or run."""
        running = {work.attempt.evaluation for work in self._work.values() if work}
        return sum(each.trial.bracket == bracket for each in running | set(self.settled))

    def candidates(self, count: int) -> list[TrialId]:
        """The search's best trials at the largest budget, best first."""
        known = {trial: key for trial, key in self._best.items() if trial.bracket >= 0}
        if not known:
            return []
        budget = min(known.values())[0]
        at_it = [trial for trial, key in known.items() if key[0] == budget]
        return sorted(at_it, key=lambda trial: known[trial])[:count]

    def factor(self, trial: TrialId) -> float:
        """Seconds of an epoch of a trial, in those of the default; also of one to come.

        An incumbent that was not retrained yet is taken to be like the slowest candidate, and not
        faster than most: the search may find another one, and large networks are often better.
        """
        key = _known_as(trial)
        if key.bracket >= 0 or self.pacing.known(key):
            return self.pacing.factor_of(key)
        if key[:2] == (COMPARISON_BRACKET, DEFAULT_ARM):
            return 1.0
        best = self.candidates(CANDIDATES)
        usual = self.pacing.quantile(CAUTION)
        return max([usual, *map(self.pacing.factor_of, best)])

    def _left(self, worker: str, work: _Work, now: float) -> float:
        evaluation = work.attempt.evaluation
        factor = self.factor(evaluation.trial)
        whole = self.pacing.pace(worker).seconds(self._epochs(evaluation), factor)
        return max(whole - (now - (now if work.since is None else work.since)), OVERDUE * whole)

    def _place(self, evaluation: EvaluationId) -> tuple[int, int]:
        """Bracket and rung; the rung of a trial after the search is 0."""
        bracket = evaluation.trial.bracket
        if bracket < 0:
            return bracket, 0
        budgets = [rung.budget for rung in self._rungs_of(bracket)]
        return bracket, min(
            range(len(budgets)), key=lambda rung: abs(budgets[rung] - evaluation.budget)
        )

    def _epochs(self, evaluation: EvaluationId) -> float:
        """Epochs that an evaluation trains."""
        (bracket, first, _), budget = evaluation
        if bracket < 0:
            return max(1, round(budget))
        _, rung = self._place(evaluation)
        goes_on = self._continuing and rung > first
        return epochs_on(self._rungs_of(bracket), rung, goes_on)
