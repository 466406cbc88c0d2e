from helpers.journals import OTHER, run
from helpers.recorded_run import DEFAULT

from bohb_seg.report.tables.configuration import configurations, differences

MINE = {"batch_size": 16, "learning_rate": 0.007, "loss": "ce", "norm": "batch"}
"""A baseline that the space of the runs here cannot express."""
UNSEARCHED = {"loss": "reports", "norm": "batch"}


def with_baseline():
    return run(default=MINE, baseline="mine.yaml", first=(DEFAULT,), unsearched=UNSEARCHED)


def test_configurations_in_short():
    assert differences(DEFAULT, run()) == "the default itself"
    assert differences(OTHER, run()) == "batch_size 8, learning_rate 0.001, activation swish"
    more = {**DEFAULT, "momentum": 0.9}
    assert differences(more, run()) == "momentum 0.9"


def test_the_incumbent_stands_beside_the_default():
    more = {"batch_size": 8, "momentum": 0.9}
    rows = (("batch_size", 16, 8), ("learning_rate", 0.007, None), ("activation", "relu", None))
    found = configurations(more, run())
    assert found.columns == ("hyperparameter", "default", "incumbent")
    assert found.rows == (*rows, ("momentum", None, 0.9))
    assert [row[2] for row in configurations(None, run()).rows] == [None] * 3


def test_a_baseline_and_a_winner_of_other_hyperparameters_are_compared_by_what_is_trained():
    found = configurations(OTHER, with_baseline())
    assert found.columns == ("hyperparameter", "baseline", "incumbent")
    assert found.rows == (
        ("loss", "ce", "reports"),
        ("batch_size", 16, 8),
        ("learning_rate", 0.007, 0.001),
        ("activation", None, "swish"),
        ("norm", "batch", "batch"),
    )
    assert differences(DEFAULT, with_baseline()) == "loss reports, activation relu"
    mine = {"batch_size": 16, "learning_rate": 0.007, "loss": "ce"}
    assert differences(mine, with_baseline()) == "the baseline itself"
