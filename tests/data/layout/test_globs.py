import pytest

from bohb_seg.data.layout.globs import pair_by_globs
from bohb_seg.data.layout.search import Tree


def paired(tmp_path, images, masks, *paths):
    found = pair_by_globs(Tree(tmp_path, paths), images, masks)
    both = {p.name: p.mask.relative_to(tmp_path).as_posix() for p in found.pairs}
    return both, [out.path for out in found.left_out], found.problems


def test_what_both_patterns_share_is_the_stem(tmp_path):
    both = paired(tmp_path, "a/{stem}_x.tif", "b/{stem}.png", "a/1_x.tif", "b/1.png", "a/1_y.tif")

    assert both == ({"a/1_x.tif": "b/1.png"}, ["a/1_y.tif"], ())


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("*/o/{stem}.tif", "*/k/{stem}.png"),
        ("**/o/{stem}.tif", "**/k/{stem}.png"),
        ("*/o/*.tif", "*/k/*.png"),
        ("./*/O/{STEM}.TIF".replace("STEM", "stem"), "*\\K\\{stem}.PNG"),
    ],
)
def test_wildcards_tell_equal_stems_apart(tmp_path, images, masks):
    files = [f"{town}/{kind}" for town in "xy" for kind in ("o/1.tif", "k/1.png")]

    both, left_out, problems = paired(tmp_path, images, masks, *files)

    assert both == {"x/o/1.tif": "x/k/1.png", "y/o/1.tif": "y/k/1.png"}
    assert (left_out, problems) == ([], ())


def test_a_stem_that_stands_twice_is_the_same(tmp_path):
    files = ["1/1_o.tif", "1/2_o.tif", "k/1.png", "k/2.png"]

    both, _, problems = paired(tmp_path, "{stem}/{stem}_o.tif", "k/{stem}.png", *files)

    assert both == {"1/1_o.tif": "k/1.png"}
    assert problems == ("k/2.png has no image by --images; add it or narrow --masks",)


@pytest.mark.parametrize(
    ("images", "masks", "said"),
    [
        ("c/*.tif", "b/*.png", "--images 'c/*.tif' means no file"),
        ("a/*", "*/1*", "is meant by --images and by --masks"),
        (
            "a/*_{stem}.tif",
            "b/{stem}.png",
            "a/1_1.tif and a/2_1.tif and b/1.png share the stem '1'",
        ),
        ("a/2_{stem}.tif", "b/*{stem}.png", "narrow"),
    ],
)
def test_patterns_that_do_not_decide_are_refused(tmp_path, images, masks, said):
    files = ["a/1_1.tif", "a/2_1.tif", "b/1.png", "b/x1.png"]

    _, _, problems = paired(tmp_path, images, masks, *files)

    assert any(said in problem for problem in problems), problems
