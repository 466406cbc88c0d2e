from helpers.figures import labels, marks
from helpers.journals import ended

from bohb_seg.report.figures.rungs import rungs


def test_a_diamond_marks_what_collapsed():
    figure = rungs(ended("collapsed"))
    assert marks(figure, "D") == [((3.0, 1.7),)]
    assert "ended early: collapsed" in labels(figure.legends[0])


def test_there_is_no_diamond_if_nothing_collapsed():
    figure = rungs(ended("diverged"))
    assert marks(figure, "D") == []
    assert "ended early: collapsed" not in labels(figure.legends[0])
