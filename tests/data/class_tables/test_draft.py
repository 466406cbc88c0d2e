"""Drafted class tables: they can be used as they are, and overwrite nothing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bohb_seg.data.class_tables import draft
from bohb_seg.data.class_tables.finder import find_tables
from bohb_seg.data.class_tables.fit import share_named
from bohb_seg.data.classes import MAX_CLASSES
from bohb_seg.errors import DataError

COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)


def save(folder, mask, name="a.png"):
    written = mask[..., ::-1] if mask.ndim == 3 else mask
    assert cv2.imwrite(str(folder / name), written)
    return folder / name


@settings(max_examples=8, deadline=None)
@given(arrays.arrays(np.uint8, (6, 7), elements=st.integers(0, 5)), st.booleans())
def test_a_draft_names_every_pixel_of_its_masks(tmp_path_factory, numbers, in_colour):
    folder = tmp_path_factory.mktemp("masks")
    palette = np.arange(18, dtype=np.uint8).reshape(6, 3) * np.uint8(13)
    mask = save(folder, palette[numbers] if in_colour else numbers)

    text = draft.draft([draft._seen(mask)], 1)
    (folder / "classes.yaml").write_text(text)

    assert share_named(find_tables(folder).found[0].entries, [mask.read_bytes()]) == 1


def test_a_draft_has_shares_and_what_is_no_data(tmp_path):
    values = np.array([[0, 1, 1, -9999]], np.float32)

    table, picture = draft.write([save(tmp_path, values, "a.tif")], tmp_path)

    assert table.read_text() == (
        "# Drafted from 1 of 1 masks: give each class its name, and what does\n"
        "# not count ignore: true. classes.png shows them.\n"
        "- {name: class_0, index: 0}  # 25.00% of the pixels\n"
        "- {name: class_1, index: 1}  # 50.00% of the pixels\n"
        "# Transparent or no data, ignored in any case: 25.00%\n"
    )
    assert cv2.imread(str(picture)).shape[2] == 3


@pytest.mark.parametrize("values", [[0, 255], [0, 1, 255]])
def test_255_is_ignored_where_there_are_two_others(tmp_path, values):
    mask = save(tmp_path, np.array([values], np.uint8))

    text = draft.draft([draft._seen(mask)], 1)

    assert ("ignore: true}" in text) == (len(values) == 3)


@pytest.mark.parametrize("grey", [True, False])
def test_smeared_masks_have_the_classes_that_were_drawn(tmp_path, grey):
    labels = np.kron(np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]]), np.ones((40, 40), np.uint8))
    drawn = np.minimum(labels, 1).astype(np.uint8) * np.uint8(255) if grey else COLOURS[labels]

    text = draft.draft([draft._seen(save(tmp_path, drawn, "a.jpg"))], 1)

    assert text.count("- {name") == (2 if grey else 3)


def test_colours_that_are_off_by_little_are_no_classes_of_their_own(tmp_path):
    mask = COLOURS[np.array([[1, 1, 1, 2, 2]])]
    mask[0, 0] = (252, 3, 0)

    text = draft.draft([draft._seen(save(tmp_path, mask))], 1)

    assert text.splitlines()[2:] == [
        '- {name: colour_0000FF, colour: "#0000FF"}  # 40.00% of the pixels',
        '- {name: colour_FF0000, colour: "#FF0000"}  # 60.00% of the pixels',
    ]


@pytest.mark.parametrize("name", ["classes.yaml", "classes.png"])
def test_nothing_is_overwritten(tmp_path, name):
    mask = save(tmp_path, np.array([[0, 1]], np.uint8))
    (tmp_path / name).write_text("mine")

    with pytest.raises(DataError, match=f"{name} exists already"):
        draft.write([mask], tmp_path)

    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["a.png", name])
    assert (tmp_path / name).read_text() == "mine"


def test_photographs_are_no_masks(tmp_path):
    values = np.arange(MAX_CLASSES + 1, dtype=np.uint16)[None]

    with pytest.raises(DataError, match="the masks hold 255 different values"):
        draft.write([save(tmp_path, values)], tmp_path)

    assert not (tmp_path / "classes.yaml").exists()


def test_photographs_in_colour_are_no_masks_either(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)

    with pytest.raises(DataError, match=r"the masks hold 9[0-9]{3} different values"):
        draft.write([save(tmp_path, noise)], tmp_path)


def test_a_file_that_is_no_mask_is_named(tmp_path):
    (tmp_path / "a.png").write_text("text")

    with pytest.raises(DataError, match=r"a\.png is no mask of classes: the file is not an image"):
        draft.write([tmp_path / "a.png"], tmp_path)
