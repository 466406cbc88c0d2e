import pytest

from bohb_seg.data.layout.finding import find


def plant(root, files):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())


def twins(*stems, suffix="jpg"):
    return {f"{kind}/{s}.{suffix}": "" for kind in ("images", "masks") for s in stems}


LISTS = {
    "stems": ("train.txt", "a\nb\n", "val.txt", "c\n"),
    "with suffixes": ("train.txt", "a.jpg\nb.jpg\n", "val.txt", "c.jpg\n"),
    "CRLF, a mark of order, remarks": ("train.txt", "\ufeff# x\r\na\r\nb\r\n", "val.txt", "c"),
    "paths": ("splits/train.lst", "images/a.jpg\n./images/b.jpg", "splits/validation.lst", "c"),
    "paths from elsewhere": ("train.txt", "/m/images/a.jpg\n/b.jpg", "test.txt", "C:\\d\\c.jpg"),
    "two columns": ("train.txt", "images/a.jpg masks/a.jpg\nb.jpg,b.png", "val.txt", "c\tc"),
    "masks": ("train_list.txt", "masks/a.jpg\nmasks/b.jpg", "list_val.txt", "masks/c.jpg"),
    "VOC": (
        "ImageSets/Segmentation/train.txt", "a\nb", "ImageSets/Segmentation/val.txt", "c"
    ),
    "csv": ("train.csv", "name,class\na,1\nb,2", "valid.csv", "c,3"),
}  # fmt: skip


@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS)
def test_lists_say_the_parts(tmp_path, lists):
    first, text, second, other = lists
    plant(tmp_path, {**twins("a", "b", "c"), first: text, second: other})

    found = find(tmp_path)

    held = "test" if "test" in second else "validation"
    assert found.parts == {"images/a.jpg": "train", "images/b.jpg": "train", "images/c.jpg": held}
    assert found.problems == ()


def test_a_space_in_a_name_is_no_column(tmp_path):
    plant(tmp_path, {**twins("ortho 0", "ortho 1"), "train.txt": "ortho 0", "val.txt": "ortho 1"})

    assert find(tmp_path).parts == {
        "images/ortho 0.jpg": "train",
        "images/ortho 1.jpg": "validation",
    }


def test_lists_of_what_is_not_here_are_named_and_not_followed(tmp_path):
    plant(tmp_path, {**twins("a", "b"), "train.txt": "a_0\n", "val.txt": "b_0\n"})

    found = find(tmp_path)

    assert found.parts == {}
    assert [out.path for out in found.left_out] == ["train.txt", "val.txt"]


def test_images_that_no_list_names_for_training_need_no_masks(tmp_path):
    plant(tmp_path, {**twins("a", "b", "c"), "images/d.jpg": "", "images/e.jpg": ""})
    plant(tmp_path, {"train.txt": "a\nb", "val.txt": "c", "test.txt": "d"})

    found = find(tmp_path)

    assert found.problems == ()
    assert [out.path for out in found.left_out] == ["images/d.jpg", "images/e.jpg"]


def test_images_that_a_list_names_for_training_need_masks(tmp_path):
    plant(tmp_path, {**twins("a", "b"), "images/d.jpg": ""})
    plant(tmp_path, {"train.txt": "a\nd", "val.txt": "b"})

    (problem,) = find(tmp_path).problems

    assert problem == "images/d.jpg has no mask of the same name; add the mask or remove the image"


def test_lists_of_single_folders_count_in_these(tmp_path):
    for town in "xy":
        plant(tmp_path / town, {**twins("1", "2"), "train.txt": "1", "val.txt": "2"})

    found = find(tmp_path)

    assert found.problems == ()
    assert found.parts == {
        f"{town}/images/{n}.jpg": part
        for town in "xy"
        for n, part in (("1", "train"), ("2", "validation"))
    }


def test_contradictions_are_problems(tmp_path):
    plant(tmp_path, {**twins("a", "b"), "train.txt": "a\nb", "test.txt": "a"})
    plant(tmp_path, {f"{town}/{file}": "" for town in "xy" for file in twins("1")})
    (tmp_path / "val.txt").write_text("1")

    assert find(tmp_path).problems == (
        "val.txt names '1', which may be x/images/1.jpg or y/images/1.jpg; write the folder before"
        " it",
        "images/a.jpg is in the lists of test and train; remove it from one",
    )


@pytest.mark.parametrize(
    ("train", "held", "part"),
    [
        ("train/{}/1.png", "valid/{}/2.png", "validation"),
        ("uavid_train/s1/{}/1.png", "uavid_test/s2/{}/2.png", "test"),
        ("{}/training/1.png", "{}/validation/2.png", "validation"),
        ("{}Tr/1.png", "{}Ts/2.png", "test"),
        ("A/Train2017/{}/1.png", "A/Val2017/{}/2.png", "validation"),
        ("{}/train_1.png", "{}/test_2.png", "test"),
    ],
)
def test_folders_say_the_parts(tmp_path, train, held, part):
    pairs = {text.format(kind): "" for text in (train, held) for kind in ("images", "labels")}
    plant(tmp_path, pairs)

    found = find(tmp_path)

    names = train.format("images"), held.format("images")
    assert dict(found.parts) == dict(zip(names, ("train", part), strict=True))


def test_one_part_alone_is_no_split(tmp_path):
    plant(tmp_path, {"train/images/1.png": "", "train/gt/1.png": "", "test/images/2.png": ""})

    assert find(tmp_path).parts == {}
