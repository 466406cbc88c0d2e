"""Figure of the confusion matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.confusion import Counts, Reals, row_shares
from bohb_seg.report.style import new_figure, short, styled

LARGEST, WHOLE_ROW = 9, 84
"""Points: largest font of a share, and the sum of the fonts of a row, so that none overlap."""
MOST_NUMBERS = 24
"""Classes up to which shares are written into the cells; with more, the colours tell them."""
TALLEST = 13.0
"""Height of the figure at most, in inches."""
ALL_NAMES = 800
"""Points: the sum of the fonts of the names beside the figure at most."""


@styled
def confusions(matrices: Mapping[str, Counts], names: Sequence[str], part: str) -> Figure:
    """Confusion matrices side by side; rows sum to 100 %.

    Args:
        matrices: Pixels, int (classes, classes), rows = truth, by name of the arm.
        names: Names of the classes.
        part: Part of the data, for the title.
    """
    figure = new_figure(min(1.4 + 0.5 * len(names), TALLEST))
    axes = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    numbered = len(names) <= MOST_NUMBERS
    for ax, (arm, counts) in zip(axes, matrices.items(), strict=True):
        _matrix(ax, row_shares(counts), [short(name) for name in names])
        if numbered:
            _write_shares(ax, row_shares(counts))
        else:
            ax.set_xticks([])
        ax.set_title(f"{arm}, {part} part")
        ax.set_xlabel("named as" if numbered else "named as (in the order of the rows)")
    axes[0].set_ylabel("truly is")
    return figure


def _matrix(ax: Axes, shares: Reals, names: Sequence[str]) -> None:
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names, fontsize=min(10.0, ALL_NAMES / len(names)))
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _write_shares(ax: Axes, shares: Reals) -> None:
    for (row, column), share in np.ndenumerate(shares):
        ax.text(
            column,
            row,
            "–" if np.isnan(share) else f"{100 * share:.0f}%",
            ha="center",
            va="center",
            fontsize=min(LARGEST, WHOLE_ROW / len(shares)),
            color="white" if share > 0.55 else "black",
            weight="bold" if row == column else "normal",
        )
