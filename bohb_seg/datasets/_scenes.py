"""Aerial-like scenes, which the tiles of the synthetic data set show.

A tile is drawn layer upon layer as things lie on the ground: soil, water, roads, building sites,
lawns, buildings, trees. Classes share colours on purpose (sandy streets and sandy soil, grey roofs
and asphalt, green roofs and lawns), and every tile has its own soil, sun and haze, so that a
network must also look at shape and surroundings.

Lengths are in drawn pixels; ``OVERSAMPLING`` of them make one pixel of the photograph.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bohb_seg.data.classes import DUBAI
from bohb_seg.data.pixels import Pixels
from bohb_seg.datasets._canvas import (
    Canvas,
    Mask,
    Points,
    across,
    direction,
    grown,
    largest_piece,
    rectangle,
    whole,
)

BUILDING, LAND, ROAD, VEGETATION, WATER, UNLABELED = range(len(DUBAI))

SOILS = ((196, 172, 138), (168, 142, 112), (178, 168, 152), (150, 138, 108), (205, 188, 160))
ROOFS = (
    (214, 210, 204),
    (156, 154, 152),
    (200, 178, 146),
    (172, 100, 78),
    (156, 84, 66),
    (234, 230, 224),
    (132, 144, 120),
    (134, 152, 176),
)
ASPHALTS = ((104, 104, 108), (128, 126, 124), (150, 144, 136))
SANDY_STREETS = ((176, 158, 132), (160, 140, 114))
PAVEMENT = np.array([172.0, 166.0, 156.0])
BEACH = np.array([196.0, 184.0, 158.0])
GREENS = ((84, 104, 58), (104, 120, 72), (70, 92, 62), (124, 130, 84))
WATERS = ((58, 92, 100), (74, 112, 104), (48, 74, 92), (92, 128, 126))
CARS = ((235, 235, 235), (40, 40, 44), (170, 30, 30), (60, 80, 130))

MAIN_ROAD, STREET = 19, 9
"""Widths of the two kinds of road."""

STEP = 6.0
"""Distance between two points of a road's middle line."""


def tile(seed: int, number: int, height: int, width: int) -> tuple[Pixels, Pixels]:
    """Draws one tile; the same arguments always give the same pixels.

    Args:
        seed: Seed of the data set.
        number: Number of the tile.
        height: Height of the tile in pixels.
        width: Width of the tile in pixels.

    Returns:
        RGB (height, width, 3) and labels (height, width), both uint8; labels number the entries of
        ``DUBAI``.
    """
    canvas = Canvas(np.random.default_rng((seed, number)), height, width, LAND)
    _lay_soil(canvas)
    _lay_water(canvas)
    roads = _lay_roads(canvas)
    _lay_building_sites(canvas)
    _lay_lawns(canvas)
    _put_up_buildings(canvas, roads)
    _plant_trees(canvas, roads)
    return canvas.photograph()


@dataclass(frozen=True)
class Road:
    """A road's middle line, (points, 2), and its full width."""

    line: Points
    width: int

    @property
    def directions(self) -> Points:
        """Unit vectors between neighbouring points of the line, (points - 1, 2)."""
        steps = np.diff(self.line, axis=0)
        return np.asarray(steps / np.hypot(steps[:, :1], steps[:, 1:]))


def _lay_soil(canvas: Canvas) -> None:
    mix = canvas.noise(cell=140)[..., None]
    colour = canvas.tint(SOILS) * mix + canvas.tint(SOILS) * (1 - mix)
    canvas.paint(canvas.labels == LAND, colour.astype(np.float64), LAND, roughness=20)


def _lay_water(canvas: Canvas) -> None:
    """A lake or a shore: dark in the middle, light where it is shallow, a beach around."""
    field = canvas.noise(cell=170)
    water = field < np.quantile(field, canvas.random.uniform(0.05, 0.24))
    canvas.mix(grown(water, 4), BEACH, 0.4)
    depth = cv2.distanceTransform(water.astype(np.uint8), cv2.DIST_L1, 3).astype(np.float64)
    shallow = np.exp(-depth / 14)[..., None] * np.array([52, 48, 30])
    ripples = (canvas.noise(cell=7, octaves=2) - 0.5)[..., None] * 30
    canvas.paint(water, canvas.tint(WATERS) + shallow + ripples, WATER)


def _lay_roads(canvas: Canvas) -> list[Road]:
    """Two main roads that cross, and streets that start from them and end at the water."""
    random, land = canvas.random, canvas.labels == LAND
    middle = np.array(canvas.shape[::-1]) * random.uniform(0.35, 0.65, 2)
    angle = random.uniform(0, np.pi)
    far = float(sum(canvas.shape))
    main = [_road(canvas, middle, angle + turn, MAIN_ROAD, far, 0) for turn in (0.0, np.pi / 2)]
    streets = []
    for turn in (0.0, np.pi / 2):
        offset = -far + random.uniform(0, 60)
        while offset < far:
            start = middle + across(direction(angle + turn)) * offset
            streets.append(_road(canvas, start, angle + turn, STREET, 60, 420))
            offset += random.uniform(100, 180)
    network = largest_piece(_drawn(canvas, main) | (_drawn(canvas, streets) & land))
    canvas.paint(grown(_drawn(canvas, main), 3) & land, PAVEMENT, LAND, roughness=12)
    for road in (*streets, *main):
        sandy = road.width == STREET and random.random() < 0.3
        colour = canvas.tint(SANDY_STREETS if sandy else ASPHALTS)
        canvas.paint(_drawn(canvas, [road]) & network, colour, ROAD, roughness=14)
    _mark_lanes(canvas, main)
    _let_cars_drive(canvas, network)
    return [*main, *streets]


def _road(
    canvas: Canvas, through: Points, angle: float, width: int, least: float, more: float
) -> Road:
    """A gently bent road through a point, at least ``least`` long to both sides of it."""
    random = canvas.random
    reach = least + random.random(2) * more
    along = np.arange(-reach[0], reach[1], STEP)
    bend = 14 * np.sin(along / random.uniform(110, 190) + random.uniform(0, 2 * np.pi))
    ahead = direction(angle)
    return Road(through + along[:, None] * ahead + bend[:, None] * across(ahead), width)


def _drawn(canvas: Canvas, roads: Sequence[Road]) -> Mask:
    layer = np.zeros(canvas.shape, np.uint8)
    for road in roads:
        cv2.polylines(layer, [whole(road.line)], False, (1,), road.width)
    return layer > 0


def _mark_lanes(canvas: Canvas, roads: Sequence[Road]) -> None:
    marks = np.zeros(canvas.shape, np.uint8)
    for road in roads:
        for start in range(0, len(road.line) - 3, 4):
            cv2.polylines(marks, [whole(road.line[start : start + 3])], False, (1,), 1)
    canvas.mix((marks > 0) & (canvas.labels == ROAD), np.full(3, 225.0), 0.55)


def _let_cars_drive(canvas: Canvas, network: Mask) -> None:
    ys, xs = np.nonzero(network)
    for index in canvas.random.integers(0, len(xs), len(xs) // 900):
        place = np.array([xs[index], ys[index]], np.float64)
        car = rectangle(place, direction(canvas.random.uniform(0, np.pi)), 8, 4)
        canvas.mix(canvas.filled(car) & network, canvas.tint(CARS), 1.0)


def _lay_building_sites(canvas: Canvas) -> None:
    """Dug-up ground with heaps of material, which annotators leave unlabeled."""
    random = canvas.random
    for _ in range(max(1, canvas.shape[0] * canvas.shape[1] // 70_000)):
        ys, xs = np.nonzero(canvas.labels == LAND)
        index = random.integers(len(xs))
        middle = np.array([xs[index], ys[index]], np.float64)
        along = direction(random.uniform(0, np.pi))
        corners = rectangle(middle, along, *random.uniform(36, 52, 2))
        site = canvas.filled(corners) & (canvas.labels == LAND)
        heaps = grown(random.random(canvas.shape) < 0.015, 2)
        canvas.paint(site, canvas.tint(SOILS) * 0.82, UNLABELED, roughness=30)
        canvas.paint(site & heaps, canvas.tint(ROOFS), UNLABELED, roughness=40)


def _lay_lawns(canvas: Canvas) -> None:
    """Lawns, or scrub through which the soil shows."""
    field = canvas.noise(cell=90)
    limit = np.quantile(field, canvas.random.uniform(0.8, 0.92))
    lawn = (field > limit) & (canvas.labels == LAND)
    cover = canvas.random.uniform(0.55, 0.95)
    tufts = (canvas.noise(cell=6, octaves=2) - 0.5)[..., None] * 60
    colour = canvas.colour * (1 - cover) + (canvas.tint(GREENS) + tufts) * cover
    canvas.paint(lawn, colour, VEGETATION, roughness=14)


def _put_up_buildings(canvas: Canvas, roads: Sequence[Road]) -> None:
    """Houses in rows along the roads; a quarter of the ground stays empty."""
    random, built_up = canvas.random, canvas.noise(cell=150)
    limit = np.quantile(built_up, 0.25)
    for road in roads:
        position = random.uniform(0, 5)
        while position < len(road.directions):
            here, along = road.line[int(position)], road.directions[int(position)]
            front = random.uniform(22, 46)
            if canvas.holds(here) and built_up[int(here[1]), int(here[0])] > limit:
                _put_up(canvas, here, along, front, road.width)
                _put_up(canvas, here, -along, front, road.width)
            position += (front + random.uniform(5, 14)) / STEP


def _put_up(canvas: Canvas, here: Points, along: Points, front: float, road_width: int) -> None:
    """A house of one or two wings on one side of the road, if there is room."""
    random, out = canvas.random, across(along)
    depth = random.uniform(20, 36)
    middle = here + out * (road_width / 2 + random.uniform(5, 10) + depth / 2)
    wings = [rectangle(middle, along, front, depth)]
    if front > 32 and random.random() < 0.5:
        wings.append(rectangle(middle + out * depth / 2, out, depth * 0.9, front * 0.45))
    ground = np.any([canvas.filled(wing) for wing in wings], axis=0)
    if not canvas.holds(middle) or not _soft_ground(canvas)[grown(ground, 2)].all():
        return
    height = random.uniform(6, 20)
    for wing in wings:
        canvas.cast(wing, height, ground)
    canvas.paint(ground, canvas.tint(ROOFS), BUILDING, roughness=7)
    if random.random() < 0.4:
        _pitch_roof(canvas, ground, middle, out)
    else:
        _furnish_flat_roof(canvas, ground, middle, along)


def _pitch_roof(canvas: Canvas, ground: Mask, middle: Points, out: Points) -> None:
    """Two slopes, of which the one towards the sun is lighter."""
    ys, xs = np.nonzero(ground)
    side = np.sign((xs - middle[0]) * out[0] + (ys - middle[1]) * out[1])
    canvas.colour[ys, xs] *= 1 + 0.22 * float(out @ canvas.sun) * side[:, None]


def _furnish_flat_roof(canvas: Canvas, ground: Mask, middle: Points, along: Points) -> None:
    """A light parapet around, and some boxes on it."""
    inner = ~grown(~ground, 2)
    canvas.colour[ground & ~inner] *= 1.18
    for _ in range(3):
        box = rectangle(middle + canvas.random.uniform(-8, 8, 2), along, 4, 4)
        canvas.colour[canvas.filled(box) & inner] *= canvas.random.choice([0.7, 1.2])


def _plant_trees(canvas: Canvas, roads: Sequence[Road]) -> None:
    """Trees in clumps, along some roads, and here and there."""
    field = canvas.noise(cell=70)
    limit = np.quantile(field, 0.75)
    for _ in range(canvas.shape[0] * canvas.shape[1] // 500):
        place = canvas.somewhere()
        clump = field[int(place[1]), int(place[0])] > limit
        if clump or canvas.random.random() < 0.04:
            _plant(canvas, place)
    for road in roads:
        if canvas.random.random() < 0.3:
            for point, along in zip(road.line[:-1:3], road.directions[::3], strict=True):
                _plant(canvas, point + across(along) * (road.width / 2 + 7))


def _plant(canvas: Canvas, place: Points) -> None:
    """A round crown, light towards the sun, that hides no road, water or roof."""
    radius = int(canvas.random.integers(4, 10))
    disc = np.zeros(canvas.shape, np.uint8)
    x, y = map(int, place)
    cv2.circle(disc, (x, y), radius, (1,), -1)
    crown = (disc > 0) & _soft_ground(canvas)
    if crown.sum() <= 0.7 * disc.sum():
        return
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    canvas.cast(place + radius * direction(angles).T, radius * 0.9, crown)
    ys, xs = np.nonzero(crown)
    lit = ((xs - x) * canvas.sun[0] + (ys - y) * canvas.sun[1]) / radius
    leaves = canvas.tint(GREENS) * canvas.random.uniform(0.65, 1.0)
    speckle = canvas.random.normal(0, 12, (len(xs), 1))
    canvas.colour[ys, xs] = leaves * (1 + 0.28 * lit[:, None]) + speckle
    canvas.labels[crown] = VEGETATION


def _soft_ground(canvas: Canvas) -> Mask:
    """Pixels on which something may be built or planted."""
    return np.asarray((canvas.labels == LAND) | (canvas.labels == VEGETATION))
