from types import SimpleNamespace

import numpy as np
import pytest

from bohb_seg.commands.looking import atlas
from bohb_seg.data.looking.outlook import Outlook, outlook


def drawn(known):
    return [cell for group in atlas.groups(known) for cell in group.cells]


@pytest.mark.parametrize("split", ["group", "block", "patch"])
def test_every_patch_lies_in_its_part(tiles, split):
    tiles.add("Tile 1", "wide", (40, 90))
    known = outlook(tiles.settings(split=split))

    cells = {cell.image: cell for cell in drawn(known)}

    assert len(cells) == 9
    for part, places in known.places.items():
        for image, row, column in places.tolist():
            cell = cells[image]
            height, width = known.records[image].size
            x, y = (column + 1) * cell.width / width, (row + 1) * cell.height / height
            there = [
                area.part
                for area in cell.areas
                if 0 <= x - area.left <= area.width and 0 <= y - area.top <= area.height
            ]
            assert part in there
            if split != "patch":
                assert set(there) == {part}


def test_strips_lie_where_they_are():
    """As ``--split block`` deals them: left train, right validation, a margin between."""
    known = SimpleNamespace(
        data=True,
        settings=SimpleNamespace(patch_size=100),
        records=[SimpleNamespace(size=(200, 560), name="a", group="")],
        names=["a"],
        places={
            "train": np.array([(0, 0, 0), (0, 100, 0), (0, 0, 100), (0, 100, 100)]),
            "validation": np.array([(0, 0, 460), (0, 100, 460)]),
        },
    )
    known.boxes = {part: Outlook._boxes(known, places) for part, places in known.places.items()}

    (cell,) = drawn(known)

    assert (cell.width, cell.height, cell.parts) == (560, 200, "train, validation")
    assert [(area.part, area.left, area.width, area.height) for area in cell.areas] == [
        ("train", 0, 200, 200),
        ("validation", 460, 100, 200),
    ]


def test_images_are_small_where_they_are_many(monkeypatch, tiles):
    known = outlook(tiles.settings())
    monkeypatch.setattr(atlas, "EDGES", ((7, 190),))
    monkeypatch.setattr(atlas, "MOST_CELLS", 5)

    groups = atlas.groups(known)

    assert [len(group.cells) for group in groups] == [2, 2, 1, 0]
    assert [group.images for group in groups] == [2, 2, 2, 2]
    assert max(cell.width for cell in groups[0].cells) == atlas.SMALLEST_EDGE
