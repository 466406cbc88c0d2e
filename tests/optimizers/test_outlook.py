"""What is told at the start about who proposes configurations."""

import pytest

from bohb_seg import optimizers
from bohb_seg.errors import PluginError
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import loading

LADDER = Ladder(3, 27)


@pytest.mark.parametrize(
    ("name", "space", "expected"),
    [
        (
            "bohb-kde",
            "quick",
            "with 14 results on one budget, which come in bracket 4 at",
        ),
        ("bohb-kde", "default", "with 32 results on one budget, which come in bracket 10 at"),
        ("bohb", "quick", "a Gaussian process begins with 6 results"),
        ("bohb", "default", "a Gaussian process begins with 10 results"),
        ("hyperband", "quick", "all configurations are drawn at random"),
        ("random", "quick", "all configurations are drawn at random"),
    ],
)
def test_it_is_told_when_the_model_begins(name, space, expected):
    told = optimizers.outlook(name, loading.load(space), LADDER)
    assert told.startswith(f"optimizer {name}: ")
    assert expected in told


@pytest.mark.parametrize("name", ["bohb", "bohb-kde"])
def test_the_model_begins_when_it_was_said(name):
    """With the sixth result, or in the fourth bracket."""
    space = loading.load("quick")
    optimizer = optimizers.build(name, space, LADDER, 0)
    bracket, results = 0, 0
    while True:
        for rung in optimizer.rungs(bracket):
            for number in range(rung.trials):
                suggestion = optimizer.suggest()
                if suggestion.model_based:
                    assert (bracket == 3) if name == "bohb-kde" else (6 <= results < 10)
                    return
                optimizer.observe(suggestion.configuration, rung.budget, number / 7)
                results += 1
        bracket += 1
        assert bracket < 10


def test_an_optimizer_of_ones_own_may_be_silent_and_its_mistakes_are_told(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def build(space, ladder, seed): ...\n")
    space = loading.load("quick")
    assert optimizers.outlook(str(file), space, LADDER) == f"optimizer {file}"
    file.write_text("def build(space, ladder, seed): ...\n\n\ndef outlook(): ...\n")
    with pytest.raises(PluginError, match="outlook"):
        optimizers.outlook(str(file), space, LADDER)
