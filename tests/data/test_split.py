import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from bohb_seg.data.split import Unit, as_reports, by_patch, by_unit
from bohb_seg.errors import DataError


def units(sizes, pixels):
    ends = np.cumsum(sizes)
    return [
        Unit(f"Tile {i}", tuple(range(end - size, end)), tuple(counts))
        for i, (size, end, counts) in enumerate(zip(sizes, ends, pixels, strict=True))
    ]


groups = st.lists(
    st.tuples(st.integers(1, 30), st.tuples(st.integers(0, 3), st.integers(0, 3))),
    min_size=3,
    max_size=12,
)


@settings(max_examples=15, deadline=None)
@given(groups)
def test_whole_units_are_dealt_out_once(described):
    dealt = units([size for size, _ in described], [pixels for _, pixels in described])

    split = by_unit(dealt, "group")

    parts = [set(split.train), set(split.validation), set(split.test)]
    assert sorted(np.concatenate([split.train, split.validation, split.test])) == list(
        range(sum(size for size, _ in described))
    )
    assert all(parts)
    for unit in dealt:
        assert sum(not part.isdisjoint(unit.patches) for part in parts) == 1


def test_the_same_units_give_the_same_split():
    dealt = units([3, 9, 4, 5, 6, 7], [(1, 2)] * 6)

    first, second = by_unit(dealt, "group"), by_unit(dealt, "group")

    assert np.array_equal(first.train, second.train)
    assert np.array_equal(first.test, second.test)


def test_every_part_gets_every_class_if_that_is_possible():
    """Class 1 lies in three of eight units only: one of them must go to each part."""
    rare = [(9, 1) if i in (0, 4, 7) else (9, 0) for i in range(8)]
    dealt = units([10] * 8, rare)

    split = by_unit(dealt, "group")

    for part in (split.train, split.validation, split.test):
        assert any(rare[patch // 10][1] for patch in part)


def test_shares_are_near_those_wanted():
    split = by_unit(units([5] * 40, [(1, 1)] * 40), "image")

    assert (len(split.train), len(split.validation), len(split.test)) == (140, 30, 30)


@pytest.mark.parametrize("patches", [2, 3, 10, 101, 1305])
def test_the_reports_split_is_that_of_scikit_learn(patches):
    train, validation = train_test_split(np.arange(patches), test_size=0.2, random_state=42)

    split = as_reports(patches)

    assert split.train.tolist() == train.tolist()
    assert split.validation.tolist() == validation.tolist()
    assert len(split.test) == 0


@given(st.integers(3, 400))
def test_single_patches_are_dealt_out_once(patches):
    split = by_patch(patches)

    assert all(len(part) for part in (split.train, split.validation, split.test))
    everything = np.concatenate([split.train, split.validation, split.test])
    assert sorted(everything) == list(range(patches))


@pytest.mark.parametrize(
    ("deal", "sentence"),
    [
        (
            lambda: by_unit(units([4], [(1, 1)]), "group"),
            "train, validation and test need three groups, but there is only 1 group;"
            " use --split image or block, --group-by, or sort the images into more folders",
        ),
        (
            lambda: by_unit(units([4, 4], [(1, 1)] * 2), "image"),
            "train, validation and test need three images, but there are only 2 images;"
            " use --split block, or add images",
        ),
        (
            lambda: by_patch(2),
            "train, validation and test need three patches, but there are only 2 patches;"
            " choose a smaller --patch-size",
        ),
        (
            lambda: as_reports(1),
            "train and validation need two patches, but there is only 1 patch;"
            " choose a smaller --patch-size",
        ),
    ],
    ids=["group", "image", "patch", "milestone3"],
)
def test_no_part_may_be_empty(deal, sentence):
    with pytest.raises(DataError) as caught:
        deal()

    assert str(caught.value) == sentence
