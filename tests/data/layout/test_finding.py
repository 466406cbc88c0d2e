"""Layouts as they come, from empty files: names alone decide."""

import os
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bohb_seg.data.layout.finding import find
from bohb_seg.data.layout.pairs import pair_up
from bohb_seg.data.layout.search import Tree, search, summary
from bohb_seg.errors import DataError


def plant(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def seen(root, found):
    return {
        pair.image.relative_to(root).as_posix(): pair.mask.relative_to(root).as_posix()
        for pair in found.pairs
    }


def accounted(root, found):
    """All files of the pairs and all that are left out."""
    both = seen(root, found)
    return [*both, *both.values(), *(out.path for out in found.left_out)]


PAIRED = {
    "twins": "a/images/1.jpg=a/masks/1.png b/images/1.jpg=b/masks/1.png",
    "any case": "IMAGES/1.JPG=Masks/1.PNG",
    "sat and map": "sat/1.tiff=map/1.tif",
    "prefixed folders": "org-img/1.png=label-img/1.png",
    "two cities, a folder each": "a_images/1.tif=a_masks/1.tif b_images/1.tif=b_masks/1.tif",
    "labels beside the part": "tiff/train/1.tif=tiff/train_labels/1.tif",
    "an affix beside the part": "val/a.png=val_labels/a_L.png val/b.png=val_labels/b_L.png",
    "parts below the roles": "img_dir/train/1.jpg=ann_dir/train/1.png",
    "part words of two kinds": "images/training/1.jpg=annotations/training/1.png",
    "nn": "imagesTr/case_000_0000.png=labelsTr/case_000.png",
    "camel case": "leftImg8bit/train/x/x_0_leftImg8bit.png=gtFine/train/x/x_0_gtFine_labelIds.png",
    "stems in one folder": "train/1_sat.jpg=train/1_mask.png train/2_sat.jpg=train/2_mask.png",
    "a letter": "out/t_1.jpg=out/t_1_m.png out/t_2.jpg=out/t_2_m.png",
    "scene folders": "s1/image.tif=s1/mask.tif s2/image.tif=s2/mask.tif",
    "prefixes": "img_1.png=mask_1.png img_2.png=mask_2.png",
    "no separator": "img1.png=mask1.png img2.png=mask2.png",
    "JPEG beside PNG": "train/1.jpg=train/1.png train/2.jpg=train/2.png",
    "data beside labels": "data/1.jpg=labels/1.png",
    "an unknown folder of images": "Fotos 2020/1.tif=masks/1.tif",
    "an unknown folder of masks": "images/1.tif=buildings/1.tif",
    "an unknown affix": "images/a.tif=masks/a_v2_klass.tif images/b.tif=masks/b_v2_klass.tif",
    "two trees": "x/tiles/images/1.png=y/1/masks/1.png",
    "mask words in both stems": "images/map_1.tif=masks/map_1.tif",
    "a role word in a mask's stem": "images/image_1.jpg=masks/image_1.png",
    "naip": "m_1_ne_naip-new.tif=m_1_ne_lc.tif m_2_ne_naip-new.tif=m_2_ne_lc.tif",
    "other suffixes": "images/1.webp=masks/1.gif images/2.jp2=masks/2.bmp images/3.img=masks/3.tif",
}


@pytest.mark.parametrize("layout", PAIRED.values(), ids=PAIRED)
def test_a_convention_is_understood(tmp_path, layout):
    wanted = dict(pair.split("=") for pair in layout.replace("Fotos 2020", "Fotos+").split(" "))
    wanted = {i.replace("Fotos+", "Fotos 2020"): m for i, m in wanted.items()}
    plant(tmp_path, *wanted, *wanted.values())

    found = find(tmp_path)

    assert (seen(tmp_path, found), found.left_out, found.problems) == (wanted, (), ())


RENDERINGS = {
    "three orthophotos": (
        "2_Ortho_RGB/t_1_RGB.tif=5_Labels_all/t_1_label.tif",
        "3_Ortho_IRRG/t_1_IRRG.tif 4_Ortho_RGBIR/t_1_RGBIR.tif",
    ),
    "all in one folder": ("1_RGB.tif=1_label.tif", "1_IRRG.tif"),
    "eroded": ("top/a1.tif=gts_for_participants/a1.tif", "gts_eroded/a1_noBoundary.tif"),
    "instances": ("JPEGImages/1.jpg=SegmentationClass/1.png", "SegmentationObject/1.png"),
    "coloured": ("images/1.png=masks/1_labelIds.png", "masks/1_color.png"),
    "coloured copies of semantic masks": (
        "i1.jpg=i1_label_ground-truth_semantic.png",
        "i1_label_ground-truth.png i1_label_ground-truth_semantic_colored.png",
    ),
    "pictures for people": ("images/1.jpg=masks/1.png", "masks/1_vis.png overlay/1.png"),
    "semantic and instances": (
        "train/images/P0.png=train/semantic_masks/P0_instance_color_RGB.png",
        "train/instance_masks/P0_instance_id_RGB.png",
    ),
    "masks in a folder called images": (
        "train/images/P0.png=train/Semantic_masks/images/P0_instance_color_RGB.png",
        "train/Instance_masks/images/P0_instance_id_RGB.png",
    ),
    "a coloured copy elsewhere": (
        "a/b/original_images/1.jpg=a/b/label_images_semantic/1.png",
        "RGB_color_image_masks/RGB_color_image_masks/1.png",
    ),
    "masks for machines": ("ds0/img/a.png=ds0/masks_machine/a.png", "ds0/masks_human/a.png"),
    "numbers before the word": (
        "Image__8bit_NirRGB/G_1.tif=Annotation__index/G_1_24label.png",
        "Annotation__color/G_1_24label.tif",
    ),
    "bands and heights": (
        "images/rgb/1.tif=labels/1.tif",
        "images/nir/1.tif elevations/1-elev.tif",
    ),
    "heights": ("images/1.tif=labels/1.tif", "dsm/1.tif"),
}


@pytest.mark.parametrize(("pair", "others"), RENDERINGS.values(), ids=RENDERINGS)
def test_the_plainest_rendering_is_taken_and_the_others_are_named(tmp_path, pair, others):
    image, mask = pair.split("=")
    plant(tmp_path, image, mask, *others.split())

    found = find(tmp_path)

    assert seen(tmp_path, found) == {image: mask}
    assert [out.path for out in found.left_out] == sorted(others.split())
    assert found.problems == ()


def test_renderings_of_equal_rank_are_asked_about(tmp_path):
    plant(tmp_path, "3_IRRG/1.tif", "4_RGBIR/1.tif", "labels/1.tif")

    found = find(tmp_path)

    assert found.pairs == ()
    assert found.problems == (
        "several images show the same scene: '3_IRRG/{stem}.tif', '4_RGBIR/{stem}.tif'; choose one"
        " with --images GLOB --masks GLOB, for example --images '3_IRRG/{stem}.tif' --masks"
        " 'labels/{stem}.tif'",
    )


def test_two_images_of_one_stem_are_a_problem(tmp_path):
    plant(tmp_path, "images/1.jpg", "images/1.png", "masks/1.png")

    found = find(tmp_path)

    assert found.pairs == ()
    assert found.problems == ("images/1.png has the same name as images/1.jpg; remove one",)


def test_what_names_do_not_tell_is_never_guessed(tmp_path):
    plant(tmp_path, "images/a_1.tif", "images/a_2.tif", "masks/b_1.tif", "masks/b_2.tif")

    found = find(tmp_path)

    assert found.pairs == ()
    assert "{stem}" in found.problems[0]


def test_a_mask_of_another_scene_is_never_taken(tmp_path):
    plant(tmp_path, "Tile 1/images/1.jpg", "Tile 1/masks/1.png", "Tile 1/images/2.jpg")
    plant(tmp_path, "Tile 2/images/1.jpg", "Tile 2/masks/1.png", "Tile 2/masks/2.png")

    found = find(tmp_path)

    assert len(found.pairs) == 2
    assert found.problems == (
        "Tile 1/images/2.jpg has no mask of the same name; add the mask or remove the image",
        "Tile 2/masks/2.png has no image of the same name; add the image or remove the mask",
    )


def test_folders_that_a_word_tells_apart_do_not_help_each_other_out(tmp_path):
    plant(tmp_path, "a_images/1.tif", "a_masks/1.tif", "a_images/2.tif")
    plant(tmp_path, "b_images/1.tif", "b_masks/1.tif", "b_masks/2.tif")

    found = find(tmp_path)

    assert list(seen(tmp_path, found)) == ["a_images/1.tif", "b_images/1.tif"]
    assert len(found.problems) == 2


def test_images_of_a_test_folder_need_no_masks(tmp_path):
    plant(tmp_path, "train/images/1.tif", "train/gt/1.tif", "test/images/2.tif", "val/3_sat.jpg")

    found = find(tmp_path)

    assert [out.path for out in found.left_out] == ["test/images/2.tif", "val/3_sat.jpg"]
    assert (found.problems, found.parts) == ((), {})


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ("1.jpg 1.json", "1 images and no masks, but 1 files of labels such as 1.json"),
        ("images/1.jpg", "1 images and no masks; put a folder masks/ beside"),
        ("a/1.jpg b/2.jpg", "no name of a file or folder says"),
        ("readme.md", "holds no images that can be read"),
    ],
)
def test_a_folder_without_pairs_is_answered_in_one_sentence(tmp_path, paths, said):
    plant(tmp_path, *paths.split())

    (problem,) = find(tmp_path).problems

    assert said in problem


def test_links_are_followed_and_loops_noticed(tmp_path):
    data, store = tmp_path / "data", tmp_path / "store"
    plant(store, "images/1.jpg", "deep/1.png")
    (data / "masks").mkdir(parents=True)
    (data / "images").symlink_to(store / "images")
    (data / "masks/1.png").symlink_to(store / "deep/1.png")
    (data / "masks/again").symlink_to(data)
    (data / "masks/2.png").symlink_to(store / "gone.png")

    found = find(data)

    assert seen(data, found) == {"images/1.jpg": "masks/1.png"}
    assert summary(found.left_out) == [
        "1 left out, a link to a folder that it lies in: masks/again",
        "1 left out, a link to nothing: masks/2.png",
    ]


def test_a_pair_reached_twice_counts_once_in_its_part(tmp_path):
    plant(tmp_path, "all/images/1.jpg", "all/masks/1.png")
    (tmp_path / "train").symlink_to(tmp_path / "all")

    found = find(tmp_path)

    assert seen(tmp_path, found) == {"train/images/1.jpg": "train/masks/1.png"}
    assert [out.path for out in found.left_out] == ["all/images/1.jpg", "all/masks/1.png"]


def test_what_is_hidden_unfinished_or_unreadable_is_counted(tmp_path):
    plant(tmp_path, "images/1.jpg", "masks/1.png")
    out = ["images/._1.jpg", ".ipynb_checkpoints/1.png", "images/2.tif.part", "images/3.ecw"]
    plant(tmp_path, *out)

    found = find(tmp_path)

    assert sorted(each.path for each in found.left_out) == sorted(out)
    assert len({each.reason for each in found.left_out}) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_closed_folder_is_named(tmp_path):
    plant(tmp_path, "images/1.jpg", "masks/1.png", "shut/1.png")
    (tmp_path / "shut").chmod(0)
    try:
        assert [out.path for out in find(tmp_path).left_out] == ["shut"]
    finally:
        (tmp_path / "shut").chmod(0o755)


def test_one_pattern_without_the_other_is_refused(tmp_path):
    with pytest.raises(DataError, match="go together"):
        find(tmp_path, images="*.tif")


NAMES = "images masks labels train val test train_labels a 2_RGB gts_eroded vis Tile_1 data"
STEMS = "1 2 1_sat 1_mask 1_m 2_rgb image mask img_1 label_1 Zürich 1_vis case_0001 1_0001"
names = st.sampled_from(NAMES.split())
stems = st.sampled_from(STEMS.split())
suffixes = st.sampled_from([".png", ".jpg", ".tif", ".webp"])
trees = st.lists(
    st.builds(
        lambda folders, stem, suffix: "/".join([*folders, stem + suffix]),
        st.lists(names, max_size=3), stems, suffixes,
    ),
    max_size=14, unique=True,
)  # fmt: skip


def found_in(root, paths):
    return pair_up(Tree(root, tuple(paths)))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees, st.randoms(use_true_random=False))
def test_every_file_is_paired_or_named_and_order_does_not_matter(tmp_path_factory, paths, random):
    root = tmp_path_factory.getbasetemp() / "nowhere"
    mixed = random.sample(paths, len(paths))

    found = found_in(root, paths)

    assert sorted(accounted(root, found)) == sorted(paths)
    assert found_in(root, mixed) == found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees, st.sampled_from([str.upper, str.title, lambda s: unicodedata.normalize("NFD", s)]))
def test_case_and_normal_form_do_not_matter(tmp_path_factory, paths, change):
    root = tmp_path_factory.getbasetemp() / "nowhere"
    changed = {path: change(path) for path in paths}

    plain, other = found_in(root, paths), found_in(root, changed.values())

    assert {changed[i]: changed[m] for i, m in seen(root, plain).items()} == seen(root, other)


def test_the_search_finds_the_same_name_in_two_normal_forms(tmp_path):
    plant(tmp_path, unicodedata.normalize("NFD", "images/Zürich.tif"), "masks/Zürich.tif")

    assert len(pair_up(search(tmp_path)).pairs) == 1


def test_images_below_a_word_for_masks_stay_images_where_all_are(tmp_path):
    plant(tmp_path, "seg/images/1.png", "seg/images/2.png")

    (problem,) = find(tmp_path).problems

    assert "holds 2 images and no masks" in problem
