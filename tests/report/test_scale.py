"""Long runs, many classes and many workers: what is drawn does not grow with them."""

import numpy as np
import pytest
from helpers.journals import CURVES, news, order, run
from matplotlib.collections import LineCollection, PolyCollection

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.hyperparameters import influences
from bohb_seg.report.figures.class_iou import MOST_CLASSES, class_iou
from bohb_seg.report.figures.confusion import MOST_NUMBERS, confusions
from bohb_seg.report.figures.hyperparameters import MOST_BARS, MOST_PANELS, hyperparameters, shares
from bohb_seg.report.figures.learning_curves import learning_curves
from bohb_seg.report.figures.rungs import rungs
from bohb_seg.report.figures.workers import timeline
from bohb_seg.report.sections import class_iou as iou_section
from bohb_seg.search.events import WorkersChanged


def searched(trials, told=CURVES):
    """A search of one bracket in which every third trial is promoted."""
    timed = [(1, WorkersChanged(joined=("a", "b")))]
    for number in range(trials):
        worker = "ab"[number % 2]
        for budget in (1, 3) if number % 3 == 0 else (1,):
            trial, time = (0, 0, number), 10 * number + budget
            timed.append((time, order(trial, budget, worker)))
            timed.append((time + 1, news(trial, budget, 1 + number / 100, worker, curves=told)))
    return run(*timed)


def artists(figure):
    """Number of things that the library is asked to draw."""
    return sum(len(ax.lines) + len(ax.collections) + len(ax.texts) for ax in figure.axes)


@pytest.mark.parametrize("draw", [learning_curves, rungs, timeline])
def test_a_picture_of_ten_times_as_many_evaluations_is_drawn_in_as_many_steps(draw):
    assert artists(draw(searched(9))) == artists(draw(searched(90)))


def test_every_trial_and_every_attempt_is_drawn():
    its = searched(30)
    (ways,) = [each for each in rungs(its).axes[0].collections if isinstance(each, LineCollection)]
    assert len(ways.get_segments()) == 10
    present, finished = timeline(its).axes[0].collections
    assert isinstance(finished, PolyCollection)
    assert (len(present.get_paths()), len(finished.get_paths())) == (2, 40)
    (curves,) = learning_curves(its).axes[0].collections
    assert len(curves.get_segments()) == 30 - 1, "all but the incumbent"


def many(classes):
    """A comparison with scores of so many classes, and the arms of it."""
    names = [f"class {number}" for number in range(classes)]
    timed = []
    for arm in (0, 1):
        scores = {"iou": dict.fromkeys(names, 0.5)}
        timed.append((1, order((-1, arm, 0), 9)))
        timed.append((2, news((-1, arm, 0), 9, 0.5, parts={"test": scores})))
    return run(*timed), names


def test_of_150_classes_the_most_frequent_have_a_bar_and_all_a_row():
    its, names = many(150)
    its.started.data["frequencies"] = {name: rank for rank, name in enumerate(names)}
    section = iou_section.section(its)
    assert section.sentences == (
        "The picture shows the 40 classes with the most pixels in the data; the tables have all"
        " 150.",
    )
    table, differences = section.tables
    assert len(differences.rows) == 150
    assert len(table.rows) == 150
    figure = class_iou(arms(its), "test", names[-MOST_CLASSES:])
    assert len(figure.axes[0].get_yticklabels()) == MOST_CLASSES
    assert figure.get_figheight() < 30


def test_of_many_classes_the_confusion_is_told_by_colours():
    counts = {arm: np.eye(150, dtype=np.int64) for arm in ("default", "incumbent")}
    figure = confusions(counts, [f"class {number}" for number in range(150)], "test")
    assert artists(figure) == 0
    assert figure.get_figheight() < 15
    few = {arm: its[:MOST_NUMBERS, :MOST_NUMBERS] for arm, its in counts.items()}
    figure = confusions(few, [f"{number}" for number in range(MOST_NUMBERS)], "test")
    assert artists(figure) == 2 * MOST_NUMBERS**2


def test_of_many_hyperparameters_those_with_the_largest_shares_are_drawn():
    random = np.random.default_rng(0)
    timed = []
    for number in range(12):
        own = {f"h{index}": float(random.random()) for index in range(60)}
        timed.append((1, order((0, 0, number), 1, configuration=own)))
        timed.append((2, news((0, 0, number), 1, own["h7"])))
    found = influences(run(*timed))
    assert len(found) == 60
    assert found[0].name == "h7"
    drawn = [ax for ax in hyperparameters(found, ()).axes if ax.get_visible()]
    assert len(drawn) == MOST_PANELS
    assert drawn[0].get_xlabel() == "h7"
    assert len(shares(found).axes[0].patches) == MOST_BARS
