"""Every file of optimizers/ keeps the contract."""

import pytest

from bohb_seg import plugins
from bohb_seg.search.events import Evaluate, Evaluated, WorkersChanged
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.scheduler import Plan, Scheduler
from bohb_seg.spaces.formats import configspace, loading

NAMES = plugins.names("optimizers")
LADDER = Ladder(1, 9, 3)


def test_all_are_there():
    assert NAMES == ("bohb", "bohb-kde", "hyperband", "random")


def run(name, seed):
    space = loading.load("counting")
    default = configspace.plain(space.get_default_configuration())
    optimizer = plugins.find("optimizers", name).build(space, LADDER, seed)
    scheduler = Scheduler(optimizer, Plan(8), default)
    orders, evaluations = scheduler.handle(WorkersChanged(joined=("w",))), []
    while not scheduler.finished:
        (order,) = [order for order in orders if isinstance(order, Evaluate)]
        evaluations.append(order)
        loss = order.configuration["x0"] + order.configuration["c0"]
        news = Evaluated(order.evaluation, order.attempt, "w", "finished", loss)
        orders = scheduler.handle(news)
    return evaluations


@pytest.mark.parametrize("name", NAMES)
def test_runs_repeat_exactly(name):
    first, second, other = run(name, 1), run(name, 1), run(name, 2)
    assert first == second
    assert first != other
    assert first[0].configuration == other[0].configuration
    assert not first[0].model_based
    assert any(order.model_based for order in first) == name.startswith("bohb")


@pytest.mark.parametrize("name", NAMES)
def test_rungs_are_a_bracket(name):
    optimizer = plugins.find("optimizers", name).build(loading.load("counting"), LADDER, 0)
    for index in range(5):
        rungs = optimizer.rungs(index)
        assert [r.budget for r in rungs] == sorted({r.budget for r in rungs})
        assert rungs[-1].budget == LADDER.max_budget
        assert all(rung.trials >= 1 for rung in rungs)


def told(name, news):
    """The orders of a fresh scheduler at each piece of news."""
    space = loading.load("counting")
    default = configspace.plain(space.get_default_configuration())
    optimizer = plugins.find("optimizers", name).build(space, LADDER, 5)
    scheduler = Scheduler(optimizer, Plan(4), default)
    return [scheduler.handle(each) for each in news], scheduler


def test_a_master_that_was_killed_finds_the_same_orders_again():
    """With several workers, whose trials in training the process knows of, and some failures."""
    name = "bohb"
    news = [WorkersChanged(joined=("a", "b", "c"))]
    orders, scheduler = told(name, news)
    while not scheduler.finished:
        running = [order for batch in orders for order in batch if isinstance(order, Evaluate)]
        done = {(each.evaluation, each.attempt) for each in news[1:]}
        waiting = [o for o in running if (o.evaluation, o.attempt) not in done]
        order = waiting[len(news) * 7 % len(waiting)]
        loss = None if len(news) % 6 == 0 else order.configuration["x0"]
        outcome = "diverged" if loss is None else "finished"
        news.append(Evaluated(order.evaluation, order.attempt, order.worker, outcome, loss))
        orders.append(scheduler.handle(news[-1]))
    assert any(o.model_based for batch in orders for o in batch if isinstance(o, Evaluate))
    assert told(name, news)[0] == orders
