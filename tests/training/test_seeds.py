"""Seeds follow from run, trial and epoch, for every kind of trial."""

import pytest

from bohb_seg.training.seeds import epoch_seeds
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    FOLDS_BRACKET,
    MEASURING_BRACKET,
    RUNOFF_BRACKET,
)

KINDS = (0, 1, COMPARISON_BRACKET, RUNOFF_BRACKET, FOLDS_BRACKET, MEASURING_BRACKET)


@pytest.mark.parametrize("bracket", KINDS)
def test_the_same_trial_has_the_same_seeds(bracket):
    trial = bracket, 0, 10**8 - 1
    assert epoch_seeds(3, trial, 1).graph == epoch_seeds(3, trial, 1).graph
    assert epoch_seeds(3, trial, 1).graph != epoch_seeds(3, trial, 2).graph


def test_no_two_kinds_share_them():
    assert len({epoch_seeds(3, (bracket, 0, 5), 1).graph for bracket in KINDS}) == len(KINDS)
