"""BOHB with a Gaussian process; what the process computes is tested in ``test_process``."""

import ConfigSpace as CS  # noqa: N817
import numpy as np
import pytest
from helpers.counting import mixed_space, thorny_space
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg import optimizers
from bohb_seg.optimizers import bohb
from bohb_seg.optimizers._encoding import Encoding
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import configspace

LADDER = Ladder(1, 9, 3)


def drawn(space, count, seed=0):
    space.seed(seed)
    return [configspace.plain(point) for point in space.sample_configuration(count)]


def fed(space, seen, seed=0):
    """The optimizer, told of configurations, budgets and losses."""
    optimizer = bohb.build(space, LADDER, seed)
    for configuration, budget, loss in seen:
        optimizer.observe(configuration, budget, loss)
    return optimizer


def picked(optimizer, count=20):
    """Suggestions of the model, each made as if it were the only one in training."""
    found = []
    while len(found) < count:
        optimizer._in_training.clear()
        suggestion = optimizer.suggest()
        if suggestion.model_based:
            found.append(suggestion.configuration)
    return found


def line(loss, budget=9.0, count=12):
    """Observations along the only dimension of a space."""
    return [({"x": float(x)}, budget, loss(x)) for x in np.linspace(0, 1, count)]


LINE = {"x": (0.0, 1.0)}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("build_space", [mixed_space, thorny_space])
def test_suggestions_are_legal_and_plain(build_space):
    space = build_space()
    losses = np.random.default_rng(0).random(40).tolist()
    seen = [(c, 9.0, loss) for c, loss in zip(drawn(space, 40), losses, strict=True)]
    optimizer = fed(space, seen)
    suggestions = [optimizer.suggest() for _ in range(60)]
    for suggestion in suggestions:
        point = CS.Configuration(space, values=dict(suggestion.configuration))
        assert configspace.plain(point) == suggestion.configuration
    assert 45 <= sum(suggestion.model_based for suggestion in suggestions) < 60


def test_the_best_region_is_found_in_numbers_and_choices():
    space = CS.ConfigurationSpace({"x": (0.0, 1.0), "c": ["a", "b"]})
    seen = [(c, 9.0, abs(c["x"] - 0.3) + (c["c"] == "b")) for c in drawn(space, 30)]
    picks = picked(fed(space, seen))
    assert np.median([abs(c["x"] - 0.3) for c in picks]) < 0.05
    assert np.mean([c["c"] == "a" for c in picks]) > 0.9


def test_the_model_begins_with_a_few_results_on_whatever_budgets():
    space = mixed_space()
    told = optimizers.outlook("bohb", space, LADDER)
    assert told.startswith("optimizer bohb: a Gaussian process begins with 5 results; ")
    budgets, losses = [1.0, 3.0, 1.0, 9.0, 1.0], [0.1, 0.2, None, 0.4, 0.5]
    seen = list(zip(drawn(space, 5), budgets, losses, strict=True))
    early = fed(space, seen[:4])
    assert not any(early.suggest().model_based for _ in range(30))
    assert any(fed(space, seen).suggest().model_based for _ in range(2))


def test_small_budgets_are_learnt_from_and_larger_ones_overrule_them():
    space = CS.ConfigurationSpace(LINE)
    small = line(lambda x: abs(x - 0.2) + 1, budget=1.0)
    assert np.median([c["x"] for c in picked(fed(space, small))]) < 0.4
    large = line(lambda x: abs(x - 0.8), budget=9.0)
    assert np.median([c["x"] for c in picked(fed(space, small + large))]) > 0.7


def test_an_earlier_runs_larger_budgets_do_not_outlast_ones_own():
    space = CS.ConfigurationSpace(LINE)
    earlier = line(lambda x: x, budget=27.0)
    assert np.median([c["x"] for c in picked(fed(space, earlier))]) < 0.2
    own = line(lambda x: 2 - x, budget=9.0) + line(lambda x: 3 + x, budget=3.0)
    assert np.median([c["x"] for c in picked(fed(space, earlier + own))]) > 0.8


def test_failures_count_as_the_worst():
    space = CS.ConfigurationSpace(LINE)
    seen = line(lambda x: None if x > 0.5 else 1.0 - x, count=20)
    picks = [c["x"] for c in picked(fed(space, seen))]
    assert 0.3 < np.median(picks) < 0.55


def test_an_inactive_value_says_nothing_about_the_active_one():
    """Everything without a momentum is bad; 0.5 is still as likely to be good as anything."""
    space = CS.ConfigurationSpace()
    optimizer = CS.Categorical("optimizer", ["adam", "sgd"])
    momentum = CS.Float("momentum", (0.0, 1.0))
    space.add(optimizer, momentum, CS.EqualsCondition(momentum, optimizer, "sgd"))
    seen = [({"optimizer": "adam"}, 9.0, 9.0)] * 8
    for value in (0.0, 0.2, 0.35, 0.7, 0.9):
        seen.append(({"optimizer": "sgd", "momentum": value}, 9.0, abs(value - 0.5)))
    picks = picked(fed(space, seen))
    assert np.mean([c["optimizer"] == "sgd" for c in picks]) > 0.9
    assert np.median([abs(c["momentum"] - 0.5) for c in picks if "momentum" in c]) < 0.1


def test_workers_spread_out():
    """Without results in between, trials in training keep others away."""
    space = CS.ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)})
    seen = [(c, 9.0, abs(c["x"] - 0.5) + abs(c["y"] - 0.5)) for c in drawn(space, 8)]
    alone = picked(fed(space, seen), 8)
    optimizer = fed(space, seen)
    together = [s.configuration for s in (optimizer.suggest() for _ in range(10)) if s.model_based]

    def spread(configurations):
        return np.array([[c["x"], c["y"]] for c in configurations]).std(axis=0).mean()

    assert spread(together) > 1.5 * spread(alone)


def test_what_people_gave_takes_nothing_out_of_training():
    space = mixed_space()
    optimizer = bohb.build(space, LADDER, 0)
    suggested = optimizer.suggest().configuration
    for configuration in drawn(space, 3, seed=1):
        optimizer.observe(configuration, 1.0, 0.5)
    assert len(optimizer._in_training) == 1
    optimizer.observe(suggested, 1.0, 0.5)
    assert not optimizer._in_training


def test_what_is_not_trained_after_all_leaves_training():
    space = mixed_space()
    optimizer = optimizers.build("bohb", space, LADDER, 0)
    given = drawn(space, 2, seed=1)[0]
    optimizer.suggest()
    optimizer.withdraw(given)
    assert len(optimizer._optimizer._in_training) == 1
    optimizer.withdraw(optimizer.suggest().configuration)
    assert len(optimizer._optimizer._in_training) == 1


def test_what_was_suggested_is_in_training_until_its_first_result():
    space = thorny_space()
    optimizer = bohb.build(space, LADDER, 0)
    first, second = (optimizer.suggest().configuration for _ in range(2))
    assert len(optimizer._in_training) == 2
    optimizer.observe(first, 1.0, 0.5)
    optimizer.observe(first, 3.0, 0.5)
    assert len(optimizer._in_training) == 1
    optimizer.observe(second, 1.0, None)
    assert not optimizer._in_training


ORDINAL = CS.OrdinalHyperparameter("width", [16, 24, 32])
POOR = {
    "one number": lambda: CS.ConfigurationSpace(LINE),
    "no number": lambda: CS.ConfigurationSpace({"a": ["x", "y"], "b": ["x", "y", "z"]}),
    "one choice": lambda: CS.ConfigurationSpace({"a": ["x"]}),
    "nothing to tune": lambda: CS.ConfigurationSpace({"a": 3}),
    "few points": lambda: CS.ConfigurationSpace({"n": (1, 2)}),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("ladder", [LADDER, Ladder(2, 2)], ids=str)
@pytest.mark.parametrize("loss", [0.5, None])
@pytest.mark.parametrize("name", POOR)
def test_nothing_to_learn_is_no_error(name, loss, ladder):
    """Poor spaces, losses that are all equal or none, the same configuration again and again."""
    space = POOR[name]()
    optimizer = bohb.build(space, ladder, 0)
    default = configspace.plain(space.get_default_configuration())
    for budget in (1.0, 1.0, ladder.max_budget, 27.0) * 2:
        optimizer.observe(default, budget, loss)
        CS.Configuration(space, values=dict(optimizer.suggest().configuration))


def test_same_seed_same_suggestions_whatever_numpys_own_state_is():
    def suggestions(seed):
        np.random.seed(int.from_bytes(np.random.default_rng().bytes(2), "big"))
        space = thorny_space()
        optimizer = fed(space, [(c, 9.0, i / 20) for i, c in enumerate(drawn(space, 20))], seed)
        return [optimizer.suggest() for _ in range(10)]

    assert suggestions(3) == suggestions(3)
    assert suggestions(3) != suggestions(4)


def test_of_too_many_results_the_largest_budgets_and_the_latest_are_known(monkeypatch):
    monkeypatch.setattr(bohb, "MOST_KNOWN", 4)
    budgets = [9.0, 1.0, 1.0, 9.0, 3.0, 1.0, 1.0]
    seen = [({"x": index / 7}, budget, 0.5) for index, budget in enumerate(budgets)]
    optimizer = fed(CS.ConfigurationSpace(LINE), seen)
    assert optimizer._known().tolist() == [0, 3, 4, 6]
    assert optimizer.suggest().configuration


def test_random_candidates_are_the_points_of_configurations():
    space = thorny_space()
    space.seed(1)
    encoding, drawn_ones = Encoding(space), space.sample_configuration(50)
    points = encoding.points(np.array([each.get_array() for each in drawn_ones]))
    expected = [encoding.encode(configspace.plain(each)) for each in drawn_ones]
    np.testing.assert_allclose(points, expected, atol=1e-9)
    assert np.isnan(points).any()


def test_the_best_candidates_are_climbed_from():
    """Sixty random ones are not as near to the best point of ten dimensions."""
    space = CS.ConfigurationSpace({f"x{index}": (0.0, 1.0) for index in range(10)})
    optimizer = fed(space, [(c, 9.0, 1.0) for c in drawn(space, 12)])

    def gains(points):
        return -((points - 0.5) ** 2).sum(axis=1)

    ranked = optimizer._climbed(gains, np.array(optimizer._points))
    assert (np.diff(gains(ranked)) <= 0).all()
    assert gains(ranked)[0] > gains(optimizer._prior.vectors(60)).max() + 0.05


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_moved_points_are_those_of_configurations(seed):
    """What the model judges is what would be observed."""
    space = thorny_space()
    space.add(CS.Integer("batch", (1, 5), log=True))
    encoding, random = Encoding(space), np.random.default_rng(seed)
    choices = encoding.choices
    shape = 8, len(choices)
    codes = random.integers(np.maximum(choices, 1), size=shape)
    points = np.where(choices > 0, codes, random.random(shape))
    for point in encoding.legal(points):
        try:
            configuration = configspace.plain(encoding.decode(np.nan_to_num(point)))
        except CS.exceptions.ForbiddenValueError:
            continue
        np.testing.assert_allclose(encoding.encode(configuration), point, atol=1e-12)
