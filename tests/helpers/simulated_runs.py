"""Runs of the real scheduler, optimizer and space without a worker, as lists of events."""

from bohb_seg.master.run_setup import assemble
from bohb_seg.search.events import Evaluate, Evaluated, WorkersChanged
from bohb_seg.settings import SearchSettings


def simulated(run_dir, **others):
    """A whole run of the real scheduler, optimizer and space: two workers, no fault.

    The last event is the end; what workers still train then, they train for nothing.
    """
    chosen = SearchSettings(
        **{"run_id": "r", "run_dir": run_dir, "worker": "toy", "space": "counting"},
        **{"min_budget": 1, "max_budget": 9, **others},
    )
    run = assemble(chosen, [])
    events, waiting = [run.start], [WorkersChanged(joined=("a", "b"))]
    while not run.scheduler.finished:
        news = waiting.pop(0)
        orders = run.scheduler.handle(news)
        events += [news, *orders]
        for order in orders:
            if isinstance(order, Evaluate):
                loss = sum(map(float, order.configuration.values())) / order.evaluation.budget
                key = order.evaluation, order.attempt, order.worker
                waiting.append(Evaluated(*key, "finished", loss))
    return chosen, events


def finish(run, loss=0.5):
    """Lets the workers of a run do all that is left; returns what happened."""
    events, waiting = [], [order for order in run.workers.values() if order]
    while not run.scheduler.finished:
        order = waiting.pop(0)
        news = Evaluated(order.evaluation, order.attempt, order.worker, "finished", loss)
        orders = run.scheduler.handle(news)
        events += [news, *orders]
        waiting += [order for order in orders if isinstance(order, Evaluate)]
    return events
