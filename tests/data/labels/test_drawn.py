"""Shapes of every tool become the mask that was drawn, whatever rows are asked for."""

import importlib.util
import json
import pickle
import tracemalloc

import numpy as np
import pytest
from helpers import label_exports as exports
from helpers.label_exports import HEIGHT, WIDTH, corners, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data.classes import ClassEntry
from bohb_seg.data.imagery import geotiff, vector_files
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.shapes import Drawing, Shape
from bohb_seg.data.labels import drawn
from bohb_seg.data.labels.drawn import CocoImage, DrawnLabels, LabelmeFile, Layer
from bohb_seg.data.labels.names import entries_for_names
from bohb_seg.data.masks import mask_code
from bohb_seg.errors import DataError
from bohb_seg.trials import IGNORE

NEEDS = pytest.mark.skipif(
    not (geotiff.available() and importlib.util.find_spec("pyogrio")),
    reason="rasterio or pyogrio is not installed: pip install 'bohb-seg[geo]'",
)
PLAIN = Facts(HEIGHT, WIDTH, 3, ("",) * 3, "uint8")
UTM = Facts(HEIGHT, WIDTH, 3, ("",) * 3, "uint8", crs="EPSG:32632",
            transform=(10.0, 0, 500_000, 0, -10.0, 5_300_000))  # fmt: skip
CODE = mask_code(entries_for_names(("background", *exports.NAMES)), "default")


def read(source, facts=PLAIN, code=CODE, step=7):
    with source.open(facts, code) as labels:
        height = labels.size[0]
        parts = [labels.rows(n, min(step, height - n)) for n in range(0, height, step)]
        return np.concatenate(parts), labels.finding


@pytest.mark.parametrize("by_runs", [False, True])
def test_coco(tmp_path, by_runs):
    scenes = {f"{n}.jpg": scene(n) for n in range(3)}
    boxes = {name: boxes for name, (boxes, _) in scenes.items()}
    exports.coco(tmp_path / "c.json", boxes, first=7, by_runs=by_runs)

    for name, (_, mask) in scenes.items():
        assert np.array_equal(read(CocoImage(tmp_path / "c.json", name))[0], mask)


def test_one_coco_file_is_parsed_once_and_again_when_it_changes(tmp_path, monkeypatch):
    parsed = []
    real = drawn.read_coco
    monkeypatch.setattr(drawn, "read_coco", lambda path: parsed.append(path) or real(path))
    path = tmp_path / "c.json"
    exports.coco(path, {"a.jpg": scene(1)[0], "b.jpg": scene(2)[0]})

    for name in ("a.jpg", "b.jpg", "a.jpg"):
        read(CocoImage(path, name))
    exports.coco(path, {"a.jpg": scene(3)[0][:3]})

    boxes, _ = scene(3)
    assert (read(CocoImage(path, "a.jpg"))[0] > 0).sum() < sum(
        (bottom - top) * (right - left) for _, top, left, bottom, right in boxes
    )
    assert len(parsed) == 2
    with pytest.raises(DataError, match=r"names no image b\.jpg"):
        read(CocoImage(path, "b.jpg"))


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), None])
def test_labelme(tmp_path, size):
    boxes, mask = scene(5)
    exports.labelme(tmp_path / "a.json", "a.jpg", boxes, size)

    found, finding = read(LabelmeFile(tmp_path / "a.json"))

    assert np.array_equal(found, mask)
    assert not finding.unknown


def test_labels_of_an_image_of_another_size_are_refused(tmp_path):
    exports.labelme(tmp_path / "a.json", "a.jpg", scene(5)[0], (WIDTH, HEIGHT))

    with pytest.raises(ValueError, match="was drawn on an image of 60x80 pixels, not 80x60"):
        LabelmeFile(tmp_path / "a.json").open(PLAIN, CODE)


boxes = st.tuples(
    st.integers(1, 3), st.integers(-9, 70), st.integers(-9, 90), st.integers(-9, 70),
    st.integers(-9, 90),
)  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.lists(boxes, max_size=6), st.integers(1, 70), st.sampled_from([80, 500, 9000]))
def test_any_rows_of_any_shapes(shown, step, at_once):
    shapes = tuple(
        Shape(exports.NAMES[box[0] - 1], ([np.array(corners(box), float)],)) for box in shown
    )
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    lies = np.zeros((4, HEIGHT, WIDTH), bool)
    for label, top, left, bottom, right in shown:
        rows = slice(*sorted((max(0, top), max(0, bottom))))
        columns = slice(*sorted((max(0, left), max(0, right))))
        expected[rows, columns] = label
        lies[label, rows, columns] = True
    contested = (lies.sum(0) > 1).sum()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn, "_AT_ONCE", at_once)
        labels = DrawnLabels(Drawing(shapes), PLAIN, CODE)
        found = [labels.rows(n, min(step, HEIGHT - n)) for n in range(0, HEIGHT, step)]

    assert np.array_equal(np.concatenate(found), expected)
    assert [f"same {contested:,} pixels" in each for each in labels.finding.notes] == (
        [True] * bool(contested) + [False] * (not lies.any())
    )


def test_names_of_no_class_are_counted_and_ignored(tmp_path):
    exports.coco(tmp_path / "c.json", {"a.jpg": [(1, 0, 0, 9, 9), (2, 0, 0, 3, 3)]})
    code = mask_code(entries_for_names(("background", "road", "car")), "default")

    found, finding = read(CocoImage(tmp_path / "c.json", "a.jpg"), code=code)

    assert finding.unknown == {"building": 81 - 9}
    assert np.bincount(found.ravel()).tolist() == [HEIGHT * WIDTH - 81, 9] + [0] * 253 + [72]
    reports = mask_code(entries_for_names(("background", "road", "car")), "milestone3")
    assert (read(CocoImage(tmp_path / "c.json", "a.jpg"), code=reports)[0] == IGNORE).sum() == 0


@NEEDS
def test_shapes_without_a_class_are_counted(tmp_path):
    boxes = [(1, 0, 0, 9, 9), (2, 20, 20, 30, 40)]
    names = [None, "road"]
    exports.collection(tmp_path / "a.geojson", boxes, to_world(UTM, "EPSG:4326"), names=names)

    found, finding = read(Layer(tmp_path / "a.geojson"), UTM)

    assert (finding.unknown, (found == 2).sum()) == ({"no name": 81}, 200)


def test_an_image_without_shapes_says_so(tmp_path):
    exports.coco(tmp_path / "c.json", {"a.jpg": [(1, 0, 0, 9, 9)], "b.jpg": []})

    found, finding = read(CocoImage(tmp_path / "c.json", "b.jpg"))

    assert not found.any()
    assert finding.notes == ("holds no shape that lies on the image",)


def to_world(facts, crs):
    """The coordinates of a box's corners in another coordinate system, edges cut into pieces."""
    from rasterio.warp import transform

    a, b, c, d, e, f = facts.transform

    def places(box):
        ring = np.array(corners(box), float)
        ends = np.roll(ring, -1, axis=0)
        ring = np.concatenate([ring + (ends - ring) * share for share in (0, 0.25, 0.5, 0.75)])
        ring = ring.reshape(4, 4, 2).swapaxes(0, 1).reshape(-1, 2)
        x, y = a * ring[:, 0] + b * ring[:, 1] + c, d * ring[:, 0] + e * ring[:, 1] + f
        return np.stack(transform(facts.crs, crs, x, y), axis=1).tolist()

    return places


@NEEDS
def test_a_scene_cut_from_one_raster_with_labels_in_another_coordinate_system(tmp_path):
    """Burnt as rasterio burns the same polygons, but for pixels at their edges."""
    import cv2
    import rasterio
    from rasterio.features import rasterize
    from rasterio.transform import Affine
    from rasterio.warp import transform_geom

    from bohb_seg.data.imagery.reader import open_image

    place = Affine(0.4, 0.1, 691_000, 0.1, -0.4, 5_335_000)
    mosaic = np.random.default_rng(0).integers(0, 255, (3, 300, 400), np.uint8)
    how = {"driver": "GTiff", "height": 300, "width": 400, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "m.tif", "w", **how, crs="EPSG:25832", transform=place) as file:
        file.write(mosaic)
    cut = place * Affine.translation(120, 70)
    how |= {"height": HEIGHT, "width": WIDTH, "crs": "EPSG:25832", "transform": cut}
    with rasterio.open(tmp_path / "scene.tif", "w", **how) as file:
        file.write(mosaic[:, 70 : 70 + HEIGHT, 120 : 120 + WIDTH])
    random = np.random.default_rng(4)
    rings = [
        random.uniform((110, 60), (210, 140)) + random.uniform(4, 30) * np.stack(
            [np.cos(turn := np.sort(random.uniform(0, 6.28, 9))), np.sin(turn)], axis=1)
        for _ in range(14)
    ]  # fmt: skip
    polygons = [
        {"type": "Polygon", "coordinates": [[place * tuple(p) for p in [*ring, ring[0]]]]}
        for ring in rings
    ]
    kinds = [(n % 3) + 1 for n in range(len(rings))]
    features = [
        {"type": "Feature", "properties": {"Kind": exports.NAMES[kind - 1]},
         "geometry": transform_geom("EPSG:25832", "EPSG:4326", polygon)}
        for kind, polygon in zip(kinds, polygons, strict=True)
    ]  # fmt: skip
    content = {"type": "FeatureCollection", "features": features}
    (tmp_path / "labels.geojson").write_text(json.dumps(content))

    with open_image(tmp_path / "scene.tif") as image:
        found, finding = read(Layer(tmp_path / "labels.geojson", "kind"), image.facts)

    shapes = list(zip(polygons, kinds, strict=True))
    expected = rasterize(shapes, (HEIGHT, WIDTH), transform=cut, dtype="uint8")
    kernel = np.ones((3, 3), np.uint8)
    inner = cv2.dilate(expected, kernel) == cv2.erode(expected, kernel)
    assert set(np.unique(expected)) == {0, 1, 2, 3}
    assert inner.mean() > 0.5
    assert np.array_equal(found[inner], expected[inner])
    assert (found != expected).mean() < 0.002
    assert not finding.unknown


@NEEDS
@pytest.mark.parametrize("suffix", [".geojson", ".gpkg"])
def test_one_layer_for_many_images(tmp_path, suffix):
    """Each image burns the shapes that fall into it; GeoJSON is parsed once for all."""
    from dataclasses import replace

    import pyogrio

    far = replace(UTM, transform=(10.0, 0, 530_000, 0, -10.0, 5_300_000))
    (here, mask), (there, other) = scene(1), scene(2)
    exports.collection(tmp_path / "a.geojson", here, to_world(UTM, "EPSG:4326"))
    first = json.loads((tmp_path / "a.geojson").read_text())
    exports.collection(tmp_path / "a.geojson", there, to_world(far, "EPSG:4326"))
    second = json.loads((tmp_path / "a.geojson").read_text())
    second["features"] += first["features"]
    (tmp_path / "a.geojson").write_text(json.dumps(second))
    if suffix == ".gpkg":
        meta, _, geometries, columns = pyogrio.raw.read(tmp_path / "a.geojson")
        pyogrio.raw.write(
            tmp_path / "a.gpkg", geometries, columns, meta["fields"],
            crs=meta["crs"], geometry_type="Polygon",
        )  # fmt: skip
    source = pickle.loads(pickle.dumps(Layer(tmp_path / f"a{suffix}")))
    read_before = vector_files._parsed.cache_info().misses

    for facts, expected in ((UTM, mask), (far, other)):
        found, _ = read(source, facts)
        assert (found != expected).mean() < 0.03
        assert set(np.unique(found)) == set(np.unique(expected))
    assert vector_files._parsed.cache_info().misses - read_before == (suffix == ".geojson")


@NEEDS
@pytest.mark.parametrize("upwards", [False, True])
def test_an_image_without_a_place_takes_shapes_in_pixels(tmp_path, upwards):
    """QGIS counts rows below zero."""
    facts = Facts(300, 400, 3, ("",) * 3, "uint8")
    shown, mask = scene(3, height=300, width=400)
    shown.append((1, 290, 390, 300, 400))
    mask[290:, 390:] = 1
    sign = -1 if upwards else 1
    exports.collection(
        tmp_path / "a.geojson", shown, lambda box: [[x, sign * y] for x, y in corners(box)]
    )

    assert np.array_equal(read(Layer(tmp_path / "a.geojson"), facts)[0], mask)


@NEEDS
def test_shapes_of_a_single_class_are_the_single_class_of_the_table(tmp_path):
    exports.collection(tmp_path / "a.geojson", scene(1)[0], to_world(UTM, "EPSG:4326"), field=None)
    entries = (ClassEntry(name="Background", index=0), ClassEntry(name="House", index=1))
    code = mask_code(entries, "default")

    found, finding = read(Layer(tmp_path / "a.geojson", only="buildings"), UTM, code)

    assert ((found == 1) != (scene(1)[1] > 0)).mean() < 0.03
    assert not finding.unknown


def test_memory_does_not_grow_with_the_image():
    """A fan of long triangles over 400 million pixels, of which one row is a part."""
    facts = Facts(20_000, 20_000, 3, ("",) * 3, "uint8")
    shapes = tuple(
        Shape("road", ([np.array([(0, n), (20_000, n), (0, n + 30)], float)],))
        for n in range(0, 20_000, 50)
    )
    labels = DrawnLabels(Drawing(shapes), facts, CODE)

    tracemalloc.start()
    counted = sum(int((labels.rows(n, 64) == 2).sum()) for n in range(0, 1280, 64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert counted == pytest.approx(1280 / 50 * 20_000 * 30 / 2, rel=0.02)
    assert peak < 60 * 2**20
