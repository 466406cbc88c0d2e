"""Bad data is one sentence: what, where, what to do."""

import cv2
import numpy as np
import pytest

from bohb_seg.data.collection import Collection
from bohb_seg.data.preparation import prepare
from bohb_seg.data.records import UnusableDataError
from bohb_seg.datasets.folder import load
from bohb_seg.errors import DataError


def sentence(settings):
    with pytest.raises(DataError) as caught:
        prepare(settings)
    return str(caught.value)


def test_missing_path(folder):
    assert sentence(folder.settings(data="/no/such/folder")) == (
        "--data /no/such/folder is neither a folder nor a data set of this name;"
        " there are: synthetic"
    )


def test_no_images(folder):
    folder.root.mkdir()

    assert sentence(folder.settings()) == (f"{folder.root} holds no images that can be read")


def test_no_masks(tiles):
    for mask in tiles.root.rglob("masks/*.png"):
        mask.unlink()

    assert sentence(tiles.settings()) == (
        f"{tiles.root} holds 8 images and no masks; put a folder masks/ beside the images, or say"
        " --images GLOB --masks GLOB"
    )


def test_unpaired_files(tiles):
    (tiles.root / "Tile 2/masks/b.png").unlink()
    (tiles.root / "Tile 3/images/a.png").unlink()

    with pytest.raises(UnusableDataError) as caught:
        prepare(tiles.settings())

    assert caught.value.problems == (
        "Tile 2/images/b.png has no mask of the same name; add the mask or remove the image",
        "Tile 3/masks/a.png has no image of the same name; add the image or remove the mask",
    )
    assert str(caught.value) == (
        "Tile 2/images/b.png has no mask of the same name; add the mask or remove the image"
        " (1 more like this: bohb-data check lists them)"
    )


def test_unpaired_files_are_found_in_a_cached_data_set_too(tiles):
    prepare(tiles.settings())
    (tiles.root / "Tile 1/masks/new.png").write_bytes(b"")

    assert sentence(tiles.settings()) == (
        "Tile 1/masks/new.png has no image of the same name; add the image or remove the mask"
    )


def test_size_mismatch(tiles):
    cv2.imwrite(str(tiles.root / "Tile 1/masks/a.png"), np.zeros((40, 30, 3), np.uint8))

    assert sentence(tiles.settings()) == (
        "Tile 1/images/a.png is 40x40 pixels but its mask a.png is 30x40; they must be equal"
    )


def test_unreadable_image(tiles):
    (tiles.root / "Tile 1/images/a.png").write_bytes(b"no image")

    assert sentence(tiles.settings()) == (
        "Tile 1/images/a.png cannot be read: the file is not an image"
    )


def test_unreadable_mask(tiles):
    path = tiles.root / "Tile 1/masks/a.png"
    path.write_bytes(path.read_bytes()[:60])

    assert sentence(tiles.settings()) == (
        "Tile 1/images/a.png: its mask a.png cannot be read: the file is cut off"
    )


def test_unknown_colours(folder):
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        mask = np.empty((40, 40, 3), np.uint8)
        mask[:12], mask[12:26], mask[26:] = (1, 2, 3), (60, 16, 152), (132, 41, 246)
        folder.add(group, mask=mask)

    assert sentence(folder.settings()) == (
        "30.0% of the mask pixels are of no class (most of them #010203);"
        " name these values in classes.yaml, which bohb-data classes drafts, or name another table"
        " with --classes"
    )


def test_one_class_only(folder):
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        folder.add(group, labels=np.full((40, 40), 2))

    assert sentence(folder.settings()) == (
        "the masks hold only the class 'road' of building, land, road, vegetation, water;"
        " there is nothing to tell apart, unless another class table names more:"
        " bohb-data classes drafts one"
    )


def test_empty_split(folder):
    folder.add("Tile 1", "a")
    folder.add("Tile 1", "b")

    assert sentence(folder.settings(split="group")) == (
        "train, validation and test need three groups, but there is only 1 group;"
        " use --split image or block, --group-by, or sort the images into more folders"
    )
    assert sentence(folder.settings()) == (
        "a split into train, validation and test takes blocks that are 16 pixels apart, but 2"
        " images of 18 patches do not hold so many; choose a smaller --patch-size, or --split patch"
    )


def test_unwritable_cache(tiles, tmp_path):
    (tmp_path / "file").write_text("")

    assert sentence(tiles.settings(cache_dir=tmp_path / "file/below")) == (
        f"--cache-dir {tmp_path / 'file/below'} cannot be written (Not a directory);"
        " choose another or make room"
    )


EXAMPLE = 'write one entry a line like - {name: road, colour: "#6EC1E4"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[", f"class table {{}} is not YAML; {EXAMPLE}"),
        ("- {name: road}", f"class table {{}}, entry 1: class 'road' needs a colour or an index;"
         f" {EXAMPLE}"),
        (
            "- {name: a, index: 1}\n- {name: a, index: 2}",
            "class table {}: the name a occurs twice; drop one",
        ),
        (
            "- {name: a, index: 1, ignore: true}",
            "class table {} has 0 classes that are not ignored;"
            " between 1 and 254 can be told apart",
        ),
    ],
)  # fmt: skip
def test_class_tables(tiles, text, expected):
    path = tiles.root / "classes.yaml"
    path.write_text(text)

    assert sentence(tiles.settings()) == expected.replace("{}", str(path))


def test_a_missing_class_table(tiles, tmp_path):
    missing = tmp_path / "none.yaml"

    assert sentence(tiles.settings(classes=missing)) == (
        f"class table {missing} cannot be read: No such file or directory"
    )


def test_a_class_table_in_the_folder_is_used(folder):
    folder.root.mkdir()
    (folder.root / "classes.yaml").write_text(
        '- {name: roof, index: 0}\n- {name: field, index: 9, color: "#00FF00"}\n'
    )
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        folder.add(group, mask=np.tile(np.array([0, 9], np.uint8), (40, 20)))

    data = prepare(folder.settings())

    assert data.classes.names == ("roof", "field")
    assert data.classes.colours[1] == (0, 255, 0)


def test_twins_are_found_at_any_depth(folder):
    folder.add("a/b", "deep/x")
    folder.add(".", "y")

    found = load(folder.settings())

    assert isinstance(found, Collection)
    assert [(pair.name, pair.group) for pair in found.pairs] == [
        ("a/b/images/deep/x.png", "a/b/deep"),
        ("images/y.png", "."),
    ]
