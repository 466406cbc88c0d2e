"""Ours against HpBandSter 0.7.4 itself.

Without faults and with one worker, our scheduler does what its master does. Where its sampler is
sound (every categorical level seen on both sides, every bandwidth legal, enough observations), our
suggestions have the distribution of its own.
"""

import itertools
import logging
import random

import ConfigSpace as CS  # noqa: N817
import numpy as np
import pytest
from helpers.counting import Counting, hpbandster_master, mixed_space
from hpbandster.core.dispatcher import Job
from hpbandster.optimizers import HyperBand
from hpbandster.optimizers.config_generators.bohb import BOHB
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import chi2_contingency, ks_2samp

from bohb_seg.optimizers import bohb_kde as bohb
from bohb_seg.optimizers._encoding import Encoding
from bohb_seg.search.events import Evaluate, Evaluated, WorkersChanged
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.scheduler import Plan, Scheduler
from bohb_seg.spaces.formats import configspace


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


def conditional_space():
    space = CS.ConfigurationSpace(seed=1)
    optimizer = CS.Categorical("optimizer", ["adam", "sgd"])
    momentum = CS.Float("momentum", (0.0, 1.0))
    space.add(CS.Float("rate", (1e-4, 1e-1), log=True), optimizer, momentum)
    space.add(CS.EqualsCondition(momentum, optimizer, "sgd"))
    return space


def some_loss(configuration, noise):
    texts = sum(len(value) for value in configuration.values() if isinstance(value, str))
    return 0.3 * texts + sum(v for v in configuration.values() if not isinstance(v, str)) + noise


def observations(space, count):
    noise = np.random.default_rng(0).normal(size=count)
    drawn = [configspace.plain(point) for point in space.sample_configuration(count)]
    return [(c, float(some_loss(c, extra))) for c, extra in zip(drawn, noise, strict=True)]


def their_job(configuration, loss):
    job = Job((0, 0, 0), config=dict(configuration), budget=9.0)
    job.result = {"loss": loss, "info": {}}
    return job


def their_generator(space, seen):
    generator = BOHB(space, logger=logging.getLogger("hpbandster.quiet"))
    for number, observation in enumerate(seen):
        generator.new_result(their_job(*observation), update_model=number == len(seen) - 1)
    return generator


def their_suggestions(generator, last, count):
    """Each from a model of its own: inactive values are filled in at random once per model."""
    for _ in range(count):
        del generator.configs[9.0][-1], generator.losses[9.0][-1]
        generator.new_result(their_job(*last))
        yield generator.get_config(9.0)


def our_suggestions(space, seen, count):
    optimizer = bohb.build(space, Ladder(1, 9, 3), seed=0)
    for configuration, loss in seen:
        optimizer.observe(configuration, 9.0, loss)
    for _ in range(count):
        optimizer._model = None  # as above
        yield optimizer.suggest()


def is_sound(kde, levels):
    """All levels are in their data, and no bandwidth is beyond the uniform kernel."""
    columns = np.flatnonzero(levels)
    seen = [len(np.unique(kde.data[:, column])) for column in columns]
    return (
        seen == levels[columns].tolist()
        and (kde.bw <= 1 - 1 / np.maximum(levels, 1))[columns].all()
    )


def energy_pvalue(first, second, shuffles=2000):
    """Permutation test of the energy distance between two samples (n, d) and (m, d)."""
    both = np.vstack([first, second])
    labels = np.repeat([1 / len(first), -1 / len(second)], [len(first), len(second)])
    draw = np.random.default_rng(0)
    columns = np.column_stack([labels, *(draw.permutation(labels) for _ in range(shuffles))])
    statistics = -np.sum(columns * (cdist(both, both) @ columns), axis=0)
    return np.mean(statistics[1:] >= statistics[0])


def unit_cube(space, configurations):
    """Points with one column per level of unordered dimensions; -1 where inactive."""
    encoding = Encoding(space)
    points = np.array([encoding.encode(configuration) for configuration in configurations])
    columns = [
        points[:, index] == np.arange(levels)[:, None] if levels else [points[:, index]]
        for index, levels in enumerate(encoding.choices)
    ]
    return np.nan_to_num(np.vstack(columns).T.astype(float), nan=-1.0)


def difference(space, first, second):
    """The smallest p-value: of every column alone and of all together (a thousand at most)."""
    cubes = unit_cube(space, first), unit_cube(space, second)
    pvalues = [energy_pvalue(cubes[0][:1000], cubes[1][:1000])]
    for one, other in zip(*(cube.T for cube in cubes), strict=True):
        if len(values := np.unique([*one, *other])) > 2:
            pvalues.append(ks_2samp(one, other).pvalue)
        elif len(values) == 2:
            table = [[np.sum(side == value) for value in values] for side in (one, other)]
            pvalues.append(chi2_contingency(table).pvalue)
    return min(pvalues)


@pytest.mark.filterwarnings("ignore")  # HpBandSter calls what ConfigSpace and NumPy deprecated
@pytest.mark.parametrize(("build", "count"), [(mixed_space, 120), (conditional_space, 60)])
def test_suggestions_are_distributed_as_hpbandsters(build, count):
    np.random.seed(0)
    space = build()
    seen = observations(space, count)
    generator = their_generator(space, seen)
    for kde in generator.kde_models[9.0].values():
        assert is_sound(kde, generator.vartypes)
    theirs, infos = zip(*their_suggestions(generator, seen[-1], 300), strict=True)
    suggestions = list(our_suggestions(space, seen, 1500))
    ours = [suggestion.configuration for suggestion in suggestions]
    picks = [
        sum(info["model_based_pick"] for info in infos),
        sum(suggestion.model_based for suggestion in suggestions),
    ]
    assert chi2_contingency([picks, [300 - picks[0], 1500 - picks[1]]]).pvalue > 1e-3
    assert difference(space, theirs, ours) > 1e-3
    prior = [configspace.plain(point) for point in space.sample_configuration(1500)]
    assert difference(space, theirs, prior) < 1e-4, "the test cannot tell a model from chance"


def test_imputation_is_hpbandsters():
    """All inactive values of a row come from one row that has the first of them."""
    nan = np.nan
    points = np.array(
        [[0.1, nan, nan, nan], [0.2, 1.0, 0.3, nan], [0.3, 0.0, nan, nan], [0.4, nan, nan, nan]]
    )
    choices = np.array([0, 2, 0, 5])
    generator = object.__new__(BOHB)
    generator.vartypes = choices
    np.random.seed(0)
    draw = np.random.default_rng(0)
    theirs = np.array([generator.impute_conditional_data(points) for _ in range(4000)])
    ours = np.array([bohb._imputed(points, choices, draw) for _ in range(4000)])
    assert not np.isnan(ours).any()
    np.testing.assert_array_equal(np.unique(ours[:, :, :3]), np.unique(theirs[:, :, :3]))
    for row, column in itertools.product(range(4), range(4)):
        values = np.unique([*ours[:, row, column], *theirs[:, row, column]])
        table = [[(t[:, row, column] == v).sum() for v in values] for t in (ours, theirs)]
        assert len(values) == 1 or chi2_contingency(table).pvalue > 1e-3
