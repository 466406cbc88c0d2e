"""Sheets of patches: image, ground truth and what each model says, side by side.

Class colours come from the data set and may look alike in grey print; each class therefore also
has a pattern of darker pixels, which the legend repeats.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from bohb_seg.report.patches import Choice, Patches, Pixels
from bohb_seg.report.style import styled
from bohb_seg.trials import IGNORE

PANEL = 192
"""Edge of a panel in pixels: whole multiples of common patch sizes stay sharp."""
DPI = 100
GAP, CAPTION, TOP, LEGEND = 14, 34, 30, 60
"""Pixels between panels, under them, above the first row, and for the legend at the top."""
DARKER = 0.62
_TILE = 8

Places = npt.NDArray[np.intp]


@styled
def sheet(patches: Patches, chosen: Sequence[Choice]) -> Figure:
    """One row per patch in the given order; accuracies are written under the predictions."""
    titles = ("image", "ground truth", *patches.predictions)
    width = len(titles) * (PANEL + GAP) + GAP
    height = LEGEND + TOP + len(chosen) * (PANEL + CAPTION)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    for row, choice in enumerate(chosen):
        top = LEGEND + TOP + row * (PANEL + CAPTION)
        for column, (panel, caption) in enumerate(_panels(patches, choice)):
            left = GAP + column * (PANEL + GAP)
            _panel(figure, panel, left, top, width, height)
            _text(figure, caption, left + PANEL / 2, top + PANEL + 13, width, height, 9.5)
            if row == 0:
                _text(figure, titles[column], left + PANEL / 2, top - 12, width, height, 11, True)
    _legend(figure, patches, width, height)
    return figure


def coloured(labels: Pixels, colours: Sequence[tuple[int, int, int]], edge: int) -> Pixels:
    """Draws a label map: enlarged to ``edge`` pixels, in class colours with class patterns.

    Args:
        labels: uint8 (p, p); 255 = ignore is white.
        colours: RGB of each class.
        edge: Of the result in pixels.

    Returns:
        uint8 (edge, edge, 3).
    """
    table = np.full((256, 3), 255, dtype=np.uint8)
    table[: len(colours)] = colours
    large = _enlarged(labels, edge)
    dark = _patterns(len(colours))[np.minimum(large, len(colours)), *_tiled(edge)]
    shade = np.where(dark & (large != IGNORE), DARKER, 1.0)
    return np.asarray(table[large] * shade[..., None], dtype=np.uint8)


def _panels(patches: Patches, choice: Choice) -> list[tuple[Pixels, str]]:
    index, colours = choice.index, patches.class_colours
    truth = coloured(patches.labels[index], colours, PANEL)
    predicted = [
        (coloured(maps[index], colours, PANEL), f"{100 * choice.accuracies[name]:.1f} % right")
        for name, maps in patches.predictions.items()
    ]
    image = _enlarged(patches.images[index], PANEL)
    mixing = f"sum of squares {choice.sum_of_squares:.2f}"
    return [(image, _shortened(choice.source)), (truth, mixing), *predicted]


def _panel(
    figure: Figure, pixels: Pixels, left: float, top: float, width: int, height: int
) -> None:
    box = (left / width, 1 - (top + PANEL) / height, PANEL / width, PANEL / height)
    ax = figure.add_axes(box)
    ax.imshow(pixels, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color("#888888")


def _text(
    figure: Figure,
    text: str,
    x: float,
    y: float,
    width: int,
    height: int,
    size: float,
    bold: bool = False,
) -> None:
    figure.text(
        x / width,
        1 - y / height,
        text,
        ha="center",
        va="center",
        fontsize=size,
        weight="bold" if bold else "normal",
    )


def _legend(figure: Figure, patches: Patches, width: int, height: int) -> None:
    """Swatches of all classes above the panels, in two rows."""
    names = [*patches.class_names, "not counted"]
    values = [*range(len(patches.class_names)), IGNORE]
    columns = -(-len(names) // 2)
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        x = GAP + (place % columns) * (width - 2 * GAP) / columns
        y = 8 + (place // columns) * 26
        swatch = coloured(np.full((1, 1), value, dtype=np.uint8), patches.class_colours, 32)
        ax = figure.add_axes((x / width, 1 - (y + 18) / height, 32 / width, 18 / height))
        ax.imshow(swatch[:18], interpolation="nearest", aspect="auto")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(True)
        figure.text((x + 38) / width, 1 - (y + 9) / height, name, va="center", fontsize=10)


def _enlarged(pixels: Pixels, edge: int) -> Pixels:
    """Nearest neighbour to ``edge`` pixels, from any size."""
    rows = np.arange(edge) * pixels.shape[0] // edge
    columns = np.arange(edge) * pixels.shape[1] // edge
    return np.asarray(pixels[rows][:, columns], dtype=np.uint8)


def _tiled(edge: int) -> tuple[Places, Places]:
    place = np.arange(edge) % _TILE
    return place[:, None], place[None, :]


def _patterns(classes: int) -> npt.NDArray[np.bool_]:
    """Where a class is darker: bool (classes + 1, tile, tile); the first and the last are plain."""
    y, x = np.mgrid[:_TILE, :_TILE]
    kinds = [
        np.zeros((_TILE, _TILE), dtype=bool),
        (x + y) % _TILE == 0,
        y % 4 == 0,
        (x % 4 == 0) & (y % 4 == 0),
        (x - y) % _TILE == 0,
        x % 4 == 0,
        ((x + y) % _TILE == 0) | ((x - y) % _TILE == 0),
        (x + y) % 4 == 0,
    ]
    chosen = [kinds[index % len(kinds)] for index in range(classes)]
    return np.array([*chosen, kinds[0]])


def _shortened(source: str, length: int = 25) -> str:
    return source if len(source) <= length else f"…{source[1 - length :]}"
