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
    assert NAMES == ("bohb", "bohb-gp", "bohb-kde", "hyperband", "random")


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
