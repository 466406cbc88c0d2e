"""Layouts of public data sets and labelling tools, from the folder to parts that can be trained."""

from collections import Counter
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from helpers import lookalikes

from bohb_seg.data import cache
from bohb_seg.data.preparation import find, prepare, reading_of
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings
from bohb_seg.trials import IGNORE


@dataclass(frozen=True)
class Wanted:
    """What must be found.

    Args:
        pair: Path of one mask by the path of its image.
        pairs: Number of pairs.
        kind: The split.
        groups: The groups.
        parts: Number of pairs in each published part.
        classes: Names of the classes; () if the layout carries none, so that they are drafted.
        left_out: Number of files that are left out, all told.
    """

    pair: tuple[str, str]
    pairs: int
    kind: str
    groups: tuple[str, ...]
    parts: dict[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    left_out: int = 0


WANTED = {
    "inria": Wanted(
        ("AerialImageDataset/train/images/austin1.tif", "AerialImageDataset/train/gt/austin1.tif"),
        6, "block", ("train",), left_out=2,
    ),
    "potsdam": Wanted(
        ("2_Ortho_RGB/top_potsdam_2_10_RGB.tif", "5_Labels_all/top_potsdam_2_10_label.tif"),
        4, "block", (".",), left_out=8,
    ),
    "vaihingen": Wanted(
        ("top/top_mosaic_09cm_area1.tif", "gts_for_participants/top_mosaic_09cm_area1.tif"),
        4, "block", (".",), left_out=4,
    ),
    "deepglobe": Wanted(
        ("train/119_sat.jpg", "train/119_mask.png"), 4, "block", ("train",), left_out=2,
        classes=("urban_land", "agriculture_land", "rangeland", "forest_land", "water",
                 "barren_land"),
    ),
    "landcover": Wanted(
        ("images/M-33-20-D-c-4-2.tif", "masks/M-33-20-D-c-4-2.tif"), 4, "block", (".",), left_out=3
    ),
    "landcover_tiles": Wanted(
        ("output/M-33-20-D-c-4-2_0.jpg", "output/M-33-20-D-c-4-2_0_m.png"), 6, "block", ("output",)
    ),
    "loveda": Wanted(
        ("Val/Urban/images_png/2.png", "Val/Urban/masks_png/2.png"), 12, "folders",
        ("Train/Rural", "Train/Urban", "Val/Rural", "Val/Urban"),
        {"train": 6, "validation": 6}, left_out=2,
    ),
    "uavid": Wanted(
        ("uavid_val/seq16/Images/000100.png", "uavid_val/seq16/Labels/000100.png"), 6, "folders",
        ("uavid_train/seq1", "uavid_train/seq2", "uavid_val/seq16"),
        {"train": 4, "validation": 2}, left_out=2,
    ),
    "openearthmap": Wanted(
        ("lima/images/lima_1.tif", "lima/labels/lima_1.tif"), 6, "folders",
        ("accra", "lima", "tokyo"), {"train": 2, "validation": 1},
    ),
    "massachusetts": Wanted(
        ("tiff/val/22678914_15.tiff", "tiff/val_labels/22678914_15.tif"), 6, "folders",
        ("tiff/test", "tiff/train", "tiff/val"), {"train": 3, "validation": 1, "test": 2},
    ),
    "chesapeake": Wanted(
        ("m_38071_ne_18_1_naip-new.tif", "m_38071_ne_18_1_lc.tif"), 3, "block", (".",)
    ),
    "dubai": Wanted(
        ("Tile 1/images/image_part_001.jpg", "Tile 1/masks/image_part_001.png"), 6, "group",
        ("Tile 1", "Tile 2", "Tile 3"),
        classes=("building", "land", "road", "vegetation", "water"),
    ),
    "roboflow": Wanted(
        (f"valid/img2_jpg.rf.{21:032x}.jpg", f"valid/img2_jpg.rf.{21:032x}_mask.png"), 12,
        "folders",
        tuple(f"{part}/img{n}" for part in ("test", "train", "valid") for n in range(3)),
        {"train": 6, "validation": 3, "test": 3},
        ("background", "building", "road", "water"),
    ),
    "cvat": Wanted(
        ("JPEGImages/ortho 3.jpg", "SegmentationClass/ortho 3.png"), 5, "block", (".",),
        classes=("background", "building", "water", "road"), left_out=5,
    ),
    "qgis": Wanted(("images/tile_0.tif", "masks/tile_0.tif"), 4, "block", (".",)),
    "mmseg": Wanted(
        ("img_dir/val/1.jpg", "ann_dir/val/1.png"), 9, "folders", ("test", "train", "val"),
        {"train": 3, "validation": 3, "test": 3},
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    """Settings for a folder in the layout of a name."""

    def written(name, **flags):
        root = tmp_path / name
        getattr(lookalikes, name)(root)
        return DataSettings(
            data=str(root), cache_dir=tmp_path / "cache", **{"patch_size": 16, **flags}
        )

    return written


@pytest.mark.parametrize("name", WANTED)
def test_a_layout_is_read_as_it_comes(place, name):
    settings, wanted = place(name), WANTED[name]
    found = find(settings)

    masks = {pair.name: pair.mask.relative_to(found.root).as_posix() for pair in found.pairs}
    assert masks[wanted.pair[0]] == wanted.pair[1]
    assert len(masks) == len(set(masks.values())) == wanted.pairs
    assert found.problems == ()
    assert tuple(sorted({pair.group for pair in found.pairs})) == wanted.groups
    assert Counter(found.parts.values()) == wanted.parts
    assert _counted(found.notes) == wanted.left_out
    if wanted.classes:
        assert found.code.classes.names == wanted.classes
    else:
        assert "has no class table: its" in " ".join(found.notes)


def _counted(notes):
    """Files that are left out, by the sentences about them."""
    return sum(int(note.split()[0]) for note in notes if " left out, " in note)


@pytest.mark.parametrize("name", WANTED)
def test_its_parts_can_be_trained_on(place, name):
    settings, wanted = place(name), WANTED[name]

    data = prepare(settings)

    assert data.composition.kind == wanted.kind
    assert all(len(part) for part in data.parts.values())
    for name, count in wanted.parts.items():  # no image of one published part is in another
        if name == "train":
            assert len(data.composition.parts[name].images) == count


@pytest.mark.parametrize("name", WANTED)
def test_its_pixels_are_those_that_were_drawn(place, name):
    settings = place(name)
    found = find(settings)
    reading = reading_of(settings, found.code)
    store = cache.open_or_build(settings.cache_dir, "drawn", found, reading).store
    meant = {}
    for number, pair in enumerate(found.pairs):
        bands, labels = store.window(number, 0, 0, lookalikes.EDGE, lookalikes.EDGE)
        drawn = lookalikes.DRAWN[pair.mask]
        for label in np.unique(drawn):
            (read,) = np.unique(labels[drawn == label])
            assert meant.setdefault(int(label), int(read)) == read
        if pair.image.suffix != ".jpg":
            wanted = cv2.imread(str(pair.image), cv2.IMREAD_UNCHANGED | cv2.IMREAD_COLOR)
            assert np.array_equal(bands, wanted[..., ::-1])
    known = [read for read in meant.values() if read != IGNORE]
    assert len(known) == len(set(known)) == len(found.code.classes.names)


def test_channels_in_files_of_their_own_are_one_sentence(place):
    with pytest.raises(DataError) as raised:
        find(place("nnunet"))

    assert str(raised.value) == (
        "several images show the same scene: 'Dataset001_A/imagesTr/{stem}_0000.png',"
        " 'Dataset001_A/imagesTr/{stem}_0001.png', 'Dataset001_A/imagesTr/{stem}_0002.png'; choose"
        " one with --images GLOB --masks GLOB, for example --images"
        " 'Dataset001_A/imagesTr/{stem}_0000.png' --masks 'Dataset001_A/labelsTr/{stem}.png'"
    )


def test_the_patterns_that_the_sentence_proposes_are_taken(place):
    images, masks = "Dataset001_A/imagesTr/{stem}_0000.png", "Dataset001_A/labelsTr/{stem}.png"

    found = find(place("nnunet", images=images, masks=masks))

    assert [pair.name for pair in found.pairs] == [
        images.format(stem=f"case_00{n}") for n in range(4)
    ]
    assert found.code.classes.names == ("background", "b", "r")


def test_cities_are_groups_by_an_expression(place):
    settings = place("inria", group_by=r"([a-z]+)\d+\.tif$")

    assert [pair.group for pair in find(settings).pairs] == [
        *("austin", "austin", "chicago", "chicago", "kitsap", "kitsap")
    ]
