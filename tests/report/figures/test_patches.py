import numpy as np
import pytest
from helpers.figures import overlapping

from bohb_seg.report.analysis.patches import Patches, RatedPatch
from bohb_seg.report.figures.patches import coloured, sheet


def test_maps_are_drawn_in_class_colours_and_ignored_pixels_white():
    drawn = coloured(np.array([[0, 255]], np.uint8), ((10, 20, 30),), 16)
    assert drawn.shape == (16, 16, 3)
    assert drawn[0, 0].tolist() == [10, 20, 30]
    assert (drawn[:, 8:] == 255).all()


def test_classes_of_equal_brightness_differ_by_their_patterns():
    drawn = [coloured(np.full((1, 1), k, np.uint8), ((90, 90, 90),) * 8, 32) for k in range(8)]
    assert len({each.tobytes() for each in drawn}) == 8


@pytest.mark.parametrize("arms", [("default",), ("default", "incumbent")])
@pytest.mark.parametrize("classes", [1, 5, 8, 13])
def test_nothing_on_a_sheet_overlaps(arms, classes):
    maps = np.zeros((1, 8, 8), np.uint8)
    patches = Patches(
        images=np.zeros((1, 8, 8, 3), np.uint8),
        labels=maps,
        sources=("Tile 1/images/image_part_001.jpg@1024,0",),
        class_names=tuple(f"{k} impervious surface with many letters" for k in range(classes)),
        class_colours=((90, 90, 90),) * classes,
        predictions=dict.fromkeys(arms, maps),
    )
    figure = sheet(patches, [RatedPatch(0, patches.sources[0], 0.25, dict.fromkeys(arms, 1.0))])
    assert overlapping(figure, figure.texts) == []
    assert len(figure.axes) == 2 + len(arms)
    assert len(figure.images) == classes + 1, "swatches"
