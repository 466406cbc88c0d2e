"""Other splits of the same data: rotations of the runoff, folds of the comparison."""

import dataclasses

import numpy as np
import pytest
from helpers.stores import record
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data import other_splits, split
from bohb_seg.data.dealing import Patches, deal
from bohb_seg.data.other_splits import OtherSplits
from bohb_seg.data.preparation import prepare
from bohb_seg.data.redealing import Redealing
from bohb_seg.errors import SettingsError
from bohb_seg.settings import DataSettings
from bohb_seg.trials import FOLDS_BRACKET, RUNOFF_BRACKET

SIZE = 16


@pytest.fixture(autouse=True, scope="module")
def _few_arrangements():
    """The best of many is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "CANDIDATES", 40)
        yield


def redealing(groups, parts=(), draws_anywhere=False, rows=4, **flags):
    """Of images of these groups with two columns of patches; the first lie in published parts."""
    records = [
        record(f"{group}/{number}.png", group, (16 * rows, 32), (9, 9, 0))
        for number, group in enumerate(groups)
    ]
    places = np.array(
        [
            (image, SIZE * row, SIZE * column)
            for image in range(len(records))
            for row in range(rows)
            for column in range(2)
        ]
    )
    pixels = np.full((len(places), 2), 128)
    named = {each.name: name for each, name in zip(records, parts, strict=False)}
    found = deal(records, places, DataSettings(patch_size=SIZE, **flags), named, pixels)
    return Redealing(Patches(records, places, SIZE, pixels), found, draws_anywhere)


def groups_of(made, numbers):
    return made._names("group", numbers)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from("abcdefghij"), min_size=6, max_size=14, unique=True))
def test_each_rotation_validates_by_other_groups_and_never_by_those_that_test(groups):
    made = redealing(groups)
    split, rotations = made.dealt.split, made.rotations
    both = {*split.train.tolist(), *split.validation.tolist()}
    validating = [groups_of(made, split.validation)]
    for each in rotations:
        assert {*each.train.tolist(), *each.validation.tolist()} == both
        assert not set(each.train.tolist()) & set(each.validation.tolist())
        assert not groups_of(made, each.train) & groups_of(made, each.validation)
        assert not len(each.test)
        validating.append(groups_of(made, each.validation))
    assert len(validating) > 2
    assert sum(map(len, validating)) == len(set().union(*validating))
    turns = [made.rotation(seed) for seed in range(2 * len(validating))]
    assert turns == [*range(len(rotations)), None] * 2


@pytest.mark.parametrize(
    ("groups", "flags"),
    [
        ("abc", {}),  # one group trains
        ("aabbccdd", {"split": "patch"}),
        ("aaabbbccc", {"parts": ["train"] * 3 + ["validation"] * 3 + ["test"] * 3}),
    ],
)
def test_where_no_other_group_can_validate_the_split_stays(groups, flags):
    made = redealing(groups, **flags)
    assert made.rotations == ()
    assert made.rotation(0) is made.rotation(5) is None


def test_published_parts_rotate_by_the_groups_of_the_training_part():
    parts = ["train"] * 6 + ["validation", "validation", "test"]
    made = redealing("aabbccddx", parts)
    assert made.unit == "group"
    assert {*map(frozenset, (groups_of(made, each.validation) for each in made.rotations))} == {
        frozenset("a"),
        frozenset("b"),
        frozenset("c"),
    }


def test_blocks_rotate_by_image_and_patches_in_between_stay_unused():
    made = redealing("aaaa", rows=20, split="block")
    split = made.dealt.split
    assert made.rotations
    for each in made.rotations:
        images = [set(made.patches.places[n, 0].tolist()) for n in (each.train, each.validation)]
        assert not images[0] & images[1]
        assert sorted([*each.train, *each.validation]) == sorted([*split.train, *split.validation])
    torn = dataclasses.replace(made, draws_anywhere=True)
    tested = set(made.patches.places[split.test, 0].tolist())
    others = set(made.patches.places[[*split.train, *split.validation], 0].tolist())
    assert bool(torn.rotations) != bool(tested & others)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(0, 8), min_size=4, max_size=20).filter(lambda each: len(set(each)) >= 4),
    st.integers(2, 6),
)
def test_every_group_tests_in_one_fold_and_is_whole(groups, folds):
    made = redealing([f"g{number}" for number in groups])
    if folds > len(set(groups)):
        with pytest.raises(SettingsError, match=rf"{folds} cannot be dealt out from \d groups"):
            made.fold(0, folds)
        return
    tested = []
    for number in range(folds):
        split = made.fold(number, folds)
        parts = [split.train, split.validation, split.test]
        names = [groups_of(made, numbers) for numbers in parts]
        assert all(names)
        assert len(set().union(*names)) == sum(map(len, names)) == len(set(groups))
        assert sum(map(len, parts)) == len(made.patches.places)
        tested += names[2]
    assert sorted(tested) == sorted({f"g{number}" for number in groups})


@pytest.mark.parametrize(
    ("groups", "flags", "words"),
    [
        ("abc", {}, "from 3 groups"),
        ("abcdef", {"split": "patch"}, "--split patch without groups"),
        ("abc", {"parts": ["train", "validation", "test"]}, "--split folders without groups"),
    ],
)
def test_what_cannot_be_folded_is_one_sentence(groups, flags, words):
    made = redealing(groups, **flags)
    assert made.most_folds == 0
    with pytest.raises(SettingsError, match=words):
        made.fold(0, 3)


def sources(part):
    return {source.split("/")[0] for source in part.sources}


@pytest.fixture
def eight(folder):
    for number in range(8):
        folder.add(f"Tile {number}", "a", (32, 32))
    return folder


def test_all_candidates_of_a_seed_share_their_groups_and_few_splits_are_kept(eight, monkeypatch):
    data = prepare(eight.settings())
    splits = OtherSplits(data)
    first = splits.of((RUNOFF_BRACKET, 0, 0))
    assert splits.of((RUNOFF_BRACKET, 3, 0)) is first
    assert splits.of((0, 0, 0)) is splits.of((-1, 1, 0)) is data
    turns = len(data.source.redealing.rotations)
    seen = [sources(splits.of((RUNOFF_BRACKET, 0, seed)).validation) for seed in range(turns + 1)]
    assert seen[-1] == sources(data.validation)
    assert set().union(*seen) == sources(data.train) | sources(data.validation)
    assert [splits.of((RUNOFF_BRACKET, 0, seed)).rotation for seed in (turns, 1, 0)] == [None, 1, 0]
    assert len(splits._kept) == other_splits.KEPT
    large = OtherSplits(data)
    monkeypatch.setattr(
        other_splits, "HELD_BYTES", sum(map(len, data.parts.values())) * 16 * 16 * 4
    )
    for seed in range(turns):
        large.of((RUNOFF_BRACKET, 0, seed))
    assert len(large._kept) == 1
    again = splits.of((RUNOFF_BRACKET, 1, 0))
    assert again is not first
    assert again.split_hash == first.split_hash != data.split_hash
    assert again.fingerprint == data.fingerprint


def test_what_cannot_rotate_is_told_once(folder, caplog):
    for number in range(3):
        folder.add(f"Tile {number}", "a", (32, 32))
    splits = OtherSplits(prepare(folder.settings()))
    caplog.clear()
    for seed in range(3):
        assert splits.of((RUNOFF_BRACKET, 0, seed)) is splits.data
    assert [each.message for each in caplog.records] == [
        "the runoff validates by the same images as the search: the split has no other groups that"
        " could take their place"
    ]


def test_folds_are_numbered_after_the_seeds(eight):
    data = prepare(eight.settings())
    splits = OtherSplits(data)
    tested = [sources(splits.of((FOLDS_BRACKET, 1, number), 4).test) for number in range(8)]
    assert tested[:4] == tested[4:]
    assert sorted(name for each in tested[:4] for name in each) == [f"Tile {n}" for n in range(8)]
    with pytest.raises(SettingsError, match="needs --final-folds of 2 or more, not 0"):
        OtherSplits(data).of((FOLDS_BRACKET, 0, 0))


def test_a_rotation_is_scaled_by_its_own_training_part(folder):
    for number in range(6):
        image = np.full((32, 32, 3), 1000 * (number + 1), np.uint16)
        image[::2] += np.uint16(100)
        folder.add(f"Tile {number}", "a", (32, 32), image=image)
    data = prepare(folder.settings())
    made = OtherSplits(data).of((RUNOFF_BRACKET, 0, 0))
    lowest = min(1000.0 * (int(name[len("Tile ")]) + 1) for name in sources(made.train))
    assert made.scaling.low == (lowest,) * 3


def test_the_summary_tells_how_many_groups_test_and_how_many_folds_there_may_be(eight):
    told = prepare(eight.settings()).summary()
    assert (told["test_groups"], told["most_folds"], told["folded_units"]) == (1, 8, "8 groups")
    told = prepare(eight.settings(split="patch")).summary()
    assert (told["most_folds"], told["folded_units"]) == (
        0,
        "--split patch without groups that could change sides",
    )
