import pytest

from bohb_seg.data.layout.groups import default_split, group_by, without_copies
from bohb_seg.errors import SettingsError


@pytest.mark.parametrize(
    ("expression", "groups"),
    [
        (r"([a-z]+)\d+\.tif$", ["austin", "austin", "kitsap"]),
        (r"[a-z]+(?=\d)", ["austin", "austin", "kitsap"]),
        (r"(images)/(.)", ["images/a", "images/a", "images/k"]),
    ],
)
def test_brackets_hold_the_group(expression, groups):
    paths = ["images/austin1.tif", "images/austin36.tif", "images/kitsap2.tif"]

    assert list(group_by(expression, paths).values()) == groups


@pytest.mark.parametrize(
    ("expression", "said"), [("(", "no regular expression"), ("austin", "1 of 2 images, but not b")]
)
def test_an_expression_that_does_not_group_is_refused(expression, said):
    with pytest.raises(SettingsError, match=said):
        group_by(expression, ["austin1.tif", "b.tif"])


def test_copies_of_one_image_are_a_group():
    paths = ["train/a_jpg.rf.0f3.jpg", "train/a_jpg.rf.9c1.jpg", "train/b_png.rf.9c1.jpg", "c.jpg"]

    assert without_copies(dict.fromkeys(paths, ".")) == dict(
        zip(paths, ["train/a", "train/a", "train/b", "."], strict=True)
    )


@pytest.mark.parametrize(
    ("groups", "has_official", "kind"),
    [("abc", True, "folders"), ("abcb", False, "group"), ("abab", False, "block")],
)
def test_the_split_that_suits_the_data_is_the_default(groups, has_official, kind):
    assert default_split(groups, has_official) == kind
