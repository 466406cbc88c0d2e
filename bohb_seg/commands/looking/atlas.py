"""The map of a data set: each group's images as rectangles, and the parts that lie in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bohb_seg.data.looking.outlook import Outlook
from bohb_seg.data.looking.sights import Box

EDGES = ((12, 190), (48, 84), (400, 36))
"""Longest edge of an image on the map in pixels, up to so many images."""
SMALLEST_EDGE = 16
"""That of more images."""
LARGEST_SCENE = 560
"""That of a data set of one or two images."""
MOST_NAMED = 24
"""Images that have their names below them."""
MOST_CELLS = 3000
"""Images that are drawn."""
MOST_PATCHES = 2000
"""Patches of an image that are drawn one by one, where parts are mixed in it."""


@dataclass(frozen=True)
class Area:
    """A rectangle of a part, in pixels of the map."""

    part: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Cell:
    """An image on the map: its number, its size there in pixels, and the parts in it."""

    image: int
    name: str
    width: float
    height: float
    areas: Sequence[Area]

    @property
    def parts(self) -> str:
        """Names of the parts, for people."""
        return ", ".join(dict.fromkeys(area.part for area in self.areas)) or "in no part"


@dataclass(frozen=True)
class Group:
    """A group of images, and the number of its images that are not drawn."""

    name: str
    images: int
    cells: Sequence[Cell]
    parts: Mapping[str, int]


def groups(known: Outlook) -> list[Group]:
    """The map; empty for data that could not be decoded or have no parts."""
    if not known.data:
        return []
    members: dict[str, list[int]] = {}
    for image, record in enumerate(known.records):
        members.setdefault(record.group, []).append(image)
    scale = _scale(known)
    per_image = _areas(known)
    left = MOST_CELLS
    found = []
    for name, images in members.items():
        cells = [_cell(known, image, scale, per_image[image]) for image in images[: max(0, left)]]
        left -= len(cells)
        parts = {
            part: sum(image in boxes for image in images) for part, boxes in known.boxes.items()
        }
        found.append(Group(name, len(images), cells, {p: n for p, n in parts.items() if n}))
    return found


def _scale(known: Outlook) -> float:
    count = len(known.records)
    edge = next((edge for most, edge in EDGES if count <= most), SMALLEST_EDGE)
    if count <= 2:
        edge = LARGEST_SCENE
    return edge / max(max(record.size) for record in known.records)


def _areas(known: Outlook) -> list[list[tuple[str, Box]]]:
    """The rectangles of the parts in each image; patches where parts are mixed in it."""
    found: list[list[tuple[str, Box]]] = [[] for _ in known.records]
    for part, boxes in known.boxes.items():
        for image, box in boxes.items():
            found[image].append((part, box))
    mixed = {image for image, boxes in enumerate(found) if _overlap([box for _, box in boxes])}
    if mixed:
        for image in mixed:
            found[image] = []
        for part, box_image, box in _patches(known):
            if box_image in mixed and len(found[box_image]) < MOST_PATCHES:
                found[box_image].append((part, box))
    return found


def _patches(known: Outlook) -> Iterator[tuple[str, int, Box]]:
    size = known.settings.patch_size
    for part, places in known.places.items():
        for image, row, column in places.tolist():
            height, width = known.records[image].size
            yield part, image, Box(row, column, min(size, height - row), min(size, width - column))


def _overlap(boxes: Sequence[Box]) -> bool:
    return any(
        one.top < other.top + other.height
        and other.top < one.top + one.height
        and one.left < other.left + other.width
        and other.left < one.left + one.width
        for one, other in combinations(boxes, 2)
    )


def _cell(known: Outlook, image: int, scale: float, boxes: Sequence[tuple[str, Box]]) -> Cell:
    record = known.records[image]
    height, width = (max(4.0, round(edge * scale, 1)) for edge in record.size)
    down, across = height / record.size[0], width / record.size[1]
    areas = [
        Area(
            part,
            round(box.left * across, 1),
            round(box.top * down, 1),
            round(box.width * across, 1),
            round(box.height * down, 1),
        )
        for part, box in boxes
    ]
    return Cell(image, record.name, width, height, areas)
