from helpers.figures import marks
from helpers.journals import ended

from bohb_seg.report.figures.learning_curves import learning_curves


def test_a_diamond_marks_what_collapsed():
    assert marks(learning_curves(ended("collapsed")), "D") == [((3, 0.7),)]


def test_there_is_no_diamond_if_nothing_collapsed():
    assert marks(learning_curves(ended("diverged")), "D") == []
