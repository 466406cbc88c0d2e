"""Drawing ends, and is ConfigSpace's own as long as it succeeds."""

import copy

import ConfigSpace as CS  # noqa: N817
import pytest
from helpers.commands import PROGRAMS

from bohb_seg import plugins
from bohb_seg.errors import SpaceError
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import drawing, loading

HOPELESS = str(PROGRAMS / "hopeless_space.py")


def space_of(digits, legal):
    """A space of so many dimensions of ten values, of which so many of each are legal."""
    space = CS.ConfigurationSpace()
    space.add(CS.Categorical(f"c{n}", list(range(10)), default=0) for n in range(digits))
    space.add(CS.ForbiddenInClause(each, list(range(legal, 10))) for each in space.values())
    return space


@pytest.mark.parametrize("space", [space_of(2, 3), loading.load("default")], ids=["few", "all"])
def test_what_is_drawn_is_what_configspace_draws(space):
    ours, theirs = copy.deepcopy(space), copy.deepcopy(space)
    for each in (ours, theirs):
        each.seed(5)
    for _ in range(3):
        assert drawing.draw(ours) == theirs.sample_configuration(drawing.DRAWN_AT_ONCE)
    assert ours == theirs


def test_a_space_with_one_legal_draw_in_a_million_is_refused(monkeypatch):
    monkeypatch.setattr(drawing, "MOST_DRAWS", 10_000)
    with pytest.raises(SpaceError) as error:
        loading.load(HOPELESS)
    assert str(error.value) == (
        f"search space {HOPELESS}: hardly any of 10,016 random configurations satisfies the 6"
        " forbidden clauses of the search space; loosen them, or make one hyperparameter of those"
        " that depend on each other"
    )


@pytest.mark.parametrize("name", plugins.names("optimizers"))
def test_no_optimizer_draws_without_end(name, monkeypatch):
    monkeypatch.setattr(drawing, "MOST_DRAWS", 10_000)
    optimizer = plugins.find("optimizers", name).build(space_of(6, 1), Ladder(1, 9), 0)
    with pytest.raises(SpaceError, match="hardly any of 10,016 random configurations"):
        optimizer.suggest()


def test_many_clauses_do_not_fill_the_memory():
    """ConfigSpace draws the square of clauses over dimensions at once: here 4 * 10^8 numbers."""
    space = CS.ConfigurationSpace({"a": (1, 10_000), "b": (1, 10_000)})
    space.add(CS.ForbiddenEqualsClause(space["a"], value) for value in range(1, 5000))
    with pytest.raises(SpaceError, match=r"ConfigSpace cannot draw .* the 4999 forbidden clauses"):
        drawing.draw(space)
