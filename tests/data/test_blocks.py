import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data.blocks import Scene, by_block
from bohb_seg.data.patches import grid
from bohb_seg.errors import DataError


def scene(height, width, size, pixels=None):
    return Scene(np.array(grid(height, width, size, crop=False).corners()), pixels)


def gap(corner, other, size):
    """Pixels between two patches; negative where they overlap."""
    return max(abs(corner - other)) - size


def check(scenes, size, margin):
    blocks = by_block(scenes, size, margin)
    parts = [blocks.split.train, blocks.split.validation, blocks.split.test]
    total = sum(map(len, scenes))
    assert sorted(np.concatenate([*parts, blocks.margin])) == list(range(total))
    first = 0
    for each in scenes:
        inside = [part[(part >= first) & (part < first + len(each))] - first for part in parts]
        for number, here in enumerate(inside):
            for there in inside[number + 1 :]:
                for corner in each.corners[here]:
                    for other in each.corners[there]:
                        assert gap(corner, other, size) >= margin
        first += len(each)
    return blocks


sizes = st.lists(st.tuples(st.integers(8, 80), st.integers(8, 80)), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(0, 20))
def test_patches_of_different_parts_are_never_closer_than_the_margin(edges, margin):
    scenes = [scene(height, width, 8) for height, width in edges]
    try:
        check(scenes, 8, margin)
    except DataError as error:
        assert "blocks" in str(error)  # noqa: PT017 - too small an image may be refused


def test_one_large_image_is_split_in_the_wanted_shares():
    blocks = check([scene(240, 160, 8)], 8, 8)

    parts = [len(part) for part in (blocks.split.train, blocks.split.validation, blocks.split.test)]
    assert np.array(parts) / sum(parts) == pytest.approx([0.7, 0.15, 0.15], abs=0.03)
    assert len(blocks.margin) == 40


def test_classes_are_in_every_part_if_a_cut_can_do_that():
    # The second class lies in a column at the left: strips across the rows hold it, others do not.
    corners = np.array(grid(160, 160, 8, crop=False).corners())
    left = (corners[:, 1] < 16)[:, None]
    pixels = np.hstack([64 * ~left, 64 * left])

    split = check([Scene(corners, pixels)], 8, 8).split

    for part in (split.train, split.validation, split.test):
        assert (pixels[part].sum(axis=0) > 0).all()


def test_images_of_one_patch_are_dealt_out_whole():
    split = check([scene(8, 8, 8)] * 10, 8, 8).split

    assert [len(split.train), len(split.validation), len(split.test)] == [7, 2, 1]


def test_the_same_scenes_give_the_same_blocks():
    scenes = [scene(200, 90, 8), scene(64, 300, 8)]

    first, second = by_block(scenes, 8, 4), by_block(scenes, 8, 4)

    assert all(
        np.array_equal(getattr(first.split, part), getattr(second.split, part))
        for part in ("train", "validation", "test")
    )


def test_an_image_that_holds_no_three_blocks_is_refused():
    with pytest.raises(DataError, match="smaller --patch-size"):
        by_block([scene(16, 16, 8)], 8, 8)
