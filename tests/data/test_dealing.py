"""Which rule deals the patches out, and published splits that lack a part."""

import numpy as np
import pytest
from helpers.stores import record

from bohb_seg.data.dealing import deal
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings

SIZE = 16


def places(images, rows=4, columns=2):
    """Patches of equal images, without overlap."""
    return np.array(
        [
            (image, SIZE * row, SIZE * column)
            for image in range(images)
            for row in range(rows)
            for column in range(columns)
        ]
    )


def records(groups):
    return [
        record(f"{group}/{number}.png", group, (64, 32), (9, 9, 0))
        for number, group in enumerate(groups)
    ]


def dealt(groups, parts=(), pixels=None, rows=4, **flags):
    """Deals images of some groups, of which the first are in published parts."""
    images = records(groups)
    named = {image.name: part for image, part in zip(images, parts, strict=False) if part}
    settings = DataSettings(patch_size=SIZE, **flags)
    return deal(images, places(len(images), rows), settings, named, pixels)


def images_of(found, rows=4):
    """Numbers of the images in each part."""
    split = found.split
    owners = places(1 + max(map(max, (split.train, split.validation, split.test))), rows)[:, 0]
    return [
        sorted(set(owners[numbers].tolist()))
        for numbers in (split.train, split.validation, split.test)
    ]


def sizes(found):
    return [
        len(numbers) for numbers in (found.split.train, found.split.validation, found.split.test)
    ]


@pytest.mark.parametrize(
    ("groups", "parts", "kind"),
    [
        ("abc", ("train", "validation", "test"), "folders"),
        ("abc", (), "group"),
        ("a" * 30, (), "image"),
        ("a" * 29, (), "block"),
        ("ab", (), "block"),
    ],
)
def test_the_rule_that_suits_the_data_is_taken(groups, parts, kind):
    assert dealt(groups, parts).kind == kind


def test_a_published_split_is_kept(tmp_path):
    found = dealt("aaaa", ("test", "train", "train", "validation"))

    assert images_of(found) == [[1, 2], [3], [0]]
    assert found.notes == ()


def test_images_in_no_published_part_are_told_and_not_used():
    found = dealt("aaaaaaaa", ("train", "validation", "test"))

    assert images_of(found) == [[0], [1], [2]]
    assert found.notes == (
        "5 of 8 images are in no part of the published split and are not used:"
        " a/3.png, a/4.png, a/5.png, ...",
    )


def test_without_a_validation_part_some_of_train_validates_and_test_is_left_alone():
    found = dealt("abcdeff", (*["train"] * 5, "test", "test"))

    train, validation, test = images_of(found)
    assert sorted((*train, *validation)) == [0, 1, 2, 3, 4]
    assert len(validation) == 1
    assert test == [5, 6]
    assert found.notes == ("no validation part is published: a share of train validates",)


def test_without_a_test_part_half_of_validation_tests_and_train_is_whole():
    found = dealt("aaabcde", (*["train"] * 3, *["validation"] * 4))

    train, validation, test = images_of(found)
    assert train == [0, 1, 2]
    assert (len(validation), len(test)) == (2, 2)
    assert not set(validation) & set(test)
    assert found.notes == ("no test part is published: half of validation tests",)


def test_a_single_image_is_halved_with_a_margin():
    found = dealt("ab", ("train", "validation"), rows=5)

    assert images_of(found, 5) == [[0], [1], [1]]
    assert sizes(found) == [10, 4, 4]
    assert found.notes == (
        "no test part is published: half of validation tests",
        "2 of 10 patches lie between blocks of different parts and are not used",
    )


def test_if_validation_is_too_small_a_share_of_train_tests():
    found = dealt("aab", ("train", "train", "validation"), rows=1)

    train, validation, test = images_of(found, 1)
    assert validation == [2]
    assert sorted((*train, *test)) == [0, 1]
    assert found.notes == (
        "no test part is published, nor can validation be halved: a share of train tests",
    )


@pytest.mark.parametrize(("other", "lacking"), [("validation", "test"), ("test", "validation")])
def test_parts_too_small_to_be_divided_are_one_sentence(other, lacking):
    with pytest.raises(DataError) as raised:
        dealt("ab", ("train", other), rows=1)

    assert str(raised.value) == (
        f"no {lacking} part is published, and a share of train takes blocks that are 16 pixels"
        " apart, but 1 image of 2 patches does not hold so many; choose a smaller --patch-size, or"
        " --split patch"
    )


@pytest.mark.parametrize("parts", [(), ("train",) * 3, ("validation", "test", "test")])
def test_folders_without_a_train_part_and_another_are_one_sentence(parts):
    with pytest.raises(DataError, match="--split folders: no folders or lists name a train part"):
        dealt("aaa", parts, split="folders")


def test_a_part_of_another_name_is_one_sentence():
    with pytest.raises(DataError, match=r"a/0\.png is in the part 'dev'; the parts are train, val"):
        dealt("aa", ("dev", "train"))


def test_another_split_deals_the_published_parts_anew():
    found = dealt("aabbcc", ("train",) * 5 + ("test",), split="group")

    assert found.kind == "group"
    assert sorted(number for part in images_of(found) for number in part) == [0, 1, 2, 3, 4, 5]


def test_patches_between_blocks_are_in_no_part():
    found = dealt("a", rows=20)

    split = found.split
    used = np.concatenate([split.train, split.validation, split.test])
    assert len(set(used.tolist())) == len(used) == 40 - 4
    assert found.notes == (
        "4 of 40 patches lie between blocks of different parts and are not used",
    )


def test_blocks_balance_the_pixels_that_are_given():
    pixels = np.ones((40, 2), np.int64)
    pixels[1::2, 1] = 0  # the second class is in the left column only: no cut across it will do

    split = dealt("a", pixels=pixels, rows=20).split

    for part in (split.train, split.validation, split.test):
        assert (pixels[part].sum(axis=0) > 0).all()


def test_whole_images_are_dealt_out_where_that_does_as_well():
    found = dealt("a" * 20)

    assert [len(images) for images in images_of(found)] == [14, 3, 3]
    assert found.notes == ()
