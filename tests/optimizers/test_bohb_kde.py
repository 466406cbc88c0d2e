import ConfigSpace as CS  # noqa: N817
import numpy as np
import pytest
from helpers.counting import mixed_space, thorny_space
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.optimizers import bohb_kde as bohb
from bohb_seg.optimizers._encoding import Encoding
from bohb_seg.optimizers._kde import KernelDensity
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import configspace

LADDER = Ladder(1, 9, 3)


def loss_of(configuration):
    return sum(len(str(value)) + hash_free(value) for value in configuration.values())


def hash_free(value):
    return float(value) if isinstance(value, bool | int | float) else 0.0


def observations(space, count, seed=0):
    space.seed(seed)
    random = np.random.default_rng(seed)
    drawn = [configspace.plain(space.sample_configuration()) for _ in range(count)]
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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("build_space", [mixed_space, thorny_space])
def test_suggestions_are_legal_and_plain(build_space):
    space = build_space()
    optimizer = fed(space, observations(space, 80))
    suggestions = [optimizer.suggest() for _ in range(300)]
    for suggestion in suggestions:
        point = CS.Configuration(space, values=dict(suggestion.configuration))
        assert configspace.plain(point) == suggestion.configuration
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


def test_a_level_new_to_the_bad_side_is_not_taken_whatever_else_it_says():
    choices = np.array([0, 3])
    spread = np.linspace(0, 1, 12)
    good = np.column_stack([np.linspace(0.25, 0.35, 6), [0, 0, 0, 0, 1, 1]])
    bad = np.column_stack([spread, np.zeros(12)])
    widths = bohb._least_bandwidths(choices, 18)
    densities = KernelDensity(good, choices, widths), KernelDensity(bad, choices, widths)
    candidates = np.array([[0.8, 1.0], [0.3, 0.0], [0.3, 1.0], [0.3, 2.0]])
    ranking = bohb._ranking(bohb._Model(*densities), candidates).tolist()
    assert ranking[0] == 2, "good in both dimensions"
    assert ranking[-1] == 0, "far from everything good"


def test_a_level_that_nobody_has_says_nothing():
    """HpBandSter never takes it; here the other dimensions decide."""
    choices = np.array([0, 3, 1])
    good = np.column_stack([np.linspace(0.25, 0.35, 6), np.zeros(6), np.zeros(6)])
    bad = np.column_stack([np.linspace(0, 1, 34), np.zeros(34), np.zeros(34)])
    widths = bohb._least_bandwidths(choices, 40)
    sides = [
        KernelDensity(side, choices, widths).pdf(np.array([[0.3, 0, 0], [0.3, 2, 0]]))
        for side in (good, bad)
    ]
    assert sides[0][0] / sides[1][0] == pytest.approx(sides[0][1] / sides[1][1])
    assert sides[0][1] / sides[0][0] == pytest.approx(1 / 41)


def test_least_widths_are_the_same_on_both_sides():
    space = CS.ConfigurationSpace({"c": ["a", "b", "z"], "x": (0.0, 1.0), "y": (0.0, 1.0)})
    seen = [({"c": "a", "x": x, "y": 0.5}, x) for x in np.linspace(0, 1, 60).tolist()]
    model = fed(space, seen)._fitted()
    assert len(model.good.data) < len(model.bad.data)
    for side in (model.good, model.bad):
        assert side.bandwidths[[0, 2]].tolist() == [2 / 63, 1e-3]


@settings(deadline=None)
@given(st.integers(2, 33), st.integers(0, 2000), st.sampled_from([2, 2.5, 3, 4, 10]))
def test_good_ones_are_few_from_the_start(least, more, eta):
    count = 2 * least + more
    good, bad = bohb._split(count, least, eta)
    assert 2 <= good <= max(count / eta, 0.15 * count, 2)
    assert bad >= least
    published = max(least, 15 * count // 100)
    assert good == published or count < eta * least
    assert bad == max(least, 85 * count // 100)


def test_losses_decide_who_is_good():
    space = CS.ConfigurationSpace({"x": (0.0, 1.0)})
    losses = [3.0, None, 1.0, 2.0, 5.0, 4.0, 1.5, 2.5, 6.0]
    optimizer = fed(space, [({"x": i / 10}, loss) for i, loss in enumerate(losses)])
    model = optimizer._fitted()
    assert sorted(model.good.data[:, 0]) == pytest.approx([0.2, 0.6])
    assert sorted(model.bad.data[:, 0]) == pytest.approx([0.0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.8])


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


STRANGE = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.just(10**30), st.floats(), st.text(max_size=3))
)


@st.composite
def foreign(draw):
    """A configuration of the thorny space, some of its values lost or illegal, others added."""
    space = thorny_space()
    space.seed(draw(st.integers(0, 10_000)))
    own = configspace.plain(space.sample_configuration())
    kept = {name: value for name, value in own.items() if draw(st.booleans())}
    illegal = {name: "no such value" for name in own if name not in kept and draw(st.booleans())}
    unknown = draw(st.dictionaries(st.sampled_from(["lr", "depth", ""]), STRANGE))
    return own, kept, kept | illegal | unknown


@settings(deadline=None)
@given(foreign())
def test_of_another_spaces_configuration_what_exists_here_counts(configurations):
    own, kept, strange = configurations
    encoding = Encoding(thorny_space())
    tuned = [name for name in thorny_space().at if name != "version"]
    whole = encoding.encode(own)
    expected = [x if name in kept else np.nan for name, x in zip(tuned, whole, strict=True)]
    np.testing.assert_array_equal(encoding.encode(strange), expected)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*thorny_space().at, "lr"]), STRANGE))
def test_any_mapping_of_plain_values_can_be_encoded(configuration):
    point = Encoding(thorny_space()).encode(configuration)
    assert all(np.isnan(point) | ((point >= 0) & (point <= 3)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(foreign(), st.floats(0, 1) | st.none()), min_size=14, max_size=30))
def test_suggestions_after_other_spaces_are_legal(seen):
    space = thorny_space()
    optimizer = fed(space, [(strange, loss) for (_, _, strange), loss in seen])
    for suggestion in (optimizer.suggest() for _ in range(5)):
        CS.Configuration(space, values=dict(suggestion.configuration))  # raises if illegal


def test_observations_with_nothing_in_common_are_ignored():
    nothing = [{"lr": 0.1}, {"optimizer": "rmsprop"}, {"version": 3}, {}]
    seen = observations(thorny_space(), 40)
    one = fed(thorny_space(), seen)
    other = fed(thorny_space(), [*[(n, 0.0) for n in nothing] * 10, *seen])
    assert [one.suggest() for _ in range(20)] == [other.suggest() for _ in range(20)]


def test_what_another_space_knows_is_used():
    space = CS.ConfigurationSpace({"x": (0.0, 1.0), "c": ["a", "b"], "new": (0.0, 1.0)})
    older = CS.ConfigurationSpace({"x": (0.0, 2.0), "c": ["a", "z"], "gone": (0.0, 1.0)})
    seen = [(c, abs(c["x"] - 0.3) + (c["c"] == "z")) for c, _ in observations(older, 200)]
    picks = picked(fed(space, seen), 400)
    assert 0.15 < np.median([c["x"] for c in picks]) < 0.4
    assert np.mean([c["c"] == "a" for c in picks]) > 0.8


def test_an_earlier_runs_larger_budgets_do_not_outlast_ones_own():
    space = CS.ConfigurationSpace({"x": (0.0, 1.0)})
    optimizer = bohb.build(space, LADDER, 0)
    for x in np.linspace(0, 1, 40):
        optimizer.observe({"x": float(x)}, 27.0, float(x))
    assert np.median([c["x"] for c in picked(optimizer)]) < 0.3
    for x in np.linspace(0, 1, 40):
        optimizer.observe({"x": float(x)}, 9.0, float(1 - x))
        optimizer.observe({"x": float(x)}, 3.0, float(x))
    assert np.median([c["x"] for c in picked(optimizer)]) > 0.7
