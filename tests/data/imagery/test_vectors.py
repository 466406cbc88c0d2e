"""Polygons become masks. What needs rasterio and pyogrio skips loudly where they are absent."""

import importlib.util
import json
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from bohb_seg.data.imagery import geotiff, wkb
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.polygons import covered
from bohb_seg.data.imagery.shapes import Drawing, Shape
from bohb_seg.data.imagery.shapes import burn as burn_shapes
from bohb_seg.data.imagery.vectors import read_layer
from bohb_seg.errors import DataError

NEEDS = pytest.mark.skipif(
    not (geotiff.available() and importlib.util.find_spec("pyogrio")),
    reason="rasterio or pyogrio is not installed: pip install 'bohb-seg[geo]'",
)
HEIGHT, WIDTH = 60, 80
UTM = Facts(HEIGHT, WIDTH, 3, ("",) * 3, "uint8", crs="EPSG:32632",
            transform=(10.0, 0, 500_000, 0, -10.0, 5_300_000))  # fmt: skip
TURNED = Facts(HEIGHT, WIDTH, 3, ("",) * 3, "uint8", crs="EPSG:32632",
               transform=(8.0, 6.0, 500_000, 6.0, -8.0, 5_300_000))  # fmt: skip
WHOLE = (0, 0, HEIGHT, WIDTH)


def burn(drawing, values, place, background):
    return burn_shapes(drawing.shapes, values, place, background, unknown=255)


def square(left, top, right, bottom):
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def on_pixels(polygon, height=HEIGHT, width=WIDTH):
    row, column, inside = covered(polygon, height, width)
    mask = np.zeros((height, width), bool)
    mask[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return mask


def to_edge(centre, ring):
    """Distance from a point to the nearest edge."""
    edges = np.roll(ring, -1, axis=0) - ring
    squares = np.maximum((edges**2).sum(1), 1e-300)
    along = np.clip(((centre - ring) * edges).sum(1) / squares, 0, 1)
    return np.hypot(*(ring + edges * along[:, None] - centre).T).min()


corners = st.tuples(st.floats(-20, 100), st.floats(-20, 80))


@NEEDS
@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(corners, min_size=3, max_size=9), min_size=1, max_size=3))
def test_any_rings_are_burnt_as_gdal_burns_them(rings):
    from rasterio.features import rasterize

    rings = [np.array(ring) for ring in rings]
    closed = [[*ring.tolist(), ring[0].tolist()] for ring in rings]
    shape = {"type": "Polygon", "coordinates": closed}

    expected = rasterize([(shape, 1)], (HEIGHT, WIDTH)) == 1

    differing = np.argwhere(on_pixels(rings) != expected)[:, ::-1] + 0.5
    # Where an edge runs through a centre, either is right.
    assert all(min(to_edge(centre, ring) for ring in rings) < 1e-6 for centre in differing)


def test_a_hole_stays_open_and_windows_are_parts_of_the_whole():
    shape = Shape("a", ([square(5, 5, 70, 50), square(20, 20, 30, 30)[::-1]],))
    drawing = Drawing((shape,))

    whole = burn(drawing, {"a": 7}, WHOLE, 9).values
    part = burn(drawing, {"a": 7}, (12, 17, 30, 40), 9).values

    assert (whole[25, 25], whole[10, 10], whole[0, 0]) == (9, 7, 9)
    assert (whole == 7).sum() == 65 * 45 - 100
    assert np.array_equal(part, whole[12:42, 17:57])


def test_the_later_of_two_shapes_wins_and_what_was_contested_is_counted():
    shapes = Shape("a", ([square(0, 0, 20, 20)],)), Shape("b", ([square(10, 10, 30, 30)],))
    unknown = Shape("c", ([square(0, 0, 80, 60)],))

    burnt = burn(Drawing((*shapes, unknown)), {"a": 1, "b": 2}, WHOLE, 0)

    assert (burnt.values == 255).all()
    assert (burnt.contested, burnt.unknown) == (700, {"c": 80 * 60})
    below = burn(Drawing((unknown, *shapes)), {"a": 1, "b": 2}, WHOLE, 0)
    assert (below.values[15, 15], below.values[40, 70]) == (2, 255)
    assert below.unknown == {"c": 80 * 60 - 700}


def test_parts_of_one_shape_that_overlap_are_joined():
    shape = Shape("a", ([square(0, 0, 20, 20)], [square(10, 10, 30, 30)]))

    burnt = burn(Drawing((shape,)), {"a": 1}, WHOLE, 0)

    assert ((burnt.values == 1).sum(), burnt.contested) == (700, 0)


def binary(kind, rings, z=False):
    content = struct.pack("<BI", 1, kind + 1000 * z)
    content += struct.pack("<I", len(rings))
    for ring in rings:
        corners = np.c_[ring, np.zeros((len(ring), int(z)))]
        content += struct.pack("<I", len(ring)) + corners.astype("<f8").tobytes()
    return content


def multi(*parts):
    return struct.pack("<BII", 1, 6, len(parts)) + b"".join(parts)


@pytest.mark.parametrize("z", [True, False])
def test_binary_polygons_with_and_without_height(z):
    ring = square(1, 2, 3, 4)
    collection = struct.pack("<BII", 1, 7, 2) + struct.pack("<BIdd", 1, 1, 5, 6)

    found = wkb.polygons(collection + multi(binary(3, [ring, ring + 1], z), binary(3, [ring], z)))

    assert [[part.tolist() for part in polygon] for polygon in found] == [
        [ring.tolist(), (ring + 1).tolist()],
        [ring.tolist()],
    ]


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=60))
def test_rubbish_is_refused_or_empty(content):
    try:
        found = wkb.polygons(content)
    except ValueError:
        return
    assert isinstance(found, list)


def to_degrees(ring, facts):
    from rasterio.warp import transform

    a, b, c, d, e, f = facts.transform
    x, y = a * ring[:, 0] + b * ring[:, 1] + c, d * ring[:, 0] + e * ring[:, 1] + f
    return np.stack(transform(facts.crs, "EPSG:4326", x, y), axis=1)


def written(path, names, geometries, field="class", crs="EPSG:4326"):
    import pyogrio.raw

    pyogrio.raw.write(
        path, np.array(geometries, object), [np.array(names, object)], [field], crs=crs,
        geometry_type="MultiPolygon", promote_to_multi=True,
    )  # fmt: skip
    return path


def independent(polygons, facts):
    """Each pixel's centre in degrees: does it lie within the outline and in no hole?"""
    rows, columns = np.mgrid[: facts.height, : facts.width]
    centres = np.c_[columns.ravel() + 0.5, rows.ravel() + 0.5]
    degrees = to_degrees(centres, facts)
    mask = np.zeros(len(degrees), np.uint8)
    for value, (outer, *holes) in polygons:
        inside = Outline(outer).contains_points(degrees)
        for hole in holes:
            inside &= ~Outline(hole).contains_points(degrees)
        mask[inside] = value
    return mask.reshape(facts.height, facts.width)


@NEEDS
@pytest.mark.parametrize("facts", [UTM, TURNED], ids=["upright", "turned"])
@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".shp"])
def test_polygons_in_another_coordinate_system_are_burnt_where_they_lie(tmp_path, suffix, facts):
    rings = [
        [square(5, 5, 60, 50), square(20, 20, 40, 30)[::-1]],
        [np.array([(30, 10), (75, 30), (45, 55), (35, 33)], float)],
    ]
    degrees = [[to_degrees(np.vstack([r, r[:1]]), facts) for r in polygon] for polygon in rings]
    path = written(tmp_path / f"a{suffix}", ["field", "house"], [binary(3, d) for d in degrees])

    burnt = burn(read_layer(path, facts), {"field": 1, "house": 2}, WHOLE, 0)

    expected = independent(list(zip((1, 2), degrees, strict=True)), facts)
    kernel = np.ones((3, 3), np.uint8)
    inner = cv2.dilate(expected, kernel) == cv2.erode(expected, kernel)
    assert np.array_equal(burnt.values[inner], expected[inner])
    assert (burnt.values != expected).mean() < 0.001
    assert burnt.contested > 100


@NEEDS
def test_long_edges_are_bent_as_the_world_is(tmp_path):
    """A square of 4 degrees: its straight southern edge leaves the line between its corners."""
    facts = Facts(HEIGHT, WIDTH, 1, ("",), "uint8", crs="EPSG:32632",
                  transform=(6000.0, 0, 260_000, 0, -9000.0, 5_800_000))  # fmt: skip
    ring = np.array([(7, 48), (11, 48), (11, 51), (7, 51), (7, 48)], float)
    path = written(tmp_path / "a.gpkg", ["x"], [binary(3, [ring])])

    burnt = burn(read_layer(path, facts), {"x": 1}, WHOLE, 0).values

    expected = independent([(1, [ring])], facts)
    assert expected.any()
    assert (burnt != expected).sum() <= 2


def collection(path, properties, corners=((0, 0), (1, 0), (1, 1), (0, 0)), **more):
    geometry = {"type": "Polygon", "coordinates": [corners]}
    features = [{"type": "Feature", "properties": p, "geometry": geometry} for p in properties]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **more}))
    return path


WORLD = Facts(10, 10, 1, ("",), "uint8", crs="EPSG:4326", transform=(0.2, 0, -0.5, 0, -0.2, 1.5))


@NEEDS
@pytest.mark.parametrize(
    ("properties", "wanted", "names"),
    [
        ([{"id": 1, "Class": "road"}, {"id": 2, "Class": "sea"}], None, {"road": 1, "sea": 1}),
        ([{"code": 4}, {"code": None}], "CODE", {"4": 1, "": 1}),
        ([{"fid": 7, "AREA": 1.5}], None, {"a": 1}),
        ([{"x": 1, "y": 2}], "*", {"a": 1}),
    ],
    ids=["by convention", "by number", "one class", "one class on request"],
)
def test_where_the_class_stands(tmp_path, properties, wanted, names):
    path = collection(tmp_path / "a.geojson", properties)

    assert read_layer(path, WORLD, wanted).names == names


@NEEDS
@pytest.mark.parametrize(
    ("properties", "wanted", "facts", "more", "message"),
    [
        ([{"x": 1, "y": 2}], None, WORLD, {}, r"--class-field .*x, y|x, y.*--class-field"),
        ([{"x": 1}], "kind", WORLD, {}, r"no field kind.*one of: x"),
        ([{"class": "a"}], None, Facts(9, 9, 1, ("",), "uint8"), {}, "georeferenced"),
        ([{"class": "a"}], None, UTM, {"corners": [(5e5, 5e6), (5e5, 6e6), (6e5, 6e6), (5e5, 5e6)]},
         "longitudes and latitudes, but holds 500000"),
    ],
    ids=["ambiguous", "misspelt", "no place", "metres as degrees"],
)  # fmt: skip
def test_what_is_missing_is_said_in_a_sentence(tmp_path, properties, wanted, facts, more, message):
    path = collection(tmp_path / "a.geojson", properties, **more)

    with pytest.raises(DataError, match=message):
        read_layer(path, facts, wanted)


@NEEDS
@pytest.mark.parametrize("content", ["", "{}", "hello", '{"type": "FeatureCollection"'])
def test_what_is_no_vector_file_is_refused(tmp_path, content):
    (tmp_path / "a.geojson").write_text(content)

    with pytest.raises(DataError, match=r"a\.geojson"):
        read_layer(tmp_path / "a.geojson", WORLD)


def test_without_the_packages_the_cure_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("bohb_seg.data.imagery.vector_files.available", lambda: False)

    with pytest.raises(DataError, match=r"pip install 'bohb-seg\[geo\]'"):
        read_layer(tmp_path / "a.gpkg", WORLD)
