"""Folders without masks, as tools export them, become labels without a word from anybody."""

import importlib.util
import json
import re

import numpy as np
import pytest
from helpers import label_exports as exports
from helpers.label_exports import HEIGHT, NAMES, WIDTH, scene
from PIL import Image

from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.reader import open_image
from bohb_seg.data.labels.finding import FoundLabels, find_label_sources
from bohb_seg.data.labels.names import entries_for_names
from bohb_seg.data.layout.search import search
from bohb_seg.data.masks import mask_code
from bohb_seg.trials import IGNORE

NEEDS = pytest.mark.skipif(
    not (geotiff.available() and importlib.util.find_spec("pyogrio")),
    reason="rasterio or pyogrio is not installed: pip install 'bohb-seg[geo]'",
)
ALL = ("background", *NAMES)


def masks(root, class_field=None):
    """The class names that are found in a folder, and the mask of each image."""
    found = find_label_sources(search(root), class_field)
    assert found.problems == ()
    code = mask_code(entries_for_names(found.names), "default")
    burnt = {}
    for path, source in found.sources.items():
        with open_image(root / path) as image, source.open(image.facts, code) as labels:
            burnt[path] = labels.rows(0, HEIGHT)
            assert not labels.finding.unknown
    return found.names, burnt


def same(found, expected):
    return found.keys() == expected.keys() and all(
        np.array_equal(found[path], expected[path]) for path in expected
    )


def three(folder, suffix=".jpg", start=0):
    """Scenes of three images by their paths."""
    return {f"{folder}{n}{suffix}": scene(n) for n in range(start, start + 3)}


def split(scenes):
    return (
        {path: boxes for path, (boxes, _) in scenes.items()},
        {path: mask for path, (_, mask) in scenes.items()},
    )


def test_coco_files_beside_the_images_of_each_part(tmp_path):
    """Roboflow's, with its category for the whole set, which no shape is of."""
    expected = {}
    for number, part in enumerate(("train", "valid", "test")):
        boxes, drawn = split(three(f"{part}/", start=3 * number))
        expected |= drawn
        for path in boxes:
            exports.picture(tmp_path / path)
        named = {path.rpartition("/")[2]: each for path, each in boxes.items()}
        exports.coco(tmp_path / part / "_annotations.coco.json", named, whole="aerial-set")

    names, found = masks(tmp_path)

    assert names == ("background", "building", "road", "water")
    assert same(found, expected)


def test_coco_files_in_a_folder_of_their_own(tmp_path):
    """COCO's own layout, where both parts hold images of one name."""
    expected = {}
    for number, part in enumerate(("train2017", "val2017")):
        boxes, drawn = split(three(f"{part}/", start=3 * number))
        expected |= drawn
        for path in boxes:
            exports.picture(tmp_path / path)
        named = {f"{n}.jpg": each for n, each in enumerate(boxes.values())}
        for n in range(3):
            exports.picture(tmp_path / part / f"{n}.jpg")
        exports.coco(tmp_path / "annotations" / f"instances_{part}.json", named)
        other = {name: [(1, 0, 0, 9, 9)] for name in named}
        exports.coco(tmp_path / "annotations" / f"person_keypoints_{part}.json", other)
    expected = {f"{path.split('/')[0]}/{int(path.split('/')[1][0]) % 3}.jpg": mask
                for path, mask in expected.items()}  # fmt: skip

    names, found = masks(tmp_path)

    assert names == ALL
    assert same(found, expected)


@pytest.mark.parametrize("name", ["images/{}", "images\\{}", "../../upload/7/{}", "{}"])
def test_paths_of_any_system_name_images(tmp_path, name):
    boxes, expected = split(three("images/", ".png"))
    for path in boxes:
        exports.picture(tmp_path / path)
    named = {name.format(path[7:]): each for path, each in boxes.items()}
    exports.coco(tmp_path / "result.json", named)

    assert same(masks(tmp_path)[1], expected)


@pytest.mark.parametrize("beside", [True, False])
def test_labelme_files(tmp_path, beside):
    scenes = three("images/")
    for path, (boxes, _) in scenes.items():
        exports.picture(tmp_path / path)
        stem = path[7:-4]
        file = tmp_path / ("images" if beside else "json") / f"{stem}.json"
        # A photograph that was renamed after it had been labelled.
        exports.labelme(file, f"..\\photos\\DJI_{stem}.JPG", boxes)

    names, found = masks(tmp_path)

    assert names == ALL
    assert same(found, split(scenes)[1])


def test_masks_of_single_classes(tmp_path):
    scenes = three("images/")
    for number, (path, (_, mask)) in enumerate(scenes.items()):
        exports.picture(tmp_path / path)
        exports.label_studio(tmp_path, number, mask)

    names, found = masks(tmp_path)

    assert names == ("background", "Building", "Road", "Water")
    assert same(found, split(scenes)[1])


def georeferenced(path, column=0):
    import rasterio
    from rasterio.transform import Affine

    path.parent.mkdir(parents=True, exist_ok=True)
    place = Affine(0.5, 0, 500_000 + column / 2, 0, -0.5, 5_300_000)
    how = {"driver": "GTiff", "height": HEIGHT, "width": WIDTH, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", **how, crs="EPSG:32632", transform=place) as dataset:
        dataset.write(np.zeros((3, HEIGHT, WIDTH), np.uint8))


def places(column=0):
    """Coordinates in degrees of the corners of a box."""
    from rasterio.warp import transform

    def found(box):
        points = exports.corners(box)
        x, y = zip(
            *((500_000 + (c + column) / 2, 5_300_000 - r / 2) for c, r in points), strict=True
        )
        return np.stack(transform("EPSG:32632", "EPSG:4326", x, y), axis=1).tolist()

    return found


def ground_ignored(scenes):
    return {path: np.where(mask == 0, IGNORE, mask - 1) for path, (_, mask) in scenes.items()}


def nearly(found, expected):
    return found.keys() == expected.keys() and all(
        (found[path] != expected[path]).mean() < 0.01 for path in expected
    )


@NEEDS
@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("{}.tif", "{}.geojson"),
        ("images/{}.tif", "vectors/{}.json"),
        ("A/RGB-PanSharpen/RGB-PanSharpen_A_img{}.tif", "A/geojson/roads/roads_A_img{}.geojson"),
        ("tile_{}.tif", "tile_{}_polygons.geojson"),
    ],
)
def test_vector_files_that_are_named_like_their_images(tmp_path, image, label):
    scenes = {image.format(n): scene(n) for n in range(3)}
    for n, (path, (boxes, _)) in enumerate(scenes.items()):
        georeferenced(tmp_path / path, 1000 * n)
        exports.collection(tmp_path / label.format(n), boxes, places(1000 * n))

    found = find_label_sources(search(tmp_path))

    assert found.names == NAMES  # land cover: the ground between says nothing
    _, burnt = masks(tmp_path)
    assert nearly(burnt, ground_ignored(scenes))


@NEEDS
@pytest.mark.parametrize("field", ["class", None])
def test_one_vector_file_for_all_images(tmp_path, field):
    scenes = {f"images/{n}.tif": scene(n) for n in range(3)}
    features = []
    for n, (path, (boxes, _)) in enumerate(scenes.items()):
        georeferenced(tmp_path / path, 1000 * n)
        exports.collection(tmp_path / "houses.geojson", boxes, places(1000 * n), field)
        features += json.loads((tmp_path / "houses.geojson").read_text())["features"]
    content = {"type": "FeatureCollection", "features": features}
    (tmp_path / "houses.geojson").write_text(json.dumps(content))

    names, found = masks(tmp_path)

    if field:
        assert names == NAMES
        expected = {
            path: np.where(mask == 0, IGNORE, mask - 1) for path, (_, mask) in scenes.items()
        }
    else:
        assert names == ("background", "houses")
        expected = {path: (mask > 0).astype(np.uint8) for path, (_, mask) in scenes.items()}
    assert nearly(found, expected)


@NEEDS
def test_of_several_renderings_the_plainest_is_taken(tmp_path):
    for name in ("2_Ortho_RGB/top_1_RGB", "3_Ortho_IRRG/top_1_IRRG", "2_Ortho_RGB/top_2_RGB"):
        georeferenced(tmp_path / f"{name}.tif")
    exports.collection(tmp_path / "trees.geojson", scene(1)[0], places(), None)

    found = find_label_sources(search(tmp_path))

    assert list(found.sources) == ["2_Ortho_RGB/top_1_RGB.tif", "2_Ortho_RGB/top_2_RGB.tif"]


@NEEDS
def test_files_of_a_single_class_share_its_name(tmp_path):
    for n in range(2):
        georeferenced(tmp_path / f"img{n}.tif", 1000 * n)
        exports.collection(
            tmp_path / f"buildings_img{n}.geojson", scene(n)[0], places(1000 * n), None
        )

    names, found = masks(tmp_path)

    assert names == ("background", "buildings")
    assert nearly(found, {f"img{n}.tif": (scene(n)[1] > 0).astype(np.uint8) for n in range(2)})


@NEEDS
@pytest.mark.parametrize("layers", [False, True])
def test_a_file_or_layer_for_each_class(tmp_path, layers):
    """Roads over buildings, as their names are sorted; the outline of the region is no class."""
    import pyogrio

    georeferenced(tmp_path / "images" / "a.tif")
    boxes, _ = scene(1)
    expected = np.full((HEIGHT, WIDTH), IGNORE, np.uint8)
    for label, name in enumerate(NAMES):
        file = tmp_path / f"{name}.geojson"
        exports.collection(file, [box for box in boxes if box[0] == label + 1], places(), None)
        for _, top, left, bottom, right in (box for box in boxes if box[0] == label + 1):
            expected[top:bottom, left:right] = label
        if layers:
            meta, _, geometries, _ = pyogrio.raw.read(file)
            pyogrio.raw.write(tmp_path / "all.gpkg", geometries, [], [], layer=name,
                              crs=meta["crs"], geometry_type="Polygon", append=True)  # fmt: skip
            file.unlink()
    exports.collection(tmp_path / "aoi.geojson", [(1, 0, 0, 60, 80)], places(), None)

    names, found = masks(tmp_path)

    assert names == NAMES
    assert nearly(found, {"images/a.tif": expected})


@NEEDS
def test_the_class_field_is_asked_for_or_given(tmp_path):
    georeferenced(tmp_path / "a.tif")
    exports.collection(tmp_path / "a.geojson", scene(1)[0], places(), "kind")

    assert "--class-field" in find_label_sources(search(tmp_path)).problems[0]
    assert masks(tmp_path, "KIND")[0] == tuple(sorted({NAMES[box[0] - 1] for box in scene(1)[0]}))


def no_place(root):
    exports.picture(root / "a.png")
    exports.collection(root / "a.geojson", [(1, 0, 0, 9, 9)])


def many_files(root):
    exports.picture(root / "a.png")
    for n in range(30):
        exports.collection(root / f"part{n}x.geojson", [(1, 0, 0, 9, 9)])


def boxes_only(root):
    exports.picture(root / "a.png")
    exports.coco(root / "c.json", {"a.png": []})
    text = (root / "c.json").read_text()
    box = '[{"image_id": 0, "category_id": 1, "bbox": [0, 0, 9, 9], "segmentation": []}]'
    (root / "c.json").write_text(text.replace('"annotations": []', f'"annotations": {box}'))


def missing_image(root):
    exports.picture(root / "a.png")
    exports.coco(root / "c.json", {"b.png": [(1, 0, 0, 9, 9)]})


def two_files(root):
    exports.picture(root / "a.png")
    for name in ("b.json", "c.json"):
        exports.coco(root / name, {"a.png": [(1, 0, 0, 9, 9)]})


def broken(root):
    exports.picture(root / "a.jpg")
    exports.labelme(root / "a.json", "a.jpg", [(1, 0, 0, 9, 9)])
    (root / "a.json").write_text((root / "a.json").read_text().replace('"points"', '"dots"'))


def rude(root):
    exports.picture(root / "a.png")
    exports.coco(root / "c.json", {"b\n\x1b[31m.png": [(1, 0, 0, 9, 9)]})


def nothing_drawn(root):
    exports.picture(root / "a.jpg")
    exports.labelme(root / "a.json", "a.jpg", [(1, 0, 0, 9, 9)])
    content = json.loads((root / "a.json").read_text())
    (root / "a.json").write_text(json.dumps({**content, "shapes": []}))


def numbered(root):
    georeferenced(root / "a.tif")
    exports.collection(
        root / "a.geojson", [(n, 0, 0, 9, 9) for n in range(1, 300)], places(), names=range(299)
    )


@pytest.mark.parametrize(
    ("write", "message"),
    [
        pytest.param(no_place, "give images that are georeferenced", marks=NEEDS),
        (many_files, "30 vector files .* name each like its image, or join them"),
        (boxes_only, "1 boxes or points, but no areas; export polygons or masks"),
        (missing_image, r"names the image b\.png, and .* add or rename it"),
        (rude, r"names the image b.*\.png"),
        (two_files, r"a\.png is in b\.json and in c\.json; move one of the two away"),
        (broken, "is no valid Labelme file"),
        (nothing_drawn, "hold 1 classes, of at least 2"),
        pytest.param(numbered, "hold 299 classes.* --class-field", marks=NEEDS),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_labels_that_cannot_be_used_are_told_in_a_sentence(tmp_path, write, message):
    write(tmp_path)

    (said,) = find_label_sources(search(tmp_path)).problems

    assert re.search(message, said), said
    assert said.isprintable()


def test_without_the_packages_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("bohb_seg.data.imagery.vector_files.available", lambda: False)
    no_place(tmp_path)

    (said,) = find_label_sources(search(tmp_path)).problems

    assert "pip install 'bohb-seg[geo]'" in said


def test_folders_without_labels_hold_nothing(tmp_path):
    exports.picture(tmp_path / "images" / "a.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "images" / "b.png")
    for name, text in (("classes.json", '{"classes": []}'), ("a.json", "{"), ("b.json", "[1]"),
                       ("image_info_test.json", '{"images": [], "annotations": [],'
                                                ' "categories": []}')):  # fmt: skip
        (tmp_path / name).write_text(text)

    assert find_label_sources(search(tmp_path)) == FoundLabels()
