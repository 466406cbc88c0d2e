"""Figure of the confusion matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.confusion import Counts, Reals, row_shares
from bohb_seg.report.style import new_figure, styled

LARGEST, WHOLE_ROW = 9, 84
"""Points: largest font of a share, and the sum of the fonts of a row, so that none overlap."""


@styled
def confusions(matrices: Mapping[str, Counts], names: Sequence[str], part: str) -> Figure:
    """Confusion matrices side by side; rows sum to 100 %.

    Args:
        matrices: Pixels, int (classes, classes), rows = truth, by name of the arm.
        names: Names of the classes.
        part: Part of the data, for the title.
    """
    figure = new_figure(1.4 + 0.5 * len(names))
    axes = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    for ax, (arm, counts) in zip(axes, matrices.items(), strict=True):
        _matrix(ax, row_shares(counts), names)
        ax.set_title(f"{arm}, {part} part")
        ax.set_xlabel("named as")
    axes[0].set_ylabel("truly is")
    return figure


def _matrix(ax: Axes, shares: Reals, names: Sequence[str]) -> None:
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        ax.text(
            column,
            row,
            "–" if np.isnan(share) else f"{100 * share:.0f}%",
            ha="center",
            va="center",
            fontsize=min(LARGEST, WHOLE_ROW / len(names)),
            color="white" if share > 0.55 else "black",
            weight="bold" if row == column else "normal",
        )
    ax.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
