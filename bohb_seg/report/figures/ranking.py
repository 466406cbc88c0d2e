"""Figure of the losses at a small budget against those at a larger one."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.ranking import RankCorrelation
from bohb_seg.report.style import ARM_LOOKS, grid_of_axes, limits, new_figure, styled
from bohb_seg.report.wording import in_epochs

MOST_PANELS = 12
"""Pairs of budgets in the figure, from the smallest budget on; the table has all of them."""


@styled
def rank_correlations(correlations: Sequence[RankCorrelation]) -> Figure:
    """A panel per pair of budgets with a correlation; each point is a trial with its two losses."""
    shown = [each for each in correlations if each.rho is not None][:MOST_PANELS]
    columns = 2 if len(shown) in (2, 4) else min(3, len(shown))
    figure = new_figure(3.2 * -(-len(shown) // columns))
    for ax, each in zip(grid_of_axes(figure, len(shown), columns), shown, strict=True):
        _panel(ax, each)
    return figure


def _panel(ax: Axes, each: RankCorrelation) -> None:
    xs, ys = np.array(each.pairs).T
    ax.plot(
        limits(xs).within(xs),
        limits(ys).within(ys),
        "o",
        color=ARM_LOOKS["incumbent"].colour,
        markersize=5,
        alpha=0.8,
    )
    ax.set_xlabel(f"loss after {in_epochs(each.small)}")
    ax.set_ylabel(f"loss after {in_epochs(each.large)}")
    ax.set_title(f"rank correlation {each.rho:.2f}\n({len(each.pairs)} trials)", fontsize=10)
