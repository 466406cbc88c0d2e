"""Without faults and with one worker, our scheduler does what HpBandSter's master does."""

import logging
import random

import numpy as np
from hpbandster.core.dispatcher import Job
from hpbandster.optimizers import HyperBand
from hypothesis import given, settings
from hypothesis import strategies as st
from search.conftest import Counting, hpbandster_master

from bohb_seg.hyperband import Ladder
from bohb_seg.scheduler import Plan, Scheduler
from bohb_seg.trials import Evaluate, Evaluated, WorkersChanged


class Sampler:
    """What HpBandSter asks of a config generator; the first configuration is the default."""

    def __init__(self):
        self.drawn = -1

    def get_config(self, budget):
        self.drawn += 1
        return {"x": self.drawn}, {}


def loss_of(x, budget, seed, bad):
    """A loss without ties, or None in a share ``bad`` of cases."""
    draw = random.Random(f"{x} {budget:.6g} {seed}")
    return None if draw.random() < bad else draw.random()


def their_runs(ladder, iterations, seed, bad, logger):
    """HpBandSter's ``Master.run`` with one worker that answers at once."""
    master = hpbandster_master(HyperBand, ladder, Sampler())
    active, runs = [], []
    while True:
        following = None
        for iteration in [i for i in active if not i.is_finished]:
            following = iteration.get_next_run()
            if following is not None:
                break
        if following is not None:
            config_id, config, budget = following
            runs.append((config_id, float(budget), config))
            job = Job(config_id, config=config, budget=budget)
            loss = loss_of(config["x"], float(budget), seed, bad)
            job.result = None if loss is None else {"loss": loss, "info": {}}
            active[config_id[0]].register_result(job)
        elif len(active) < iterations:
            active.append(master.get_next_iteration(len(active), {"logger": logger}))
        elif all(iteration.is_finished for iteration in active):
            return runs


def our_runs(ladder, iterations, seed, bad):
    scheduler = Scheduler(Counting(ladder), Plan(iterations), {"x": 0})
    orders, runs = scheduler.handle(WorkersChanged(joined=("w",))), []
    while not scheduler.finished:
        (order,) = [order for order in orders if isinstance(order, Evaluate)]
        trial, budget = order.evaluation
        runs.append((tuple(trial), budget, dict(order.configuration)))
        loss = loss_of(order.configuration["x"], budget, seed, bad)
        outcome = "diverged" if loss is None else "finished"
        orders = scheduler.handle(Evaluated(order.evaluation, order.attempt, "w", outcome, loss))
    return runs


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([(1, 27, 3), (1, 8, 2), (2, 50, 3), (1, 1, 2), (3, 27, 3), (1, 17, 2.5)]),
    st.integers(1, 6),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.2, 0.8, 1.0]),
)
def test_same_trials_in_the_same_order(bounds, iterations, seed, bad):
    ladder = Ladder(*bounds)
    logger = logging.getLogger("hpbandster.quiet")
    theirs = their_runs(ladder, iterations, seed, bad, logger)
    ours = our_runs(ladder, iterations, seed, bad)
    assert [(trial, config) for trial, _, config in ours] == [(t, c) for t, _, c in theirs]
    np.testing.assert_allclose([b for _, b, _ in ours], [b for _, b, _ in theirs], rtol=1e-14)
    if bad == 1 and len(ladder.budgets) > 1:
        assert any(trial[1] > 0 for trial, _, _ in ours)  # places no survivor filled
