from helpers.journals import OTHER
from helpers.recorded_run import DEFAULT

from bohb_seg.report.tables.configuration import configurations, differences_from_default


def test_configurations_in_short():
    assert differences_from_default(DEFAULT, DEFAULT) == "the default configuration"
    assert (
        differences_from_default(OTHER, DEFAULT)
        == "batch_size 8, learning_rate 0.001, activation swish"
    )
    more = {**DEFAULT, "momentum": 0.9}
    assert differences_from_default(more, DEFAULT) == "momentum 0.9"


def test_the_incumbent_stands_beside_the_default():
    more = {"batch_size": 8, "momentum": 0.9}
    rows = (("batch_size", 16, 8), ("learning_rate", 0.007, None), ("activation", "relu", None))
    found = configurations(more, DEFAULT)
    assert found.columns == ("hyperparameter", "default", "incumbent")
    assert found.rows == (*rows, ("momentum", None, 0.9))
    assert [row[2] for row in configurations(None, DEFAULT).rows] == [None] * 3
