"""The canvas on which synthetic scenes are drawn, and the photograph that is taken of it.

Randomness comes from NumPy's generator only, shading is computed in float64 and drawing has no
anti-aliasing, so that the same seed gives the same bytes on every machine.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from bohb_seg.data.pixels import Pixels

Field = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
"""Positions as x, y in drawn pixels, x to the right and y down: (2,) or (points, 2)."""
Palette = Sequence[tuple[int, int, int]]

OVERSAMPLING = 2
"""Drawn pixels per photographed pixel along each axis; gives soft edges without soft labels."""

HAZE = (190, 198, 208)
"""Colour of haze, RGB."""


class Canvas:
    """A scene while it is drawn: colours, labels and shadows, layer upon layer.

    Args:
        random: Source of randomness.
        height: Height of the photograph in pixels.
        width: Width of the photograph in pixels.
        ground: Label of pixels on which nothing is drawn.
    """

    def __init__(self, random: np.random.Generator, height: int, width: int, ground: int) -> None:
        self.random = random
        self.shape = height * OVERSAMPLING, width * OVERSAMPLING
        self.colour: Field = np.zeros((*self.shape, 3))
        self.labels: Pixels = np.full(self.shape, ground, np.uint8)
        self.grain = 2 * self.noise(cell=12, octaves=3) - 1 + random.normal(0, 0.25, self.shape)
        self._shadow = np.zeros(self.shape, np.uint8)
        self.sun = direction(random.uniform(0, 2 * np.pi))

    def noise(self, cell: float, octaves: int = 4) -> Field:
        """Clouds between 0 and 1 whose largest features are about ``cell`` drawn pixels wide."""
        total, weight = np.zeros(self.shape), 1.0
        for _ in range(octaves):
            rows, columns = (int(np.ceil(edge / cell)) + 3 for edge in self.shape)
            size = int(columns * cell), int(rows * cell)
            grid = self.random.random((rows, columns))
            cloud = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
            total += weight * cloud[: self.shape[0], : self.shape[1]]
            weight, cell = weight / 2, cell / 2
        stretched: Field = (total - total.min()) / (total.max() - total.min())
        return stretched

    def tint(self, palette: Palette) -> Field:
        """One of the palette's colours, a little different each time."""
        colour = np.array(palette[self.random.integers(len(palette))], np.float64)
        varied: Field = colour * self.random.uniform(0.9, 1.1) + self.random.normal(0, 5, 3)
        return varied

    def paint(self, where: Mask, colour: Field, label: int, roughness: float = 0.0) -> None:
        """Covers pixels with a label and a colour, (3,) or (height, width, 3), made uneven."""
        flat: Field = colour if colour.ndim == 1 else colour[where]
        self.colour[where] = flat + self.grain[where][:, None] * roughness
        self.labels[where] = label

    def mix(self, where: Mask, colour: Field, share: float) -> None:
        """Mixes ``share`` (0..1) of a colour into pixels; labels stay."""
        self.colour[where] = self.colour[where] * (1 - share) + colour * share

    def filled(self, corners: Points) -> Mask:
        """The pixels inside a polygon."""
        layer = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(layer, [whole(corners)], (1,))
        return layer > 0

    def cast(self, outline: Points, length: float, body: Mask) -> None:
        """Casts the shadow of an upright body: its outline swept away from the sun."""
        swept = np.concatenate([outline, outline - self.sun * length])
        cv2.fillConvexPoly(self._shadow, cv2.convexHull(whole(swept)), (1,))
        self._shadow[body] = 0

    def somewhere(self) -> Points:
        """A random position on the canvas."""
        height, width = self.shape
        return np.array([self.random.random() * width, self.random.random() * height])

    def holds(self, place: Points) -> bool:
        """Whether a position lies on the canvas."""
        return bool(0 <= place[0] < self.shape[1] and 0 <= place[1] < self.shape[0])

    def photograph(self) -> tuple[Pixels, Pixels]:
        """Adds shadows, light, haze, lens and sensor, all drawn for this scene.

        Returns:
            RGB (height, width, 3) and labels (height, width), uint8, at the photograph's size.
        """
        random = self.random
        shadow = cv2.GaussianBlur(self._shadow.astype(np.float64), (0, 0), 1.2)[..., None]
        image = _averaged(self.colour * (1 - shadow * random.uniform(0.5, 0.68)))
        slope = np.linspace(-1, 1, image.shape[1]) * random.uniform(-0.08, 0.08)
        light = (random.uniform(0.78, 1.15) + slope)[None, :, None]
        haze = random.uniform(0, 0.18)
        image = image * light * random.uniform(0.93, 1.07, 3) * (1 - haze) + np.array(HAZE) * haze
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 0.75))
        image = image + random.normal(0, random.uniform(4, 7.5), image.shape)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8), photographed(self.labels)


def direction(angle: float | Field) -> Points:
    """The unit vector (2, ...) at an angle (...) in radians."""
    return np.array([np.cos(angle), np.sin(angle)])


def across(along: Points) -> Points:
    """The vector turned by 90 degrees."""
    return np.array([-along[1], along[0]])


def rectangle(middle: Points, along: Points, length: float, width: float) -> Points:
    """Corners (4, 2) of a rectangle whose sides of ``length`` run along the unit vector."""
    ends, sides = along * length / 2, across(along) * width / 2
    return np.stack(
        [middle + ends + sides, middle + ends - sides, middle - ends - sides, middle - ends + sides]
    )


def whole(points: Points) -> npt.NDArray[np.int32]:
    """Positions rounded to pixels."""
    return np.rint(points).astype(np.int32)


def grown(mask: Mask, margin: int) -> Mask:
    """A mask with ``margin`` more drawn pixels all around."""
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def photographed(labels: Pixels) -> Pixels:
    """The labels (height, width) at the photograph's resolution."""
    start = OVERSAMPLING // 2
    return np.ascontiguousarray(labels[start::OVERSAMPLING, start::OVERSAMPLING])


def largest_piece(mask: Mask) -> Mask:
    """The largest connected part of a mask, as the photograph shows it."""
    small = photographed(mask.astype(np.uint8))
    _, pieces, statistics, _ = cv2.connectedComponentsWithStats(small)
    piece = pieces == 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    return mask & np.kron(piece, np.ones((OVERSAMPLING, OVERSAMPLING), bool))


def _averaged(image: Field) -> Field:
    rows, columns = (edge // OVERSAMPLING for edge in image.shape[:2])
    blocks = image.reshape(rows, OVERSAMPLING, columns, OVERSAMPLING, -1)
    averaged: Field = blocks.mean(axis=(1, 3))
    return averaged
