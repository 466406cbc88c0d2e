from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.data.looking.outlook import outlook
from bohb_seg.data.looking.remarks import Remark, chosen, named, remarks

NAMES = ["a.png", "aa.png", "Tile 1/images/a.png", "x (1), y.png"]


def test_a_name_within_a_longer_one_does_not_count():
    assert named("Tile 1/images/a.png is nearly black; look at it", NAMES) == [NAMES[2]]
    assert named("x (1), y.png, aa.png and 3 more are odd", NAMES) == [NAMES[3], NAMES[1]]
    assert named("these images are equal: aa.png, a.png", NAMES) == ["aa.png", "a.png"]
    assert named("an aaa.png", NAMES) == []


def test_one_of_each_kind_comes_first():
    found = {
        0: [Remark(2, "nearly black")],
        1: [Remark(2, "nearly black")],
        2: [Remark(2.5, "3.1% of its mask of no class")],
        3: [Remark(2.4, "9.4% of its mask of no class")],
    }
    shares = {image: [0.5, 0.5] for image in range(8)}

    choices = chosen(found, shares, ["a", "b"], 8)

    assert [each.image for each in choices] == [0, 3, 1, 2, 4, 5, 6, 7]
    assert [each.is_odd for each in choices] == [True] * 4 + [False] * 4


def test_then_come_rare_classes():
    shares = {image: [1.0, 0.0, 0.0] for image in range(100)}
    shares[31], shares[77] = [0.9, 0.1, 0.0], [0.8, 0.0, 0.2]

    choices = chosen({}, shares, ["a", "b", "c"], 6)

    assert [each.image for each in choices[:2]] == [31, 77]
    assert choices[0].words == ("much b, which is rare",)
    assert [each.image for each in choices[2:]] == [0, 33, 66, 99]


@given(
    st.dictionaries(st.integers(0, 30), st.lists(st.floats(0, 1), min_size=3, max_size=3)),
    st.sets(st.integers(0, 30)),
    st.integers(1, 12),
)
def test_no_image_is_shown_twice_and_none_that_is_not_there(shares, odd, most):
    choices = chosen({each: [Remark(1, "odd")] for each in odd}, shares, "abc", most)

    images = [each.image for each in choices]
    assert len(images) == len(set(images)) == min(most, len(shares))
    assert set(images) <= shares.keys()


def test_remarks_about_masks_and_images(tiles):
    image, labels = tiles.add("Tile 2", "black", (40, 40))
    tiles.add("Tile 2", "black", image=image // 64, labels=labels)
    mask = tiles.mask(labels)
    mask[:10, :10] = (1, 2, 3)
    tiles.add("Tile 3", "strange", mask=mask)

    known = outlook(tiles.settings())

    told = {known.names[image]: found for image, found in remarks(known).items()}
    assert told == {
        "Tile 2/images/black.png": [(2.0, "nearly black")],
        "Tile 3/images/strange.png": [(3 - 1 / 16, "6.2% of its mask of no class")],
    }
