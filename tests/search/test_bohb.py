import itertools
import logging
import warnings

import ConfigSpace as CS  # noqa: N817
import numpy as np
import pytest
from hpbandster.core.dispatcher import Job
from hpbandster.optimizers.config_generators.bohb import BOHB
from scipy.stats import chi2_contingency, ks_2samp

from bohb_seg import spaces
from bohb_seg.hyperband import Ladder
from bohb_seg.optimizers import bohb
from bohb_seg.optimizers._encoding import Encoding
from bohb_seg.optimizers._kde import KernelDensity

LADDER = Ladder(1, 9, 3)


def mixed_space():
    space = CS.ConfigurationSpace(seed=1)
    space.add(
        CS.Float("rate", (1e-4, 1e-1), log=True),
        CS.Float("dropout", (0.0, 0.5)),
        CS.Integer("batch", (1, 32)),
        CS.Categorical("norm", ["batch", "group", "none"]),
        CS.Categorical("flip", [True, False]),
    )
    return space


def thorny_space():
    """Conditions two deep, a forbidden clause, an ordinal, a constant, mixed choices."""
    space = CS.ConfigurationSpace()
    optimizer = CS.Categorical("optimizer", ["adam", "sgd"])
    momentum = CS.Float("momentum", (0.0, 1.0))
    nesterov = CS.Categorical("nesterov", [True, False])
    width = CS.OrdinalHyperparameter("width", [16, 24, 32, 48])
    mixed = CS.Categorical("mixed", [None, 1, 0.5, "a"])
    space.add(optimizer, momentum, nesterov, width, mixed, CS.Constant("version", 3))
    space.add(CS.EqualsCondition(momentum, optimizer, "sgd"))
    space.add(CS.GreaterThanCondition(nesterov, momentum, 0.5))
    space.add(
        CS.ForbiddenAndConjunction(
            CS.ForbiddenEqualsClause(optimizer, "sgd"), CS.ForbiddenEqualsClause(width, 48)
        )
    )
    return space


def loss_of(configuration):
    return sum(len(str(value)) + hash_free(value) for value in configuration.values())


def hash_free(value):
    return float(value) if isinstance(value, bool | int | float) else 0.0


def observations(space, count, seed=0):
    space.seed(seed)
    random = np.random.default_rng(seed)
    drawn = [spaces.plain(space.sample_configuration()) for _ in range(count)]
    return [(configuration, loss_of(configuration) + random.normal()) for configuration in drawn]


def fed(space, seen, seed=0):
    optimizer = bohb.build(space, LADDER, seed)
    for configuration, loss in seen:
        optimizer.observe(configuration, 9.0, loss)
    return optimizer


def picked(optimizer, count=200):
    """What the model proposes."""
    suggestions = [optimizer.suggest() for _ in range(count)]
    return [s.configuration for s in suggestions if s.model_based]


def their_suggestions(space, seen, count):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # HpBandSter calls what ConfigSpace deprecated
        np.random.seed(0)
        space.seed(0)
        generator = BOHB(space, logger=logging.getLogger("hpbandster.quiet"))
        for number, (configuration, loss) in enumerate(seen):
            job = Job((0, 0, number), config=dict(configuration), budget=9.0)
            job.result = {"loss": loss, "info": {}}
            generator.new_result(job, update_model=number == len(seen) - 1)
        drawn = [generator.get_config(9.0) for _ in range(count)]
    return [config for config, _ in drawn], [info["model_based_pick"] for _, info in drawn]


def test_suggestions_are_distributed_as_hpbandsters():
    space = mixed_space()
    seen = observations(space, 60)
    theirs, their_picks = their_suggestions(space, seen, 350)
    optimizer = fed(space, seen)
    ours = [optimizer.suggest() for _ in range(3000)]
    tables = {
        name: [
            [[c[name] for c in drawn].count(choice) for choice in space[name].choices]
            for drawn in (theirs, [s.configuration for s in ours])
        ]
        for name in ("norm", "flip")
    }
    tables["picks"] = [
        [picks.count(True), picks.count(False)]
        for picks in (their_picks, [s.model_based for s in ours])
    ]
    pvalues = {name: chi2_contingency(table).pvalue for name, table in tables.items()}
    for name in ("rate", "dropout", "batch"):
        samples = [c[name] for c in theirs], [s.configuration[name] for s in ours]
        pvalues[name] = ks_2samp(*samples).pvalue
    assert min(pvalues.values()) > 1e-3, pvalues
    prior = [spaces.plain(space.sample_configuration())["batch"] for _ in range(3000)]
    learnt = ks_2samp(prior, [s.configuration["batch"] for s in ours]).pvalue
    assert learnt < 1e-10, "the test could not tell a model from chance"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("build_space", [mixed_space, thorny_space])
def test_suggestions_are_legal_and_plain(build_space):
    space = build_space()
    optimizer = fed(space, observations(space, 80))
    suggestions = [optimizer.suggest() for _ in range(300)]
    for suggestion in suggestions:
        point = CS.Configuration(space, values=dict(suggestion.configuration))
        assert spaces.plain(point) == suggestion.configuration
        assert {type(v) for v in suggestion.configuration.values()} <= {
            bool,
            int,
            float,
            str,
            type(None),
        }
    share = sum(suggestion.model_based for suggestion in suggestions) / 300
    assert 0.55 < share < 0.78


def test_the_best_region_is_found():
    space = CS.ConfigurationSpace({"x": (0.0, 1.0), "c": ["a", "b"]})
    seen = [(c, abs(c["x"] - 0.3) + (c["c"] == "b")) for c, _ in observations(space, 100)]
    optimizer = fed(space, seen)
    picks = picked(optimizer)
    assert abs(np.median([c["x"] for c in picks]) - 0.3) < 0.1
    assert np.mean([c["c"] == "a" for c in picks]) > 0.9


def test_no_model_before_both_sides_have_enough_points():
    space = mixed_space()
    seen = observations(space, 12)
    optimizer = fed(space, seen[:11])
    assert not any(optimizer.suggest().model_based for _ in range(30))
    optimizer.observe(seen[11][0], 9.0, None)
    assert any(optimizer.suggest().model_based for _ in range(30))


def test_the_largest_budget_with_a_model_decides():
    space = CS.ConfigurationSpace({"x": (0.0, 1.0)})
    optimizer = bohb.build(space, LADDER, 0)
    for x in np.linspace(0, 1, 40):
        optimizer.observe({"x": float(x)}, 1.0, float(x))
        optimizer.observe({"x": float(x)}, 3.0, float(1 - x))
        optimizer.observe({"x": float(x)}, 1.0, float(x))
    for x in (0.1, 0.2):
        optimizer.observe({"x": x}, 9.0, x)
    assert np.median([c["x"] for c in picked(optimizer)]) > 0.7


def test_failures_count_as_bad():
    space = CS.ConfigurationSpace({"x": (0.0, 1.0)})
    seen = [(c, None if c["x"] > 0.5 else 1.0) for c, _ in observations(space, 100)]
    optimizer = fed(space, seen)
    assert np.mean([c["x"] < 0.55 for c in picked(optimizer)]) > 0.9


def test_a_faulty_model_is_loud():
    optimizer = fed(mixed_space(), [])
    with pytest.raises(ValueError, match="unheard"):
        optimizer.observe({"unheard": 1}, 9.0, 0.0)


def test_same_seed_same_suggestions():
    def suggestions(seed):
        np.random.seed(int.from_bytes(np.random.default_rng().bytes(2), "big"))
        optimizer = fed(thorny_space(), observations(thorny_space(), 60), seed)
        return [optimizer.suggest() for _ in range(40)]

    assert suggestions(3) == suggestions(3)
    assert suggestions(3) != suggestions(4)


def test_the_given_space_is_left_alone():
    space = mixed_space()
    before = space.random.get_state()[1].tolist()
    fed(space, []).suggest()
    assert space.random.get_state()[1].tolist() == before


def test_unseen_levels_rank_as_in_hpbandster():
    """Only the bad side lacks the value: at once; only the good side: first; both: never."""
    choices = np.array([3])
    zeros, ones, both = np.zeros((4, 1)), np.ones((4, 1)), np.array([[0.0], [1.0], [0.0], [1.0]])
    candidates = np.array([[0.0], [1.0], [2.0]])

    def ranking(good, bad):
        densities = KernelDensity(good, choices, 1e-3), KernelDensity(bad, choices, 1e-3)
        return bohb._ranking(bohb._Model(*densities), candidates)

    assert ranking(good=zeros, bad=zeros) == [0]
    assert ranking(good=both, bad=zeros) == [1, 2, 0]
    assert ranking(good=zeros, bad=both)[0] in (1, 2)
    assert ranking(good=zeros, bad=ones) == [0, 1]


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
    random = np.random.default_rng(0)
    theirs = np.array([generator.impute_conditional_data(points) for _ in range(4000)])
    ours = np.array([bohb._imputed(points, choices, random) for _ in range(4000)])
    assert not np.isnan(ours).any()
    np.testing.assert_array_equal(np.unique(ours[:, :, :3]), np.unique(theirs[:, :, :3]))
    for row, column in itertools.product(range(4), range(4)):
        values = np.unique([*ours[:, row, column], *theirs[:, row, column]])
        table = [[(t[:, row, column] == v).sum() for v in values] for t in (ours, theirs)]
        assert len(values) == 1 or chi2_contingency(table).pvalue > 1e-3


def test_ordinals_are_equal_cells():
    space = thorny_space()
    encoding = Encoding(space)
    column = [n for n in space.at if n != "version"].index("width")
    point = encoding.encode({"optimizer": "adam", "width": 24, "mixed": "a", "version": 3})
    assert point[column] == pytest.approx(1.5 / 4)
    assert np.isnan(point).sum() == 2
    point = np.nan_to_num(point)
    for value, width in [(0.0, 16), (0.24, 16), (0.26, 24), (0.99, 48), (1.0, 48)]:
        point[column] = value
        assert encoding.decode(point)["width"] == width
