import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.looking import sights
from bohb_seg.data.looking.outlook import outlook
from bohb_seg.data.looking.pictures import pictures
from bohb_seg.data.looking.remarks import Choice
from bohb_seg.data.looking.sights import Box, stored_sight
from bohb_seg.data.patch_sets import shown_bands


def all_of(known, edge=64, part=None):
    images = known.boxes[part] if part else range(len(known.names))
    return list(pictures(known, [Choice(image, (), False) for image in images], edge, part))


def test_a_picture_shows_the_pixels_of_its_part(tiles):
    known = outlook(tiles.settings())

    for part, patches in known.data.parts.items():
        shown = {picture.name: picture for picture in all_of(known, part=part)}
        images, _ = patches.read(np.arange(len(patches)))
        for patch, source in zip(images, patches.sources, strict=True):
            name, _, place = source.rpartition("@")
            row, column = map(int, place.split(","))
            found = shown[name].image[row : row + 16, column : column + 16]
            assert np.array_equal(found, patch)


def test_the_same_from_files_as_from_the_store(tiles):
    (tiles.root / "Tile 4/images/b.png").write_bytes(b"no image")
    tiles.add("Tile 1", "whole", (40, 57))
    from_files = all_of(outlook(tiles.settings()), edge=20)
    assert from_files[-1].image is None
    assert from_files[-1].words == ("cannot be shown: the file is not an image",)
    tiles.add("Tile 4", "b")

    from_store = all_of(outlook(tiles.settings()), edge=20)

    assert len(from_files) == len(from_store) == 9
    for one, other in zip(from_files[:-1], from_store, strict=False):
        assert max(one.image.shape) <= 20
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.labels, other.labels)


def test_an_image_is_shown_though_its_mask_is_none(tiles):
    (tiles.root / "Tile 1/masks/a.png").write_bytes(b"")
    tiles.add("Tile 1", "b", mask=np.zeros((8, 9, 3), np.uint8))

    first, second, *_ = all_of(outlook(tiles.settings()))

    assert first.image is not None
    assert (first.labels == 128).all()
    assert first.words == ("its mask a.png cannot be shown: the file is empty",)
    assert second.words == ("its mask b.png has another size (9x8)",)


def test_dark_files_of_many_bits_are_scaled_though_they_are_refused(tiles):
    file = tiles.root / "Tile 1/images/a.png"
    values = np.random.default_rng(0).integers(0, 2048, (40, 40, 3)).astype(np.uint16)
    assert cv2.imwrite(str(file), values)

    picture = all_of(outlook(tiles.settings()))[0]  # the others have 8 bits

    assert picture.image.min() == 0
    assert picture.image.max() == 255
    assert picture.image.std() > 60


class Whole:
    """A store of one image, which tells how many pixels were read at a time."""

    def __init__(self, values, labels):
        self.values, self.labels, self.most = values, labels, 0

    def window(self, image, row, column, height, width):
        self.most = max(self.most, height * width)
        place = slice(row, row + height), slice(column, column + width)
        return self.values[place], self.labels[place]


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(10, 900))
def test_an_image_is_read_by_strips(height, width, edge, most):
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = random.integers(0, 5, (height, width), dtype=np.uint8)
    store = Whole(values, labels)
    box = Box(0, 0, height, width)
    with pytest.MonkeyPatch.context() as patch:
        whole = stored_sight(store, 0, box, ("", "", ""), edge)
        store.most = 0
        patch.setattr(sights, "STRIP_PIXELS", most)

        found = stored_sight(store, 0, box, ("", "", ""), edge)

    assert store.most <= max(most, -(-max(height, width) // edge) * width)
    assert np.array_equal(found.values, whole.values)
    assert np.array_equal(found.labels, whole.labels)
    assert found.rgb(Scaling("uint8")).shape == (*found.labels.shape, 3)


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        (("red", "green", "blue"), (0, 1, 2)),
        (("Blue", "Green", "Red", "NIR"), (2, 1, 0)),
        (("", ""), (0, 1, 1)),
        (("grey",), (0, 0, 0)),
    ],
)
def test_bands_that_people_see(names, bands):
    assert shown_bands(names) == bands
