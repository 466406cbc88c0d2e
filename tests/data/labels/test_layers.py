import numpy as np
import pytest
from PIL import Image

from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.labels import layers, mask_file
from bohb_seg.data.labels.layers import Layers
from bohb_seg.data.labels.names import entries_for_names
from bohb_seg.data.masks import mask_code
from bohb_seg.trials import IGNORE

FACTS = Facts(30, 40, 3, ("",) * 3, "uint8")
CODE = mask_code(entries_for_names(("background", "road", "tree")), "default")


def area(top, left, bottom, right):
    pixels = np.zeros((30, 40), np.uint8)
    pixels[top:bottom, left:right] = 255
    return pixels


def sources(tmp_path, **by_name):
    masks = []
    for name, images in by_name.items():
        paths = tuple(tmp_path / f"{name}{n}.png" for n in range(len(images)))
        for path, image in zip(paths, images, strict=True):
            image.save(path)
        masks.append((name, paths))
    return Layers(tuple(masks))


@pytest.mark.parametrize("whole", [0, 1 << 24])
def test_later_classes_lie_over_earlier_ones(tmp_path, monkeypatch, whole):
    if not whole and not geotiff.available():
        pytest.skip("rasterio is not installed: pip install 'bohb-seg[geo]'")
    monkeypatch.setattr(mask_file, "WHOLE", whole)
    monkeypatch.setattr(layers, "_AT_ONCE", 130)
    clear = np.dstack([area(0, 0, 30, 40), area(20, 30, 30, 40)])
    masks = sources(
        tmp_path,
        road=[Image.fromarray(area(0, 0, 10, 10)), Image.fromarray(area(5, 5, 15, 20) > 0)],
        tree=[Image.fromarray(clear, "LA")],
        car=[Image.fromarray(np.dstack([area(0, 38, 2, 40)] * 3))],
    )

    with masks.open(FACTS, CODE) as labels:
        found = np.concatenate([labels.rows(0, 13), labels.rows(13, 17)])

    expected = np.zeros((30, 40), np.uint8)
    expected[:10, :10] = expected[5:15, 5:20] = 1
    expected[20:, 30:] = 2
    expected[:2, 38:] = IGNORE
    assert np.array_equal(found, expected)
    assert labels.finding.unknown == {"car": 4}
    assert labels.finding.notes == ()


def test_what_two_classes_claim_is_told(tmp_path):
    masks = sources(
        tmp_path,
        road=[Image.fromarray(area(0, 0, 10, 10))],
        tree=[Image.fromarray(area(5, 5, 15, 15))],
    )

    with masks.open(FACTS, CODE) as labels:
        assert (labels.rows(0, 30) == 2).sum() == 100

    assert labels.finding.notes == (
        "holds different classes for the same 25 pixels; the later one counts",
    )


def test_masks_of_another_size_are_refused(tmp_path):
    masks = sources(tmp_path, road=[Image.fromarray(np.zeros((5, 6), np.uint8))])

    with pytest.raises(ValueError, match=r"road0\.png is 6x5 pixels, not 40x30 as the image"):
        masks.open(FACTS, CODE)
