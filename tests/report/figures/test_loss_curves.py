import pytest
from helpers.figures import labels, marks
from helpers.journals import CURVES, OTHER, news, order, run
from helpers.recorded_run import DEFAULT

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.figures.loss_curves import loss_curves


def retrained(**told):
    """Both arms with one seed and the same curves."""
    ordered = [order((-1, arm, 0), 3, configuration=(DEFAULT, OTHER)[arm]) for arm in (0, 1)]
    ended = [news((-1, arm, 0), 3, 0.5, curves=CURVES, **told) for arm in (0, 1)]
    return arms(run(*((1, each) for each in ordered), *((2, each) for each in ended)))


def test_a_star_marks_the_weights_that_were_kept():
    figure = loss_curves(retrained(best_epoch=2))
    assert marks(figure, "*") == [((2, 0.5),)] * 2
    assert "weights kept" in labels(figure.axes[0].get_legend())


@pytest.mark.parametrize("told", [{}, {"best_epoch": 0}, {"best_epoch": 4}])
def test_there_is_no_star_without_an_epoch_for_it(told):
    figure = loss_curves(retrained(**told))
    assert marks(figure, "*") == []
    assert "weights kept" not in labels(figure.axes[0].get_legend())
