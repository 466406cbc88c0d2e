"""Groups and parts of data folders as they come, and parts that lack something."""

import unicodedata

import numpy as np
import pytest

from bohb_seg.data.composition import judge
from bohb_seg.data.preparation import find, prepare
from bohb_seg.errors import DataError, SettingsError

IGNORED = len(("building", "land", "road", "vegetation", "water"))
"""Number of the entry of the table that is ignored."""


def two_classes(shape=(40, 40)):
    labels = np.zeros(shape, int)
    labels[:, ::2] = 1
    return labels


def fill(folder, *groups, rare=(), empty=()):
    """Two images of two classes in each group; some have a third class, some no labels."""
    for group in groups:
        for name in "ab":
            labels = two_classes()
            if group in rare:
                labels[:8, :8] = 2
            if group in empty:
                labels[:] = IGNORED
            folder.add(group, name, labels=labels)


def refused(data, preset="default"):
    with pytest.raises(DataError) as raised:
        judge(data.composition, preset)
    return str(raised.value)


def images(data, part):
    return {name.split("/")[0] for name in data.composition.parts[part].images}


def test_folders_of_parts_are_not_dealt_out_anew(folder):
    fill(folder, "train", "val", "test")

    data = prepare(folder.settings())

    assert data.composition.kind == data.summary()["split"] == "folders"
    assert [images(data, part) for part in data.parts] == [{"train"}, {"val"}, {"test"}]


@pytest.mark.parametrize(
    ("given", "kept", "sentence"),
    [
        ("train val", {"train": {"train"}, "validation": {"val"}, "test": {"val"}}, "no test part"),
        ("train test", {"train": {"train"}, "test": {"test"}}, "no validation part"),
    ],
)
def test_a_part_that_was_not_published_is_made_up(folder, given, kept, sentence):
    fill(folder, *given.split())

    data = prepare(folder.settings())

    assert data.composition.kind == "folders"
    assert {part: images(data, part) for part in kept} == kept
    assert all(len(part) for part in data.parts.values())
    assert sentence in " ".join(data.audit.warnings)


def test_links_are_followed(folder, tmp_path):
    fill(folder, "a", "b", "c")
    for part in ("images", "masks"):
        (folder.root / "a" / part).rename(tmp_path / part)
        (folder.root / "a" / part).symlink_to(tmp_path / part)
    (folder.root / "c").rename(tmp_path / "c")
    (folder.root / "c").symlink_to(tmp_path / "c")
    (folder.root / "b" / "loop").symlink_to(folder.root)

    data = prepare(folder.settings())

    assert data.audit.images == 6
    assert data.audit.groups == 3
    (warning,) = data.audit.warnings[-1:]
    assert warning == "1 left out, a link to a folder that it lies in: b/loop"


def test_names_in_two_unicode_forms_are_one_name(folder):
    fill(folder, "a", "b", "c")
    for part, form in (("images", "NFC"), ("masks", "NFD")):
        place = folder.root / "a" / part
        (place / "a.png").rename(place / unicodedata.normalize(form, "café.png"))

    assert prepare(folder.settings()).audit.images == 6


def test_groups_follow_an_expression_whatever_the_cache_knows(folder):
    for name in ("austin1", "austin2", "kitsap1", "vienna1"):
        folder.add(".", name, labels=two_classes())
    before = prepare(folder.settings())

    data = prepare(folder.settings(group_by=r"([a-z]+)\d\.png$"))

    assert (before.composition.kind, data.composition.kind) == ("block", "group")
    assert before.fingerprint == data.fingerprint
    assert sorted(part.groups[0] for part in data.composition.parts.values()) == [
        *("austin", "kitsap", "vienna")
    ]
    assert data.audit.groups == 3


def test_an_expression_that_misses_images_is_one_sentence(folder):
    fill(folder, "a", "b")

    with pytest.raises(SettingsError, match="matches 2 of 4 images, but not b/images/a"):
        find(folder.settings(group_by="^a/"))


def test_a_part_without_labels_is_one_sentence(folder):
    fill(folder, "a", "b", "c", empty=("b",))

    data = prepare(folder.settings())

    assert refused(data).endswith(
        " part holds no labelled pixel; label more, or use another --split, or other groups by"
        " --group-by"
    )
    empty = [part.groups for part in data.composition.parts.values() if not any(part.pixels)]
    assert empty == [("b",)]


def test_a_group_without_labels_is_none_where_others_are_enough(folder):
    fill(folder, "a", "b", "c", "d", empty=("b",))

    assert all(any(part.pixels) for part in prepare(folder.settings()).composition.parts.values())


def test_a_part_without_a_class_is_one_sentence(folder):
    fill(folder, "a", "b", "c", "d", rare=("a", "b"))

    data = prepare(folder.settings())

    assert refused(data).endswith(
        " part holds no pixel of the class road; use --split image, or give the class ignore: true"
        " in its table"
    )
    judge(data.composition, "milestone3")
    for other in ("image", "block"):
        assert prepare(folder.settings(split=other)).composition.missing() == {}


def test_a_class_that_no_split_can_give_to_all_parts_is_told(folder):
    fill(folder, "a", "b", "c", "d", rare=("a",))

    data = prepare(folder.settings())

    judge(data.composition, "default")
    assert sum("holds no pixel of the class road" in said for said in data.audit.warnings) >= 1


@pytest.mark.parametrize("empty", [(), ("test",)])
def test_a_published_part_may_lack_a_class_but_not_labels(folder, empty):
    fill(folder, "train", "val", "test", rare=("train", "val"), empty=empty)

    data = prepare(folder.settings())

    if empty:
        assert "the test part holds no labelled pixel; label more" in refused(data)
    else:
        judge(data.composition, "default")
        assert data.audit.warnings[-1] == "the test part holds no pixel of the class road"


def test_one_class_beside_what_is_ignored_is_legal(folder):
    folder.root.mkdir()
    (folder.root / "classes.yaml").write_text(
        "- {name: roof, index: 1}\n- {name: rest, index: 0, ignore: true}\n"
    )
    for group in "abc":
        folder.add(group, mask=two_classes().astype(np.uint8))

    data = prepare(folder.settings())

    assert data.classes.names == ("roof",)
    assert data.audit.ignored_share == pytest.approx(0.5)
    assert data.audit.warnings == (
        "there is only the class roof: whatever is predicted is right, unless what is ignored"
        " beside it becomes a class",
    )


def test_one_class_gets_a_background(folder):
    folder.root.mkdir()
    (folder.root / "classes.yaml").write_text("- {name: roof, index: 1}\n")
    for group in "abc":
        folder.add(group, mask=two_classes().astype(np.uint8))

    data = prepare(folder.settings())

    assert data.classes.names == ("background", "roof")
    assert data.audit.frequencies["roof"] == pytest.approx(0.5)
