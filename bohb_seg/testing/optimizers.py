"""The contract of an optimizer: what :class:`bohb_seg.search.optimizer.Optimizer` promises."""

import copy
import json

import pytest
from ConfigSpace import Configuration as Point

from bohb_seg import plugins
from bohb_seg.search.events import Evaluate, Evaluated, WorkersChanged
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.optimizer import Optimizer
from bohb_seg.search.plan import Plan
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.trials import Suggestion

LADDERS = [Ladder(1, 9, 3), Ladder(3, 27, 3), Ladder(2, 2, 3), Ladder(1, 10, 2)]
SPACES = plugins.names("spaces")
SUGGESTIONS = 60
"""Enough for an optimizer with a model to use it in most of the spaces."""


class OptimizerContract:
    """Tests of one optimizer, in all spaces of the package."""

    @pytest.mark.parametrize("space", SPACES)
    def test_suggestions_are_legal_and_plain(self, plugin: str, space: str) -> None:
        whole = loading.load(space)
        for suggestion in suggestions(plugin, space, seed=3):
            configuration = dict(suggestion.configuration)
            Point(whole, values=configuration).check_valid_configuration()
            assert json.loads(json.dumps(configuration)) == configuration

    @pytest.mark.parametrize("space", SPACES)
    def test_suggestions_repeat_themselves(self, plugin: str, space: str) -> None:
        # A master that was killed asks for all of them again.
        assert suggestions(plugin, space, seed=1) == suggestions(plugin, space, seed=1)

    @pytest.mark.parametrize("ladder", LADDERS, ids=str)
    def test_every_bracket_climbs_to_the_largest_budget(self, plugin: str, ladder: Ladder) -> None:
        optimizer = built(plugin, "counting", ladder, seed=0)
        for bracket in range(6):
            rungs = optimizer.rungs(bracket)
            budgets, trials = [r.budget for r in rungs], [r.trials for r in rungs]
            assert budgets == sorted(set(budgets))
            assert budgets[-1] == ladder.max_budget
            assert trials == sorted(trials, reverse=True)
            assert trials[-1] >= 1

    def test_observations_of_other_spaces_do_no_harm(self, plugin: str) -> None:
        optimizer = built(plugin, "counting", LADDERS[0], seed=0)
        for number in range(SUGGESTIONS):
            optimizer.observe({"no_such_name": "x", "c0": 7, "x1": number / 99}, 9.0, 0.5)
            optimizer.observe({}, 4.5, None)
        Point(loading.load("counting"), dict(optimizer.suggest().configuration))

    def test_a_whole_search_ends_and_repeats_itself(self, plugin: str) -> None:
        assert searched(plugin, seed=1) == searched(plugin, seed=1)


def built(plugin: str, space: str, ladder: Ladder, seed: int) -> Optimizer:
    """The optimizer of a plug-in."""
    optimizer: Optimizer = plugins.call("optimizers", plugin, loading.load(space), ladder, seed)
    return optimizer


def suggestions(plugin: str, space: str, seed: int) -> list[Suggestion]:
    """Suggestions while losses are observed, every seventh evaluation being a bad one."""
    optimizer = built(plugin, space, LADDERS[0], seed)
    found = []
    for number in range(SUGGESTIONS):
        suggestion = optimizer.suggest()
        found.append(copy.deepcopy(suggestion))
        loss = None if number % 7 == 0 else (number * 37 % 101) / 101
        optimizer.observe(suggestion.configuration, 9.0, loss)
    return found


def searched(plugin: str, seed: int, brackets: int = 8) -> list[Evaluate]:
    """All evaluations of a search for ones with one worker, in their order."""
    default = configspace.plain(loading.load("counting").get_default_configuration())
    optimizer = built(plugin, "counting", LADDERS[0], seed)
    scheduler = Scheduler(optimizer, Plan(brackets), default)
    orders, evaluations = scheduler.handle(WorkersChanged(joined=("worker",))), []
    while not scheduler.finished:
        (order,) = (order for order in orders if isinstance(order, Evaluate))
        evaluations.append(order)
        loss = 2.0 - sum(float(order.configuration[name] or 0) for name in ("x0", "c0"))
        news = Evaluated(order.evaluation, order.attempt, "worker", "finished", loss)
        orders = scheduler.handle(news)
    return evaluations
