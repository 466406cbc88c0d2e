import pytest
from helpers.journals import CURVES, news, order, run

from bohb_seg.trials import TrialId


def attempt(**told):
    (found,) = run((1, order((0, 0, 0), 9)), (2, news((0, 0, 0), 9, 0.5, **told))).attempts
    return found


@pytest.mark.parametrize(
    ("told", "stopped", "best"),
    [
        ({"stopped": "patience", "best_epoch": 3}, "patience", 3),
        ({"stopped": "collapsed"}, "collapsed", None),
        ({"stopped": None}, None, None),
        ({"stopped": "lunch", "best_epoch": "last"}, None, None),
    ],
)
def test_how_an_attempt_ended(told, stopped, best):
    ended = attempt(**told)
    assert (ended.stopped, ended.info.best_epoch) == (stopped, best)


@pytest.mark.parametrize(
    ("curves", "names"),
    [
        (CURVES, ["epoch", "train_loss", "validation_loss"]),
        ({**CURVES, "train_loss": [0.9]}, ["epoch", "validation_loss"]),
        ({"train_loss": [0.9]}, []),
        ({**CURVES, "train_loss": "falling"}, []),
        (["x"], []),
    ],
)
def test_curves_are_as_long_as_their_epochs(curves, names):
    assert list(attempt(curves=curves).curves) == names


@pytest.mark.parametrize(
    ("trial", "name"),
    [((-1, 0, 2), "default, seed 2"), ((-1, 1, 0), "incumbent, seed 0"), ((0, 0, 0), "0-0-0")],
)
def test_the_arm_of_a_baseline_is_called_so(trial, name):
    assert run().name_of(TrialId(*trial)) == name
    mine = run(baseline="mine.yaml")
    assert mine.name_of(TrialId(*trial)) == name.replace("default", "baseline")
