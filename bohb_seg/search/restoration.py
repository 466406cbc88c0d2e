"""A run taken over from its results, where the rules by which its orders followed are others now.

Told the same news, a scheduler of another version, or with another sampler, may give other orders.
Then the past is not replayed but rebuilt: the trials that were begun with the configurations that
they had, the results that count, the attempts that run. From there on the present rules hold.
Results that they would not have asked for are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from bohb_seg.search.brackets import Bracket
from bohb_seg.search.evaluations import Evaluation
from bohb_seg.search.events import (
    Evaluate,
    Evaluated,
    Finish,
    IncumbentChosen,
    News,
    Order,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.machines import Machines
from bohb_seg.search.phases import Phases
from bohb_seg.search.plan import Plan
from bohb_seg.search.retrainings import Retrainings
from bohb_seg.search.search_phase import SearchPhase
from bohb_seg.trials import (
    ARMS_BRACKETS,
    Attempt,
    EvaluationId,
    Suggestion,
    TrialId,
)

_NEVER: Final = 10**9
"""Attempts that may raise while the past is rebuilt: whether it was too many is known already."""


@dataclass
class Record:
    """A run as its news and orders tell it, whatever rules they followed.

    Args:
        suggestions: Configuration of each trial, in the order in which they were begun.
        attempts: Attempts at each evaluation: the worker of each number.
        raised: Attempts that raised while they ran, or whose worker died without an excuse.
        deaths: Worker that died in each attempt, unless it came back, and its machine.
        machines: Machines on which processes died of themselves.
        results: Results that count.
        workers: Workers that are there, in the order in which they joined, and their attempts.
        stop: Reason for which the search was to end early.
        is_finished: Whether nothing was left to do.
        plan: The latest plan; None as long as it was the first.
        has_left_search: Whether the runoff or the comparison had begun, or all was over.
        incumbent: The incumbent that was compared last.
        planned: Pairs that were planned when the comparison began.
        closed: Brackets that were begun when the search was left, if it was gone on with later.
    """

    suggestions: dict[TrialId, Suggestion] = field(default_factory=dict)
    attempts: dict[EvaluationId, dict[int, str]] = field(default_factory=dict)
    raised: set[Attempt] = field(default_factory=set)
    deaths: dict[Attempt, tuple[str, str]] = field(default_factory=dict)
    machines: Machines = field(default_factory=Machines)
    results: dict[EvaluationId, Evaluated] = field(default_factory=dict)
    workers: dict[str, Attempt | None] = field(default_factory=dict)
    stop: str | None = None
    is_finished: bool = False
    plan: Plan | None = None
    has_left_search: bool = False
    incumbent: IncumbentChosen | None = None
    planned: int | None = None
    closed: int = 0

    @classmethod
    def of(cls, events: Iterable[News | Order], plan: Plan) -> Self:
        """Reads news and orders, oldest first, of a run that began with this plan."""
        record, latest = cls(), None
        for event in events:
            match event:
                case WorkersChanged():
                    record._change_workers(event)
                case Evaluate():
                    record._begin(event)
                    if event.evaluation.trial.bracket in ARMS_BRACKETS:
                        seeds = (record.plan or plan).comparison_seeds
                        record.planned = record.planned or seeds
                case Evaluated():
                    latest = event
                    record._end(event)
                case Settled() if latest and _attempt(latest) == _attempt(event):
                    record._settle(latest)
                case StopRequested():
                    record.stop = record.stop or event.reason
                case IncumbentChosen():
                    record.incumbent = event
                case PlanChanged():
                    record._change_plan(event.plan, record.plan or plan)
                case Finish():
                    record.is_finished = record.has_left_search = True
        return record

    def at_work(self, attempt: Attempt) -> str | None:
        """The worker for whose result the run waits in this attempt; None if there is none.

        A worker that came back after the search had ended is at work, but nobody waits for it.
        """
        bracket = attempt.evaluation.trial.bracket
        if bracket >= 0 and (self.has_left_search or bracket < self.closed):
            return None
        return next((name for name, doing in self.workers.items() if doing == attempt), None)

    @property
    def brackets(self) -> int:
        """Number of brackets that were begun."""
        return max((trial.bracket for trial in self.suggestions), default=-1) + 1

    def in_rung(self, bracket: int, rung: int) -> int:
        """Number of trials that were begun on a rung."""
        its = (t.number for t in self.suggestions if (t.bracket, t.rung) == (bracket, rung))
        return max(its, default=-1) + 1

    def _change_plan(self, plan: Plan, before: Plan) -> None:
        self.plan, self.is_finished = plan, False
        if plan.n_iterations > before.n_iterations:
            self.closed = self.brackets if self.has_left_search else self.closed
            self.has_left_search, self.stop = False, None

    def _change_workers(self, news: WorkersChanged) -> None:
        for worker in news.left:
            self.workers.pop(worker, None)
        for worker in news.joined:
            attempt = news.doing.get(worker)
            known = attempt and attempt.number in self.attempts.get(attempt.evaluation, ())
            self.workers[worker] = attempt if known else None
            if attempt and known:
                self._forgive(attempt.evaluation, worker)

    def _forgive(self, evaluation: EvaluationId, worker: str) -> None:
        """A worker that seemed to have died at an evaluation is there."""
        for attempt, (died, _) in tuple(self.deaths.items()):
            if (attempt.evaluation, died) == (evaluation, worker):
                del self.deaths[attempt]
                self.raised.discard(attempt)

    def _settle(self, news: Evaluated) -> None:
        if news.evaluation not in self.results and news.outcome != "crashed":
            deaths = self.deaths.items()
            self.machines.blame(
                machine for its, (_, machine) in deaths if its.evaluation == news.evaluation
            )
        self.results.setdefault(news.evaluation, news)

    def _begin(self, order: Evaluate) -> None:
        suggestion = Suggestion(order.configuration, order.model_based)
        self.suggestions.setdefault(order.evaluation.trial, suggestion)
        if order.evaluation.trial.bracket < 0:
            self.has_left_search = True
        self.attempts.setdefault(order.evaluation, {})[order.attempt] = order.worker
        self.workers[order.worker] = _attempt(order)

    def _end(self, news: Evaluated) -> None:
        if self.workers.get(news.worker) == _attempt(news):
            if not news.lost_on:  # else the news that it left follow
                self.workers[news.worker] = None
            is_latest = news.attempt == max(self.attempts.get(news.evaluation, {0: ""}))
            if news.outcome == "crashed" and is_latest and news.evaluation not in self.results:
                self._crash(news)

    def _crash(self, news: Evaluated) -> None:
        attempt = _attempt(news)
        if news.lost_on:
            self.deaths[attempt] = news.worker, news.lost_on
        if not news.lost_on or news.final or not self.machines.excuse(news.lost_on):
            self.raised.add(attempt)


def restore(phases: Phases, record: Record) -> list[Order]:
    """Brings phases that have not begun to where a run was.

    Args:
        phases: Those of a scheduler that has heard no news.
        record: The run.

    Returns:
        Orders that follow, need no worker, and were not given before.
    """
    if record.plan is not None:
        tuple(phases.change(record.plan))
    _fill(phases.search, record)
    _repeat_finals(phases, record)
    if record.stop is not None:
        phases.stop_search(record.stop)
    elif record.has_left_search:
        phases.stop_search("the search was over by the rules of an earlier version")
    orders = [each for each in phases.go_on() if isinstance(each, Finish | IncumbentChosen)]
    if record.is_finished:
        phases.end()
        return []
    return [each for each in orders if each != record.incumbent]


def _repeat_finals(phases: Phases, record: Record) -> None:
    """Takes over what was trained after the search, whatever it is needed for by the rules now."""
    phases.finals.planned = record.planned
    for evaluation in record.attempts:
        if evaluation.trial.bracket < 0:
            phases.finals.adopt(evaluation, record.suggestions[evaluation.trial])
    for retrainings in phases.finals.retrainings.values():
        _repeat_all(retrainings, retrainings.evaluations, record)


def _fill(search: SearchPhase, record: Record) -> None:
    """Begins the brackets and trials again that were begun, and settles what was settled."""
    for _ in range(record.brackets):
        bracket = search.begin_bracket()
        rung = -1
        while rung != bracket.rung and not bracket.finished:
            rung = bracket.rung
            _draw_again(search, bracket, record)
            _repeat_all(search, tuple(bracket.evaluations), record)
        if bracket.index < record.closed:
            search.close()  # what was open then is not gone on with


def _draw_again(search: SearchPhase, bracket: Bracket, record: Record) -> None:
    places = record.in_rung(bracket.index, bracket.rung)
    while bracket.has_room and len(bracket.evaluations) < places:
        trial = TrialId(bracket.index, bracket.rung, len(bracket.evaluations))
        # The sampler draws as often as it did, so that its next draw repeats none of the past.
        drawn = search.suggest()
        trained = record.suggestions.get(trial, drawn)
        if trained.configuration != drawn.configuration:
            search.withdraw(drawn)
        search.enter(bracket, trained)


def _repeat_all(
    phase: SearchPhase | Retrainings, evaluations: Iterable[Evaluation], record: Record
) -> None:
    for evaluation in evaluations:
        if not evaluation.settled:
            _repeat(evaluation, record)
            if evaluation.settled:
                phase.settle(evaluation, record.results[evaluation.id].facts)


def _repeat(evaluation: Evaluation, record: Record) -> None:
    """Brings an evaluation to where it was; one of another configuration only has its numbers."""
    result = record.results.get(evaluation.id)
    suggestion = record.suggestions.get(evaluation.trial)
    if suggestion is None or suggestion.configuration != evaluation.configuration:
        result = None
    for number, worker in sorted(record.attempts.get(evaluation.id, {}).items()):
        while evaluation.attempt < number:
            evaluation.start(worker)
            attempt = Attempt(evaluation.id, evaluation.attempt)
            if attempt in record.deaths:
                evaluation.die(record.deaths[attempt][1])
            if attempt in record.raised:
                evaluation.crash(1 if _is_failure(result, evaluation.attempt) else _NEVER)
            else:
                evaluation.release()
        if evaluation.settled:
            return
    if result is not None and result.loss is not None:
        evaluation.finish(result.loss)
    elif result is not None:
        evaluation.diverge()
    elif evaluation.may_resume(evaluation.attempt) and (
        at_work := record.at_work(Attempt(evaluation.id, evaluation.attempt))
    ):
        evaluation.resume(at_work)


def _is_failure(result: Evaluated | None, attempt: int) -> bool:
    """Whether an evaluation failed by this attempt, which was the last that was allowed."""
    return result is not None and (result.outcome, result.attempt) == ("crashed", attempt)


def _attempt(event: Evaluate | Evaluated | Settled) -> Attempt:
    return Attempt(event.evaluation, event.attempt)
