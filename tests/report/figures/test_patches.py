import numpy as np

from bohb_seg.report.figures.patches import coloured


def test_maps_are_drawn_in_class_colours_and_ignored_pixels_white():
    drawn = coloured(np.array([[0, 255]], np.uint8), ((10, 20, 30),), 16)
    assert drawn.shape == (16, 16, 3)
    assert drawn[0, 0].tolist() == [10, 20, 30]
    assert (drawn[:, 8:] == 255).all()


def test_classes_of_equal_brightness_differ_by_their_patterns():
    drawn = [coloured(np.full((1, 1), k, np.uint8), ((90, 90, 90),) * 8, 32) for k in range(8)]
    assert len({each.tobytes() for each in drawn}) == 8
