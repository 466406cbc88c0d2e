"""A search whose running evaluations are given up, because its time is over."""

from dataclasses import dataclass, field, replace

import pytest

from bohb_seg.search.events import (
    Evaluate,
    Evaluated,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.hyperband import Rung
from bohb_seg.search.plan import Plan
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.trials import COMPARISON_BRACKET, Suggestion


@dataclass
class Counting:
    """Proposes 1, 2, 3 and so on, two in each bracket."""

    told: list[object] = field(default_factory=list)
    count: int = 0

    def rungs(self, bracket):
        return (Rung(3, 2),)

    def suggest(self):
        self.count += 1
        return Suggestion({"x": self.count})

    def observe(self, *what):
        self.told.append(what)


PLAN = Plan(n_iterations=9, comparison_epochs=3, candidates=1, adaptive=True)


@pytest.fixture
def stopped():
    """Worker a is at its second evaluation, b at its first; the first one finished."""
    scheduler = Scheduler(Counting(), PLAN, {"x": 0})
    first, _ = scheduler.handle(WorkersChanged(joined=("a", "b")))
    scheduler.handle(ended(first))
    return scheduler, scheduler.handle(StopRequested("late", waits=False))


def ended(order: Evaluate, loss=0.5) -> Evaluated:
    return Evaluated(order.evaluation, order.attempt, order.worker, "finished", loss)


def running(scheduler, worker):
    attempt = scheduler.workers[worker]
    return Evaluate(*attempt, worker, {})


def test_the_final_phase_begins_at_once_and_waits_for_free_workers(stopped):
    scheduler, orders = stopped
    assert scheduler.progress.phase == "comparison"
    assert not [order for order in orders if isinstance(order, Evaluate)]
    assert scheduler.workers["a"]
    assert scheduler.workers["b"]


def test_a_late_result_is_dropped_and_its_worker_free(stopped):
    scheduler, _ = stopped
    orders = scheduler.handle(ended(running(scheduler, "b"), loss=0.0))
    assert not [order for order in orders if isinstance(order, Settled)]
    (order,) = (each for each in orders if isinstance(each, Evaluate))
    assert order.evaluation.trial.bracket == COMPARISON_BRACKET
    assert scheduler.progress.incumbent.loss == 0.5


def test_a_search_that_is_waited_for_takes_the_result():
    scheduler = Scheduler(Counting(), PLAN, {"x": 0})
    first, _ = scheduler.handle(WorkersChanged(joined=("a", "b")))
    scheduler.handle(ended(first))
    scheduler.handle(StopRequested("late"))
    assert scheduler.progress.phase == "search"
    scheduler.handle(ended(running(scheduler, "b"), loss=0.1))
    assert scheduler.progress.incumbent.loss == 0.1


def test_more_brackets_re_open_such_a_search(stopped):
    scheduler, _ = stopped
    late = running(scheduler, "a"), running(scheduler, "b")
    scheduler.handle(PlanChanged(replace(PLAN, n_iterations=10), "more time"))
    assert scheduler.progress.phase == "search"
    orders = [each for order in late for each in scheduler.handle(ended(order))]
    begun = [order for order in orders if isinstance(order, Evaluate)]
    while scheduler.progress.phase == "search":
        orders = [each for order in begun for each in scheduler.handle(ended(order))]
        begun = [order for order in orders if isinstance(order, Evaluate)]
    assert scheduler.progress.phase == "comparison"
