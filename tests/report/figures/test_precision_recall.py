import numpy as np
import pytest
from helpers.figures import overlapping

from bohb_seg.report.analysis.precision_recall import class_curves
from bohb_seg.report.figures.precision_recall import precision_recall


def curves(names):
    """Curves of classes; the last one has no pixel."""
    positive = np.tile(np.arange(8), (len(names), 1))
    positive[-1] = 0
    return class_curves(names, positive, positive[:, ::-1])


@pytest.mark.parametrize("count", [1, 4, 7])
def test_the_numbers_of_one_class_leave_room_for_those_of_the_next(count):
    names = [f"class {number}" for number in range(count)]
    figure = precision_recall(dict.fromkeys(("default", "incumbent"), curves(names)), "test")
    assert overlapping(figure, [text for ax in figure.axes for text in ax.texts]) == []


def test_every_column_has_numbers_on_its_axis():
    names = [f"class {number}" for number in range(5)]
    figure = precision_recall({"default": curves(names)}, "test")
    shown = [ax for ax in figure.axes if ax.get_visible()]
    labelled = [ax.xaxis.get_tick_params()["labelbottom"] for ax in shown]
    assert labelled == [False, False, True, True, True, True]
