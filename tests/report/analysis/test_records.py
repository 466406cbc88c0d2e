import pytest
from helpers.journals import news, order, run


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
    (attempt,) = run((1, order((0, 0, 0), 9)), (2, news((0, 0, 0), 9, 0.5, **told))).attempts
    assert (attempt.stopped, attempt.best_epoch) == (stopped, best)
