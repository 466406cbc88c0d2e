import base64
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from bohb_seg.data.imagery.annotations import _uncompressed, read_coco, read_labelme
from bohb_seg.data.imagery.shapes import burn as burn_shapes
from bohb_seg.errors import DataError

HEIGHT, WIDTH = 12, 17
WHOLE = (0, 0, HEIGHT, WIDTH)


def burn(drawing, values, place, background):
    return burn_shapes(drawing.shapes, values, place, background, unknown=255)


def written(path, plain):
    path.write_text(json.dumps(plain))
    return path


def coco(path, *segmentations):
    annotations = [
        {"id": n, "image_id": 5, "category_id": 2 + n % 2, "segmentation": each, "iscrowd": 0}
        for n, each in enumerate(segmentations)
    ]
    return written(path, {
        "images": [{"id": 5, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH},
                   {"id": 6, "file_name": "b.jpg", "height": 3, "width": 4}],
        "categories": [{"id": 2, "name": "car"}, {"id": 3, "name": "tree"}],
        "annotations": annotations,
    })  # fmt: skip


def runs(mask):
    flat = np.concatenate([[0], mask.T.ravel(), [0]]).astype(int)
    changes = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()
    return counts if counts[-1] else counts[:-1]


def as_text(counts):
    """COCO's own encoding, after rleToString in its maskApi.c."""
    text = ""
    for number, count in enumerate(counts):
        x = count - counts[number - 2] if number > 2 else count
        more = True
        while more:
            bits, x = x & 0x1F, x >> 5
            more = x != -1 if bits & 0x10 else x != 0
            text += chr((bits | 0x20 if more else bits) + 48)
    return text


def test_coco_polygons_boxes_and_images_without_any(tmp_path):
    square = [2, 3, 6, 3, 6, 9, 2, 9]

    found = read_coco(coco(tmp_path / "c.json", [square, [8, 0, 9, 0, 9, 1, 8, 1]], []))

    burnt = burn(found["a.jpg"], {"car": 4}, WHOLE, 0)
    assert (burnt.values == 4).sum() == 4 * 6 + 1
    assert (found["a.jpg"].left_out, found["a.jpg"].size) == (1, (HEIGHT, WIDTH))
    assert found["b.jpg"].shapes == ()


@settings(deadline=None, max_examples=40)
@given(arrays(np.bool_, (HEIGHT, WIDTH)))
def test_run_lengths_as_numbers_and_as_text(tmp_path_factory, mask):
    folder = tmp_path_factory.getbasetemp()
    for counts in (runs(mask), as_text(runs(mask))):
        path = coco(folder / "c.json", {"size": [HEIGHT, WIDTH], "counts": counts})

        burnt = burn(read_coco(path)["a.jpg"], {"car": 1}, WHOLE, 0)

        assert np.array_equal(burnt.values, mask)


def test_a_text_worked_out_by_hand():
    """100 is 4 and 3 times 32; the fourth number is stored as what it differs from the second."""
    assert list(_uncompressed("0T3X3F")) == [0, 100, 104, 90]


@pytest.mark.parametrize(
    "segmentation",
    [[[1, 2, 3]], {"size": [3, 4], "counts": [12]}, {"size": [HEIGHT, WIDTH], "counts": [1]},
     {"counts": []}, "text", [["a", "b"]], [[1, float("nan")]]],
    ids=str,
)  # fmt: skip
def test_broken_coco_is_refused_in_a_sentence(tmp_path, segmentation):
    with pytest.raises(DataError, match=r"c\.json is no valid COCO file"):
        read_coco(coco(tmp_path / "c.json", segmentation))


def labelme(path, *shapes):
    return written(path, {
        "shapes": shapes, "imagePath": "..\\photos\\a.jpg", "imageData": None,
        "imageHeight": HEIGHT, "imageWidth": WIDTH,
    })  # fmt: skip


def test_every_kind_of_labelme_shape(tmp_path):
    mask = np.array([[0, 255], [255, 255]], np.uint8)
    png = base64.b64encode(cv2.imencode(".png", mask)[1].tobytes()).decode()
    path = labelme(
        tmp_path / "a.json",
        {"label": "p", "points": [[0, 0], [3, 0], [3, 2], [0, 2]], "shape_type": "polygon"},
        {"label": "r", "points": [[9, 4], [5, 1]], "shape_type": "rectangle"},
        {"label": "c", "points": [[12, 7], [12, 10]], "shape_type": "circle"},
        {"label": "m", "points": [[1, 8], [2, 9]], "shape_type": "mask", "mask": png},
        {"label": "l", "points": [[1, 8], [2, 9]], "shape_type": "line"},
    )

    image, drawing = read_labelme(path)
    values = burn(drawing, dict(zip("prcm", (1, 2, 3, 4), strict=True)), WHOLE, 0).values

    assert (image, drawing.left_out, drawing.size) == ("a.jpg", 1, (HEIGHT, WIDTH))
    assert np.array_equal(values[8:10, 1:3], mask // 255 * 4)
    assert [(values == n).sum() for n in (1, 2, 4)] == [6, 12, 3]
    assert abs((values == 3).sum() - np.pi * 9) < 4


@pytest.mark.parametrize(
    "shape",
    [{}, {"label": "a", "points": []}, {"label": "a", "points": [[1, 2, 3]]},
     {"label": "a", "points": [[0, 0]], "shape_type": "circle"}, 7],
    ids=str,
)  # fmt: skip
def test_broken_labelme_is_refused_in_a_sentence(tmp_path, shape):
    with pytest.raises(DataError, match=r"a\.json is no valid Labelme file"):
        read_labelme(labelme(tmp_path / "a.json", shape))


@pytest.mark.parametrize("content", ["", "[" * 100_000, "[]", "{}", "null"])
def test_other_json_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "a.json").write_text(content)

    for read in (read_coco, read_labelme):
        with pytest.raises(DataError, match=r"a\.json is no"):
            read(tmp_path / "a.json")
