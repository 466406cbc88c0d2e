"""Whether the entries of a journal can be those of one run, whatever rules its orders followed.

Rules of every journal:

- ``RunStarted`` is its first entry and comes once. ``Finish`` comes once, and once more each time
  that the plan changed after it.
- A trial has one configuration. Its evaluations number their attempts upwards until they are
  settled.
- Results are those of attempts that were ordered, and come from the worker that had the order.
- ``Settled`` follows on the result that counts, and comes once for each evaluation.

Two masters that write one journal break them, because each numbers and settles on its own.
"""

from collections.abc import Iterable
from typing import final

from bohb_seg.search.events import (
    BracketFinished,
    Evaluate,
    Evaluated,
    Finish,
    PlanChanged,
    Settled,
)
from bohb_seg.storage.journal_entries import Event, RulesChanged, RunStarted
from bohb_seg.trials import Attempt, Configuration, EvaluationId, TrialId, evaluation_name


@final
class Consistency:
    """Takes the entries of a journal one by one; remembers those that fit."""

    def __init__(self) -> None:
        self._has_begun = self._is_finished = False
        self._configurations: dict[TrialId, Configuration] = {}
        self._latest: dict[EvaluationId, int] = {}
        self._workers: dict[Attempt, str] = {}
        self._settled: set[EvaluationId] = set()
        self._brackets: set[int] = set()
        self._news: Evaluated | None = None

    def first_objection(self, events: Iterable[Event]) -> str:
        """The first objection to a whole journal; "" if there is none."""
        return next(filter(None, map(self.objection, events)), "")

    def objection(self, event: Event) -> str:
        """Why an entry cannot follow on those that fitted; "" if it can, and then it counts."""
        if isinstance(event, RunStarted) == self._has_begun:
            return "the run begins twice" if self._has_begun else "the run has not begun"
        self._has_begun = True
        match event:
            case RulesChanged():
                self._forget_decisions()
            case Evaluate():
                return self._order(event)
            case Evaluated():
                return self._result(event)
            case Settled():
                return self._settle(event)
            case BracketFinished(bracket):
                if bracket in self._brackets:
                    return f"bracket {bracket} is finished twice"
                self._brackets.add(bracket)
            case PlanChanged():
                self._is_finished = False
            case Finish():
                if self._is_finished:
                    return "the run is finished twice"
                self._is_finished = True
        return ""

    def _forget_decisions(self) -> None:
        """Other rules may choose other trials for the runoff, or climb a bracket again."""
        self._brackets.clear()
        final = {each for each in self._settled if each.trial.bracket < 0}
        self._settled -= final
        for trial in [each for each in self._configurations if each.bracket < 0]:
            del self._configurations[trial]

    def _order(self, order: Evaluate) -> str:
        evaluation, trial = order.evaluation, order.evaluation.trial
        name = evaluation_name(evaluation)
        if evaluation in self._settled or trial.bracket in self._brackets:
            return f"{name} is ordered after it was settled"
        if order.attempt <= self._latest.get(evaluation, 0):
            return f"{name} has two attempts {order.attempt}"
        if self._configurations.setdefault(trial, order.configuration) != order.configuration:
            return f"{name} has two configurations"
        self._latest[evaluation] = order.attempt
        self._workers[Attempt(evaluation, order.attempt)] = order.worker
        return ""

    def _result(self, news: Evaluated) -> str:
        if self._workers.get(Attempt(news.evaluation, news.attempt)) != news.worker:
            return f"{evaluation_name(news.evaluation)} has a result of a worker that did not do it"
        self._news = news
        return ""

    def _settle(self, order: Settled) -> str:
        name, news = evaluation_name(order.evaluation), self._news
        if order.evaluation in self._settled:
            return f"{name} is settled twice"
        told = (order.evaluation, order.attempt, order.worker)
        if news is None or (news.evaluation, news.attempt, news.worker) != told:
            return f"{name} is settled without a result"
        self._settled.add(order.evaluation)
        return ""
