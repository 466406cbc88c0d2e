import numpy as np
import pytest

from bohb_seg.data.looking.outlook import outlook


@pytest.mark.parametrize("split", ["group", "image", "patch"])
def test_pixels_of_each_class_in_each_part(tiles, split):
    known = outlook(tiles.settings(split=split))

    for name, part in known.data.parts.items():
        labels = part.read(np.arange(len(part)))[1]
        counts = np.bincount(labels.ravel(), minlength=256)[: len(known.data.classes.names)]
        if name != "train":  # which repeats the pixels of overlapping patches
            assert list(known.pixels[name]) == counts.tolist()
        assert len(known.places[name]) == len(part)


def test_what_was_decoded_is_known_though_it_is_refused(tiles):
    tiles.add(mask=np.full((40, 40, 3), 7, np.uint8))  # a tenth of all pixels

    known = outlook(tiles.settings())

    assert "are of no class" in str(known.refusal)
    assert known.problems == (str(known.refusal),)
    assert len(known.records) == 8
    assert known.places == known.pixels == {}


def test_parts_that_will_not_do_are_known_and_refused(folder):
    for name in "abcde":
        folder.add("a", name)
    folder.add("b")
    folder.add("c", mask=np.full((40, 40, 3), 0x9B, np.uint8))  # all of it is ignored

    known = outlook(folder.settings(split="group"))

    assert "part holds no labelled pixel" in str(known.refusal)
    assert known.data.parts.keys() == known.places.keys()


def test_groups_are_those_of_this_start(tiles):
    outlook(tiles.settings())  # the cache has other ones

    known = outlook(tiles.settings(group_by="[ab].png"))

    assert {record.group for record in known.records} == {"a.png", "b.png"}


def test_files_are_known_though_they_are_refused(tiles):
    (tiles.root / "Tile 1/images/a.png").write_bytes(b"")

    known = outlook(tiles.settings())

    assert known.problems == ("Tile 1/images/a.png cannot be read: the file is empty",)
    assert len(known.names) == 8
    assert not known.records


def test_nothing_is_known_of_a_folder_that_is_not_there(tmp_path, tiles):
    known = outlook(tiles.settings(data=str(tmp_path / "none")))

    assert known.names == []
    assert "is neither a folder nor" in str(known.refusal)
