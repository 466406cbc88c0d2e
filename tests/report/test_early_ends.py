import pytest
from helpers.journals import OTHER, news, order, run
from helpers.recorded_run import DEFAULT

from bohb_seg.report import accounts, figures_comparison, figures_search
from bohb_seg.report.comparison import arms

CURVES = {"epoch": [1, 2, 3], "train_loss": [0.9, 0.7, 0.6], "validation_loss": [0.8, 0.5, 0.7]}


def marks(figure, marker):
    """Where lines of a figure are drawn with this marker only."""
    lines = [line for ax in figure.axes for line in ax.lines]
    return [
        tuple(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in lines
        if (line.get_marker(), line.get_linestyle()) == (marker, "None")
    ]


def labels(legend):
    return [text.get_text() for text in legend.get_texts()]


def retrained(**told):
    """Both arms with one seed and the same curves."""
    ordered = [order((-1, arm, 0), 3, configuration=(DEFAULT, OTHER)[arm]) for arm in (0, 1)]
    ended = [news((-1, arm, 0), 3, 0.5, curves=CURVES, **told) for arm in (0, 1)]
    return arms(run(*((1, each) for each in ordered), *((2, each) for each in ended)))


def test_a_star_marks_the_weights_that_were_kept():
    figure = figures_comparison.loss_curves(retrained(best_epoch=2))
    assert marks(figure, "*") == [((2, 0.5),)] * 2
    assert "weights kept" in labels(figure.axes[0].get_legend())


@pytest.mark.parametrize("told", [{}, {"best_epoch": 0}, {"best_epoch": 4}])
def test_there_is_no_star_without_an_epoch_for_it(told):
    figure = figures_comparison.loss_curves(retrained(**told))
    assert marks(figure, "*") == []
    assert "weights kept" not in labels(figure.axes[0].get_legend())


def searched(stopped):
    """Two trials on two budgets; the second ends early."""
    timed = []
    for number, told in enumerate((None, stopped)):
        its = {"curves": CURVES, "stopped": told}
        timed += [(1, order((0, 0, number), 3)), (2, news((0, 0, number), 3, 0.7 + number, **its))]
    return run(*timed)


def test_a_diamond_marks_what_collapsed():
    its = searched("collapsed")
    assert marks(figures_search.learning_curves(its), "D") == [((3, 0.7),)]
    assert marks(figures_search.rungs(its), "D") == [((3.0, 1.7),)]
    assert "ended early: collapsed" in labels(figures_search.rungs(its).legends[0])


def test_there_is_no_diamond_if_nothing_collapsed():
    its = searched("diverged")
    assert marks(figures_search.learning_curves(its), "D") == []
    assert marks(figures_search.rungs(its), "D") == []
    assert "ended early: collapsed" not in labels(figures_search.rungs(its).legends[0])


@pytest.mark.parametrize(
    ("configuration", "told", "found"),
    [
        ({"batch_size": 8}, {"micro_batch": 8}, None),
        ({"batch_size": 8}, {"micro_batch": 2}, (8, 2, "an unnamed device", False)),
        (
            {"batch_size": 8},
            {"micro_batch": 4, "device": "TPU", "micro_batches": {"TPU | unet": 4}},
            (8, 4, "TPU", True),
        ),
        ({}, {"micro_batch": 4}, None),
        ({}, {"micro_batch": 4, "micro_batches": {"a": 4}}, (None, 4, "an unnamed device", True)),
        ({"batch_size": 8}, {}, None),
    ],
)
def test_what_was_trained_in_micro_batches(configuration, told, found):
    ordered = order((-2, 0, 0), 1, configuration=configuration)
    short = accounts.shortages(run((1, ordered), (2, news((-2, 0, 0), 1, 0.5, **told))))
    told_of = [(each.batch, each.micro_batch, each.device, each.here) for each in short]
    assert told_of == ([] if found is None else [found])


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
