"""Sheets of patches: image, ground truth and the prediction of each arm, side by side.

The colours of the classes come from the data set and may look alike in grey print. Each class
therefore also has a pattern of darker pixels, which the legend repeats.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.patches import Patches, Pixels, RatedPatch
from bohb_seg.report.style import drawable, short, styled
from bohb_seg.trials import IGNORE

PANEL = 192
"""Edge of a panel in pixels: a multiple of common patch sizes, which keeps them sharp."""
DPI = 100
GAP, CAPTION, TOP = 14, 34, 30
"""Pixels between panels, below them, and above the first row."""
SWATCH_WIDTH, SWATCH_HEIGHT = 32, 18
"""Size of a swatch of the legend in pixels."""
ENTRY_WIDTH, ENTRY_HEIGHT = 180, 26
"""Least size of an entry of the legend in pixels: a swatch and a name."""
LONGEST_NAME, LONGEST_SOURCE = 20, 25
"""Letters of a class name that fit into the legend, and of a source that fit below an image."""
DARKER = 0.62
"""Brightness of the pixels of a pattern, as a share of that of the others."""
FRAME = 85
"""Grey of the frame of a swatch, 0..255."""
TILE = 8
"""Edge of the repeated square of a pattern in pixels."""

Places = npt.NDArray[np.intp]


@styled
def sheet(patches: Patches, chosen: Sequence[RatedPatch]) -> Figure:
    """One row per patch in the given order; accuracies are written below the predictions."""
    titles = ("image", "ground truth", *patches.predictions)
    width = len(titles) * (PANEL + GAP) + GAP
    names = [*patches.class_names, "not counted"]
    columns = _legend_columns(len(names), width)
    first = -(-len(names) // columns) * ENTRY_HEIGHT + 8 + TOP
    canvas = _Canvas(width, height=first + len(chosen) * (PANEL + CAPTION))
    _legend(canvas, names, patches.class_colours, columns)
    for column, title in enumerate(titles):
        canvas.centred(title, _left(column) + PANEL / 2, first - 12, 11, weight="bold")
    for row, patch in enumerate(chosen):
        top = first + row * (PANEL + CAPTION)
        for column, (panel, caption) in enumerate(_panels(patches, patch)):
            ax = canvas.picture(panel, _left(column), top, PANEL, PANEL)
            ax.spines[:].set_color("#888888")
            canvas.centred(caption, _left(column) + PANEL / 2, top + PANEL + 13, 9.5)
    return canvas.figure


def coloured(labels: Pixels, colours: Sequence[tuple[int, int, int]], edge: int) -> Pixels:
    """Draws a label map, enlarged, in the colours of the classes with their patterns.

    Args:
        labels: uint8 (p, p); 255 = ignore becomes white.
        colours: RGB of each class.
        edge: Edge of the result in pixels.

    Returns:
        uint8 (edge, edge, 3).
    """
    table = np.full((256, 3), 255, dtype=np.uint8)
    table[: len(colours)] = colours
    large = _enlarged(labels, edge)
    dark = _patterns(len(colours))[np.minimum(large, len(colours)), *_tiled(edge)]
    shade = np.where(dark & (large != IGNORE), DARKER, 1.0)
    return np.asarray(table[large] * shade[..., None], dtype=np.uint8)


class _Canvas:
    """A figure on which places are pixels from the upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)

    def picture(self, pixels: Pixels, left: float, top: float, width: int, height: int) -> Axes:
        """Draws pixels into a framed box."""
        bottom = 1 - (top + height) / self.height
        box = (left / self.width, bottom, width / self.width, height / self.height)
        ax = self.figure.add_axes(box)
        ax.imshow(pixels, interpolation="nearest", aspect="auto")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(visible=False)
        ax.spines[:].set_visible(True)
        return ax

    def stamp(self, pixels: Pixels, left: float, top: float) -> None:
        """Copies pixels, with a frame: axes for each would take seconds if there are many."""
        framed = np.full((pixels.shape[0] + 2, pixels.shape[1] + 2, 3), FRAME, dtype=np.uint8)
        framed[1:-1, 1:-1] = pixels
        bottom = self.height - round(top) - framed.shape[0]
        self.figure.figimage(framed, round(left), bottom)

    def centred(self, text: str, x: float, y: float, size: float, **options: Any) -> None:
        """Writes text around a point."""
        self.text(text, x, y, size, ha="center", **options)

    def text(self, text: str, x: float, y: float, size: float, **options: Any) -> None:
        """Writes text that begins at a point, at half its height."""
        place = x / self.width, 1 - y / self.height
        self.figure.text(*place, text, va="center", fontsize=size, **options)


def _left(column: int) -> int:
    return GAP + column * (PANEL + GAP)


def _panels(patches: Patches, patch: RatedPatch) -> list[tuple[Pixels, str]]:
    """Pixels and caption of the panels of a row."""
    index, colours = patch.index, patches.class_colours
    truth = coloured(patches.labels[index], colours, PANEL)
    predicted = [
        (coloured(maps[index], colours, PANEL), f"{100 * patch.accuracies[name]:.1f} % right")
        for name, maps in patches.predictions.items()
    ]
    image = _enlarged(patches.images[index], PANEL)
    mixing = f"sum of squares {patch.sum_of_squares:.2f}"
    return [(image, _end(patch.source)), (truth, mixing), *predicted]


def _legend_columns(entries: int, width: int) -> int:
    """Columns of the legend: two rows if they fit, else as many columns as fit."""
    return min(-(-entries // 2), max(1, (width - 2 * GAP) // ENTRY_WIDTH))


def _legend(
    canvas: _Canvas, names: Sequence[str], colours: Sequence[tuple[int, int, int]], columns: int
) -> None:
    """Draws swatches of all classes above the panels; the last name is that of ignored pixels."""
    values = [*range(len(names) - 1), IGNORE]
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        x = GAP + (place % columns) * (canvas.width - 2 * GAP) / columns
        y = 8 + (place // columns) * ENTRY_HEIGHT
        swatch = coloured(np.full((1, 1), value, dtype=np.uint8), colours, SWATCH_WIDTH)
        canvas.stamp(swatch[:SWATCH_HEIGHT], x, y)
        canvas.text(short(name, LONGEST_NAME), x + SWATCH_WIDTH + 6, y + SWATCH_HEIGHT / 2, 10)


def _enlarged(pixels: Pixels, edge: int) -> Pixels:
    """Pixels of any size as a square of ``edge`` pixels, by nearest neighbour."""
    rows = np.arange(edge) * pixels.shape[0] // edge
    columns = np.arange(edge) * pixels.shape[1] // edge
    return np.asarray(pixels[rows][:, columns], dtype=np.uint8)


def _tiled(edge: int) -> tuple[Places, Places]:
    place = np.arange(edge) % TILE
    return place[:, None], place[None, :]


def _patterns(classes: int) -> npt.NDArray[np.bool_]:
    """Darker pixels of each class: bool (classes + 1, TILE, TILE); first and last have none."""
    y, x = np.mgrid[:TILE, :TILE]
    kinds = [
        np.zeros((TILE, TILE), dtype=bool),
        (x + y) % TILE == 0,
        y % 4 == 0,
        (x % 4 == 0) & (y % 4 == 0),
        (x - y) % TILE == 0,
        x % 4 == 0,
        ((x + y) % TILE == 0) | ((x - y) % TILE == 0),
        (x + y) % 4 == 0,
    ]
    chosen = [kinds[index % len(kinds)] for index in range(classes)]
    return np.array([*chosen, kinds[0]])


def _end(source: str) -> str:
    source = drawable(source)
    return source if len(source) <= LONGEST_SOURCE else f"…{source[1 - LONGEST_SOURCE :]}"
